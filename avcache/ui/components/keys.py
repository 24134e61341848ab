"""Entries in a table, a page of them at a time, and the choice of one."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from avcache.core.peek import Peek
from avcache.formats import format_percent
from avcache.ops.snapshot import Snapshot
from avcache.ui.components.tables import choose_by_row, choose_page, state_column
from avcache.ui.key_search import MOST_KEPT, KeySearch, begin, go_on
from avcache.ui.keys import ALL, PAGE_ROWS, key_table, ordered, prefixes
from avcache.ui.resources import SLOW_TICK, TICK, find_keys, get_runtime
from avcache.ui.words import literal

__all__ = ["all_tickers", "choose_prefix", "found_keys", "live_rows", "searched_rows"]

_PREFIX = "keys_prefix"
_OPEN = "keys_open"
_PAGE = "keys_page"
_LABELS = "keys_prefix_labels"
_DRAWN_AT = "keys_drawn_at"
_TOLD = "keys_prefix_told"
_NOTHING = "No key matches. Warm-up fills the cache; Momentum and Portfolio do so as they are read."
_NOTHING_SEEN = "Not all keys could be looked at; none of those seen matches."


def choose_prefix(snapshot: Snapshot) -> str | None:
    """The namespace that is chosen, with the number of keys of each; None: all. It stands in the address."""
    wanted = st.query_params.get(_PREFIX, ALL)
    if st.session_state.get(_TOLD, wanted) != wanted or _PREFIX not in st.session_state:
        st.session_state[_PREFIX] = wanted  # somebody followed a link, or went back
        st.session_state[_LABELS] = prefixes(snapshot)
    st.session_state[_DRAWN_AT] = time.monotonic()
    # A click says which label was clicked: it is understood by those that were shown.
    shown = st.session_state[_LABELS]
    if st.session_state[_PREFIX] not in shown:
        st.session_state[_PREFIX] = ALL
    chosen: str = st.pills(
        "Prefix",
        list(shown),
        default=ALL,
        required=True,
        format_func=lambda name: literal(shown.get(name, name)),
        key=_PREFIX,
    )
    if chosen:
        st.query_params[_PREFIX] = chosen
    else:
        st.query_params.pop(_PREFIX, None)
    st.session_state[_TOLD] = chosen
    return chosen or None


def _renew_prefixes() -> None:
    """
    Draw the page again if prefixes or counts are others by now.

    A while after the last whole run, so never within one: ended early it loses what was clicked, and its notices.
    """
    if time.monotonic() - st.session_state[_DRAWN_AT] >= SLOW_TICK:
        now = prefixes(get_runtime().ops.keyspace.snapshot(), st.session_state[_TOLD])
        if st.session_state[_LABELS] != now:
            st.session_state[_LABELS] = now
            st.rerun()


def all_tickers() -> list[str]:
    """Those of all universes: their keys are known without a search."""
    universes = get_runtime().market.universes
    return sorted({ticker for name in universes.names for ticker in universes.get(name)})


def found_keys(patterns: tuple[str, ...], order: str, *, is_small: bool) -> list[Peek]:
    """What the table shows, all pages of it. Raises `InvalidInput`."""
    if is_small:
        return ordered(find_keys(patterns).rows, order)
    search = st.session_state.get("keys_search")
    return ordered(list(search.rows.values()), order) if isinstance(search, KeySearch) else []


@st.fragment(run_every=TICK)
def live_rows(patterns: tuple[str, ...], order: str) -> None:
    """All that matches, of a small store, again and again."""
    _renew_prefixes()
    found = find_keys(patterns)
    if not found.rows:
        st.caption(_NOTHING if found.is_exact else _NOTHING_SEEN)
        return
    entries, table = ordered(found.rows, order), st.container()
    total = f"{len(entries):,}, exact" if found.is_exact else f"the first {len(entries):,} found"
    shown = choose_page(entries, PAGE_ROWS, _PAGE, total)
    with table:
        _table(shown)


@st.fragment(run_every=TICK)
def searched_rows(patterns: tuple[str, ...], names: tuple[str, ...], order: str) -> None:
    """What was found by now of a large store. It is not searched again by itself; what is shown grows older."""
    _renew_prefixes()
    keyspace = get_runtime().ops.keyspace
    search = st.session_state.get("keys_search")
    if not isinstance(search, KeySearch) or (search.patterns, search.names) != (patterns, names):
        search = st.session_state["keys_search"] = begin(keyspace, patterns, names)
        st.session_state[_PAGE] = 1
    if search.rows:
        entries, table = ordered(list(search.rows.values()), order), st.container()
        shown = choose_page(entries, PAGE_ROWS, _PAGE, f"{len(entries):,} found")
        with table:
            _table(ordered(_again(shown), order))
    else:
        is_away = get_runtime().cache.state().is_degraded
        st.caption(_NOTHING_SEEN if is_away else _NOTHING if search.is_over else "Nothing found so far.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_progress(search), width="content")
        if search.may_go_on and st.button("Search on", icon=":material/search:", key="keys_search_on"):
            st.session_state["keys_search"] = go_on(keyspace, search)
            st.rerun()


def _progress(search: KeySearch) -> str:
    if search.is_over:
        is_away = get_runtime().cache.state().is_degraded
        return "Only memory was searched, as Redis is away." if is_away else "All of the store was searched."
    share = "Less than 1 %" if search.done < 0.005 else format_percent(search.done, 0)  # noqa: PLR2004 - would be 0 %
    text = f"{share} of the store searched"
    return text if search.may_go_on else f"{text}; more than {MOST_KEPT:,} keys are not listed here."


def _again(entries: Sequence[Peek]) -> list[Peek]:
    """The same as they are now, without those that are gone; what is foreign tells nothing new."""
    ours = get_runtime().ops.keyspace.page([entry.key for entry in entries if not entry.is_foreign])
    now = {entry.key: entry for entry in ours}
    return [now.get(entry.key, entry) for entry in entries if entry.is_foreign or entry.key in now]


def _table(entries: Sequence[Peek]) -> None:
    opened = st.session_state.get(_OPEN)
    st.dataframe(
        key_table(entries),
        key="keys_table",
        hide_index=True,
        column_config={
            "Key": st.column_config.TextColumn(pinned=True),
            "State": state_column(),
            "Left": st.column_config.ProgressColumn(
                "Left", help="Of its ttl", format=" ", min_value=0, max_value=100, width="small"
            ),
        },
        on_select=choose_by_row("keys_table", [entry.key for entry in entries], _OPEN),
        selection_mode="single-row",
        alt="Keys with their age, remaining time, size and state",
    )
    if opened != st.session_state.get("keys_opened"):  # the page below has to show it
        st.session_state["keys_opened"] = opened
        st.rerun()
