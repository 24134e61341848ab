"""One entry, looked into."""

from __future__ import annotations

import json
from typing import Any, Final

import pandas as pd
import streamlit as st

from avcache.backends.base import MISS
from avcache.core.peek import Peek
from avcache.errors import CacheError, InvalidInput, ProviderError
from avcache.formats import format_age
from avcache.market.scoring import Score
from avcache.ui.components.access import ACTOR, is_unlocked, may_act
from avcache.ui.components.aging import aging_caption
from avcache.ui.components.dialogs import tell_after_rerun
from avcache.ui.components.lens import show_comparison, show_holdings, show_lens
from avcache.ui.components.tables import value_button
from avcache.ui.entry import SHOWN_ROWS, describe, named_apart, tables_in, text_of
from avcache.ui.lens import Lens, lens_of, plain
from avcache.ui.resources import find_keys, get_runtime
from avcache.ui.words import literal

__all__ = ["open_entry"]

_TREE_MOST: Final = 200_000
_RENEWED: Final = frozenset({"price", "momentum"})


def open_entry(key: str) -> None:
    """Show one entry: what is known of it, what it means, its value as data and never as markup; and act on it."""
    cache = get_runtime().cache
    try:
        entry = cache.peek(key)
    except InvalidInput as exc:  # it was typed
        st.error(literal(str(exc)))
        return
    if entry is None:
        st.caption("This key is not in the cache any more.")
        return
    with st.container(border=True):
        st.markdown(f"**{literal(entry.key)}**")
        aging_caption(entry, lambda aged, _now: describe(aged))
        if entry.tags:
            st.caption(literal(f"Tags: {', '.join(entry.tags)}"))
        value = MISS if entry.is_foreign else cache.peek_value(key)
        if entry.is_absent:
            st.caption(literal(f"Cached is that there is nothing: {cache.why_absent(key) or 'no longer known why'}"))
        elif not entry.is_foreign:
            _show(entry, value)
        _actions(entry, value)


def _show(entry: Peek, value: object) -> None:
    if value is MISS:
        st.caption("The value cannot be read.")
        return
    lens = lens_of(entry.namespace, value)
    views = _views(entry, lens)
    view = views[0]
    if len(views) > 1:
        view = st.segmented_control(
            "View",
            views,
            default=views[0],
            required=True,
            key="keys_view",
            bind="query-params",
            label_visibility="collapsed",
        )
    if view == "Compare" and isinstance(lens, Score):
        show_comparison(lens)
    elif view == "Value":
        _raw(value)
    elif lens is None:
        show_holdings(entry)
    else:
        show_lens(lens)


def _views(entry: Peek, lens: Lens) -> list[str]:
    if isinstance(lens, Score):
        return ["Meaning", "Value", "Compare"]
    return ["Meaning", "Value"] if lens is not None or entry.namespace == "portfolio" else ["Value"]


def _raw(value: object) -> None:
    """As data: a tree where JSON knows it, tables as tables, else the text that Python writes."""
    for table in tables_in(value):
        st.dataframe(named_apart(table.tail(SHOWN_ROWS)), alt="The last rows of a table in this value")
        if len(table) > SHOWN_ROWS:
            st.caption(f"The last {SHOWN_ROWS} of {len(table):,} rows.")
    if isinstance(value, pd.DataFrame):
        return
    if isinstance(value, dict | list) and value:
        tree = json.dumps(plain(_without_tables(value)))
        if len(tree) <= _TREE_MOST:
            st.json(tree, expanded=2)
            return
    st.code(text_of(value), language=None, wrap_lines=True)


def _without_tables(value: dict[Any, Any] | list[Any]) -> object:
    """What is left to show where the tables are shown already."""
    if isinstance(value, list):
        return [part for part in value if not isinstance(part, pd.DataFrame)]
    return {name: part for name, part in value.items() if not isinstance(part, pd.DataFrame)}


def _actions(entry: Peek, value: object) -> None:
    may = may_act()
    with st.container(horizontal=True, vertical_alignment="center"):
        if may and entry.namespace in _RENEWED and not entry.is_foreign:
            _reload_button(entry)
        if may and not entry.is_foreign and st.button("Delete this key", icon=":material/delete:", key="open_delete"):
            _delete(entry)
        if value is not MISS:
            value_button("Value as JSON", value, entry.key)


def _reload_button(entry: Peek) -> None:
    is_due = entry.is_stale or entry.is_expiring or entry.is_absent
    why = "Loads it anew." if is_due else f"Fresh for {format_age(entry.ttl_left)}: nothing is newer. Or delete it."
    if st.button("Reload", icon=":material/refresh:", key="open_reload", disabled=not is_due, help=why):
        _reload(entry)


def _reload(entry: Peek) -> None:
    """Load one ticker anew; what is stale stays until that has worked."""
    if not is_unlocked():
        return
    runtime = get_runtime()
    ticker, _, profile = entry.key.partition(":")[2].partition("@")
    try:
        if entry.namespace == "price":
            runtime.market.price(ticker, stale="renew")
        elif profile:
            runtime.market.score(ticker, profile=profile, stale="renew")
        else:
            runtime.market.score(ticker, stale="renew")
    except (ProviderError, CacheError) as exc:
        st.toast(literal(f"Not reloaded: {exc}"))
        return
    runtime.ops.audit.record(ACTOR, "reload", entry.key, done=1)
    tell_after_rerun(f"Reloaded {literal(entry.key)}")
    find_keys.clear()
    st.rerun()


def _delete(entry: Peek) -> None:
    if not is_unlocked():
        return
    runtime = get_runtime()
    gone = runtime.cache.delete(entry.key)
    runtime.ops.audit.record(ACTOR, "delete", entry.key, planned=1, done=int(gone))
    tell_after_rerun(literal(f"Deleted {entry.key}" if gone else f"{entry.key} was gone already"))
    find_keys.clear()
    st.rerun()
