"""What is held: typed or pasted, and checked before it is analysed."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.holdings import Holding, parse_holdings
from avcache.ui.portfolio import EXAMPLE
from avcache.ui.words import literal, sentence

__all__ = ["ask_for_holdings"]


def ask_for_holdings() -> Mapping[str, Holding]:
    """The holdings that were last understood, none of them at first; what is wrong with newer ones is said."""
    with st.form("portfolio_form"):
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
        with st.container(horizontal=True):
            asked = st.form_submit_button("Analyse", type="primary", icon=":material/calculate:")
            st.form_submit_button("Use the example", on_click=_fill_in, type="tertiary")
    if asked:
        _read(text)
    holdings: Mapping[str, Holding] = st.session_state.get("portfolio_analysed", {})
    if error := st.session_state.get("portfolio_error"):
        st.error(literal(sentence(error)), title="These holdings were not analysed")
        if holdings:
            st.caption("Below are the holdings analysed before.")
    elif not holdings:
        st.caption("Paste what you hold, such as “AAPL 100”, and analyse it: value, scores and what drives them.")
    return holdings


def _fill_in() -> None:
    st.session_state["portfolio_holdings"] = EXAMPLE


def _read(text: str) -> None:
    try:
        st.session_state["portfolio_analysed"] = parse_holdings(text)
        st.session_state["portfolio_error"] = None
    except InvalidInput as exc:
        st.session_state["portfolio_error"] = exc.allowed
