"""Which scores are wanted: by which profile, of whom, and which tickers are compared."""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.ui.components.universe import choose_universe
from avcache.ui.momentum.compare import MOST_COMPARED, parse_compared
from avcache.ui.momentum.ranking import PROFILES, RATINGS, Screen
from avcache.ui.words import literal, sentence

__all__ = ["choose_compared", "choose_scores", "choose_screen"]

_COMPARED = "momentum_compare"
_IN_ADDRESS = "compare"
_SAID = "momentum_compare_said"
"""What the address and the choice agreed on last."""


def choose_scores() -> tuple[str | tuple[str, ...], str]:
    """The tickers that are wanted (as typed, if they are the reader's own), and the profile."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tickers: str | tuple[str, ...] | None = choose_universe("momentum_universe")
        profile = st.selectbox(
            "Profile",
            list(PROFILES),
            key="momentum_profile",
            bind="query-params",
            width=220,
            help="  \n".join(f"**{name}**: {what}" for name, what in PROFILES.items()),
        )
    if tickers is None:
        tickers = st.text_input("Tickers", placeholder="AAPL, NVDA", key="momentum_tickers", bind="query-params")
    return tickers, profile


def choose_screen() -> Screen:
    """The filters of the ranking, which are in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rating = st.selectbox("Rating", RATINGS, key="momentum_rating", bind="query-params", width=160)
        score = st.number_input(
            "Min score", 0.0, 10.0, step=0.5, format="%.1f", key="momentum_min", bind="query-params", width=130
        )
        coverage = st.number_input(
            "Min coverage, %", 0, 100, step=5, key="momentum_coverage", bind="query-params", width=150
        )
        find = st.text_input("Find", placeholder="Ticker", key="momentum_find", bind="query-params", width=130)
        is_above = st.checkbox("Above SMA 200", key="momentum_above", bind="query-params", width="content")
    return Screen(rating, score, coverage, is_above, find)


def choose_compared(options: list[str]) -> tuple[str, ...]:
    """The tickers to compare, of *options* or typed; in the address as `compare=AAPL,NVDA`."""
    _follow_address()
    chosen: list[str] = st.multiselect(
        "Compare",
        list(dict.fromkeys([*st.session_state[_COMPARED], *options])),
        key=_COMPARED,
        max_selections=MOST_COMPARED,
        accept_new_options=True,
        placeholder=f"Up to {MOST_COMPARED} tickers, side by side",
        persist_state="session",
    )
    compared = _understood(chosen)
    _tell_address(",".join(compared))
    return compared


def _follow_address() -> None:
    """
    Take over what the address says, if it says something new.

    A widget bound to the address would write its choices as `compare=AAPL&compare=NVDA`, which nobody types.
    """
    said = st.query_params.get(_IN_ADDRESS, "")
    if said != st.session_state.get(_SAID, ""):
        st.session_state[_SAID] = said
        st.session_state[_COMPARED] = list(_understood([said]))
    st.session_state.setdefault(_COMPARED, [])


def _tell_address(text: str) -> None:
    if text == st.session_state.get(_SAID, ""):
        return
    st.session_state[_SAID] = text
    if text:
        st.query_params[_IN_ADDRESS] = text
    else:
        st.query_params.pop(_IN_ADDRESS, None)


def _understood(given: list[str]) -> tuple[str, ...]:
    """The tickers among *given*; none if one is no ticker, which is said then."""
    try:
        return parse_compared(given)
    except InvalidInput as exc:
        st.error(literal(sentence(exc.allowed)), title="These cannot be compared")
        return ()
