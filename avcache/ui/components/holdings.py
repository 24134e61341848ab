"""What is held: edited in a grid, pasted, uploaded or saved before; checked before it is analysed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from avcache.core.peek import Peek
from avcache.errors import InvalidInput
from avcache.formats import counted
from avcache.market.holdings import Holding, parse_holdings, portfolio_key
from avcache.market.portfolio import PortfolioAnalysis
from avcache.ui.components.loading import loading
from avcache.ui.components.saved import open_from_address, saved_portfolios, what_failed
from avcache.ui.momentum.reading import lacking_scores
from avcache.ui.portfolio.holdings import EXAMPLE, PROBLEM, checked_grid, grid_of, text_of
from avcache.ui.portfolio.reading import read_portfolio
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal, sentence

__all__ = ["analysed", "ask_for_holdings"]

_UNDERSTOOD = "portfolio_analysed"
_ERROR = "portfolio_error"
_ROWS = "portfolio_rows"
_EDITION = "portfolio_edition"


def ask_for_holdings() -> Mapping[str, Holding]:
    """The holdings that were last understood, none of them at first; what is wrong with newer ones is said."""
    st.session_state.setdefault(_ROWS, grid_of({}))
    st.session_state.setdefault(_EDITION, 0)
    open_from_address(_take, is_first=_UNDERSTOOD not in st.session_state)
    table, text, file, saved = st.tabs(["Table", "Paste", "File", "Saved"])
    with table:
        _grid()
    with text:
        _paste()
    with file:
        _upload()
    holdings: Mapping[str, Holding] = st.session_state.get(_UNDERSTOOD, {})
    with saved:
        saved_portfolios(holdings, _take)
    what_failed()
    if error := st.session_state.get(_ERROR):
        st.error(literal(sentence(error)), title="These holdings were not analysed")
        if holdings:
            st.caption("Below are the holdings analysed before.")
    elif not holdings:
        st.caption("Enter or paste what you hold, such as “AAPL 100”, and analyse it: value, scores, what drives them.")
    return holdings


def analysed(holdings: Mapping[str, Holding]) -> tuple[PortfolioAnalysis, Peek | None]:
    """`read_portfolio` of one holding at least; says how far the loading is, which can be stopped."""
    runtime = get_runtime()
    if runtime.cache.peek(portfolio_key(holdings)) is None and (lacking := lacking_scores(runtime, tuple(holdings))):
        for _ in loading(lacking, key="portfolio_stop", on_stop=_let_go):
            pass  # what could not be had is told of the analysis
    return read_portfolio(runtime.cache, runtime.market, holdings)


def _let_go() -> None:
    """Nothing is analysed any more; what was entered stays in the grid."""
    st.session_state[_UNDERSTOOD] = {}  # and not nothing: what the address names would be opened again


def _grid() -> None:
    rows: pd.DataFrame = st.session_state[_ROWS]
    has_problems = bool((rows[PROBLEM] != "").any())
    with st.form("portfolio_grid_form", border=False):
        edited = st.data_editor(
            rows,
            # What is edited is told as changes to these rows: other rows are another grid.
            key=f"portfolio_grid_{st.session_state[_EDITION]}",
            num_rows="dynamic",
            hide_index=True,
            placeholder="",
            column_order=list(rows.columns) if has_problems else [name for name in rows.columns if name != PROBLEM],
            disabled=[PROBLEM],
            column_config={
                "Ticker": st.column_config.TextColumn(width=120, max_chars=20, help="Such as AAPL, BRK-B or 7203.T"),
                "Shares": st.column_config.NumberColumn(width=120, min_value=0, format="%,.6g"),
                "Cost basis": st.column_config.NumberColumn(
                    width=140, min_value=0, format="%,.2f", help="What all of them cost together; may stay empty"
                ),
                PROBLEM: st.column_config.TextColumn(width=260),
            },
            alt="What is held: ticker, shares and cost basis, to be edited",
        )
        st.caption("Click the last row to add a position, or paste rows from a spreadsheet; mark rows to delete them.")
        with st.container(horizontal=True):
            asked = st.form_submit_button("Analyse", type="primary", icon=":material/calculate:")
            example = st.form_submit_button("Use the example", type="tertiary")
    if example:
        _show(grid_of(parse_holdings(EXAMPLE)))
        st.rerun()
    if asked:
        _read_grid(edited)
        st.rerun()


def _paste() -> None:
    with st.form("portfolio_form", border=False):
        text = st.text_area(
            "Holdings",
            placeholder=EXAMPLE,
            height=140,
            max_chars=20_000,
            key="portfolio_holdings",
            persist_state="session",
        )
        st.caption(
            "One position per line: ticker, then shares. Of a CSV with a heading, a column of cost basis is read, too."
        )
        if st.form_submit_button("Read and analyse", type="primary", icon=":material/calculate:"):
            _read(text)
            st.rerun()


def _upload() -> None:
    st.file_uploader(
        "CSV file",
        type=["csv", "txt", "tsv"],
        max_upload_size=1,
        key="portfolio_file",
        on_change=_read_file,
        help="With a heading that names a ticker and shares; cost basis or cost per share, if there is one.",
    )
    st.caption("A broker's export, or a file that this page has written: it gives the same portfolio again.")


def _read_file() -> None:
    given = st.session_state["portfolio_file"]
    if given is not None:  # taken away, it changes nothing
        _read(text_of(given.getvalue()))


def _read(text: str) -> None:
    try:
        _take(parse_holdings(text))
    except InvalidInput as exc:
        st.session_state[_ERROR] = exc.allowed


def _read_grid(edited: pd.DataFrame) -> None:
    try:
        found = checked_grid(edited)
    except InvalidInput as exc:
        st.session_state[_ERROR] = exc.allowed
        return
    if found.problems:
        _show(found.grid)
        st.session_state[_ERROR] = f"{counted(found.problems, 'row')} of the table cannot be read: see its last column"
    else:
        _take(found.holdings)


def _take(holdings: Mapping[str, Holding]) -> None:
    """These are the holdings from now on, in the grid as well."""
    st.session_state[_UNDERSTOOD] = dict(holdings)
    st.session_state[_ERROR] = None
    _show(grid_of(holdings))


def _show(rows: pd.DataFrame) -> None:
    st.session_state[_ROWS] = rows
    st.session_state[_EDITION] = st.session_state.get(_EDITION, 0) + 1
