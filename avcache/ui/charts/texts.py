"""Somebody's texts in a figure. Pure."""

from __future__ import annotations

__all__ = ["plain"]


def plain(text: str) -> str:
    """*text* for a place where Plotly would read tags, links among them. It knows no entity for a quote."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
