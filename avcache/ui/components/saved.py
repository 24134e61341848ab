"""Portfolios kept under a name: open one, save what is analysed, forget one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from avcache.errors import CacheError, InvalidInput, SerializationError
from avcache.formats import counted
from avcache.market.holdings import Holding
from avcache.ui.components.access import ACTOR, is_unlocked, may_act
from avcache.ui.components.dialogs import note_dialog
from avcache.ui.resources import get_runtime, look_at_backend
from avcache.ui.words import literal, sentence

__all__ = ["open_from_address", "saved_portfolios", "what_failed"]

_CHOSEN = "portfolio_saved"
_NAME = "portfolio_name"
_SAID = "portfolio_said"
_FAILED = "portfolio_failed"
_UNREADABLE = "Another release wrote them: this one can neither read nor change them. Run the same release everywhere."
_REFUSED = "The store refuses. Server says why, and what to do; what is entered here can be analysed all the same."
_Take = Callable[[Mapping[str, Holding]], None]


def open_from_address(take: _Take, *, is_first: bool) -> None:
    """Open the portfolio that the address names, when the page *is_first* drawn."""
    name = st.query_params.get(_CHOSEN, "")
    if is_first and name and is_unlocked() and _is_there():
        _open(name, take)


def saved_portfolios(holdings: Mapping[str, Holding], take: _Take) -> None:
    """What is saved, shared by all who use this console; *holdings* is what can be saved now."""
    if not _is_there():
        st.caption(
            "Saved portfolios are on the server, which is away. What is entered here can be analysed all the same."
        )
        return
    if not is_unlocked():
        st.caption("Saved portfolios can be opened and changed by those who have the token.")
        may_act()
        return
    try:
        names = [one.name for one in get_runtime().ops.saved.list()]
    except CacheError as exc:
        st.error(literal(sentence(_why(exc))), title="The saved portfolios cannot be read")
        return
    if names:
        _choose(names, take)
    else:
        st.caption("Nothing is saved yet. Analyse what you hold, then keep it here under a name.")
    _save(holdings)


def _choose(names: list[str], take: _Take) -> None:
    if st.session_state.get(_CHOSEN) not in {None, *names}:
        st.session_state[_CHOSEN] = None  # removed: the address must not name it any more
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Saved portfolio",
            names,
            index=None,
            key=_CHOSEN,
            bind="query-params",
            placeholder="Choose one to open it",
            on_change=lambda: _open(st.session_state[_CHOSEN], take),
            width=320,
        )
        if chosen is not None and st.button("Remove", icon=":material/delete:"):
            _confirm_removal(chosen)


def _open(name: str | None, take: _Take) -> None:
    if name is None:
        return
    try:
        take(get_runtime().ops.saved.load(name).holdings)
    except InvalidInput:
        st.session_state[_FAILED] = f"No portfolio is saved as {name}; it may have been removed"
    except CacheError as exc:
        _fail(exc)


def _save(holdings: Mapping[str, Holding]) -> None:
    with st.form("portfolio_save", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Save what is analysed as", max_chars=60, key=_NAME, width=320)
        # In a callback: the names above are read after it.
        st.form_submit_button(
            "Save",
            icon=":material/save:",
            disabled=not holdings,
            on_click=lambda: _keep(st.session_state[_NAME], holdings),
        )
    st.caption("Shared by all who use this console. A name that is taken is replaced.")
    if said := st.session_state.pop(_SAID, None):
        st.success(literal(said), icon=":material/save:")


def _keep(name: str, holdings: Mapping[str, Holding]) -> None:
    if not holdings or not is_unlocked():
        return
    try:
        made = get_runtime().ops.saved.save(name, holdings, by=ACTOR)
    except CacheError as exc:
        _fail(exc)
        return
    get_runtime().ops.audit.record(ACTOR, "save portfolio", made.name, done=len(made.holdings))
    st.session_state[_SAID] = f"Saved {counted(len(made.holdings), 'position')} as {made.name}"


@st.dialog("Remove the saved portfolio?", icon=":material/delete:", on_dismiss="rerun")
def _confirm_removal(name: str) -> None:
    note_dialog()
    st.write(f"{literal(name)} will be gone for all who use this console. What is analysed now stays on the page.")
    with st.container(horizontal=True):
        if st.button("Remove it", type="primary") and is_unlocked():
            try:
                get_runtime().ops.saved.remove(name)
            except CacheError as exc:
                _say(_why(exc))
                return
            get_runtime().ops.audit.record(ACTOR, "remove portfolio", name)
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def what_failed() -> None:
    """Why a portfolio could not be opened or saved; below the tabs, which would begin at the first one again."""
    if why := st.session_state.pop(_FAILED, None):
        _say(why)


def _fail(error: CacheError) -> None:
    st.session_state[_FAILED] = _why(error)


def _why(error: CacheError) -> str:
    """What happened, and what to do."""
    if isinstance(error, InvalidInput):
        return error.allowed
    return _UNREADABLE if isinstance(error, SerializationError) else _REFUSED


def _say(why: str) -> None:
    st.error(literal(sentence(why)), title="That did not work")


def _is_there() -> bool:
    """Whether the store they are on answers; a page does not wait for one that is known to be away."""
    return not look_at_backend().is_degraded
