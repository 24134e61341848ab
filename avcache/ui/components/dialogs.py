"""What a whole run of the page would take away: a dialog that is open, and what was said just before it."""

from __future__ import annotations

from typing import Final

import streamlit as st

__all__ = ["begin_run", "is_dialog_open", "note_dialog", "tell_after_rerun"]

_OPEN: Final = "dialog_open"
_TOLD: Final = "told_after_rerun"


def begin_run() -> None:
    """A whole run of a page begins: dialogs are shut by it, and what was to be told is told."""
    st.session_state.pop(_OPEN, None)
    for text in st.session_state.pop(_TOLD, ()):
        st.toast(text)


def note_dialog() -> None:
    """
    A dialog is open; to be called within it.

    Its `on_dismiss` has to be "rerun": nothing but a whole run tells that it was closed.
    """
    st.session_state[_OPEN] = True


def is_dialog_open() -> bool:
    """Whether somebody is busy in a dialog, which `st.rerun` of a part that runs by itself would close."""
    return bool(st.session_state.get(_OPEN))


def tell_after_rerun(text: str) -> None:
    """Say *text* (Markdown) in the next whole run: what is said just before `st.rerun` never reaches the browser."""
    st.session_state[_TOLD] = [*st.session_state.get(_TOLD, ()), text]
