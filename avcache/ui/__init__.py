"""The console: view models and charts (pure), and the few helpers that know Streamlit."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ICON", "PAGES", "SHELL"]

SHELL = Path(__file__).with_name("shell.py")
"""The script that Streamlit runs."""

PAGES = Path(__file__).parents[2] / "pages"
"""Where the pages are."""

ICON = Path(__file__).with_name("icon.png")
"""Shipped, so that no browser has to ask another site for it."""
