"""What a page shows, read from all that it sends to the browser; and texts that must be shown as no more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]
from streamlit.testing.v1 import AppTest

__all__ = ["NAMES", "TEXTS", "markdown_of", "markup_in"]

NAMES: Final = (
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    ":red[boo] :material/dangerous:",
    "$latex$ **bold** `tick`",
    "=1+1",
    "a -> https://evil.example",
    "שלום",
)
"""Printable, and short enough to be the name of anything."""

TEXTS: Final = (*NAMES, "\u202egnp.exe", "# head\n===", "+cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "\t=1")
"""Whatever else somebody may write where lines and marks are allowed."""

_AS_IT_IS: Final = frozenset(
    {
        *("Code.code_text", "Json.body", "PlotlyChart.spec", "PlotlyChart.config", "PlotlyChart.alt"),
        *("Dataframe.columns", "Dataframe.column_order", "Dataframe.alt", "Dataframe.placeholder"),
        *("Selectbox.options", "Selectbox.raw_value", "Selectbox.placeholder"),
        *("MultiSelect.options", "MultiSelect.raw_values", "MultiSelect.placeholder"),
        *("TextInput.default", "TextInput.value", "TextInput.placeholder"),
        *("TextArea.default", "TextArea.value", "TextArea.placeholder"),
        *("ButtonGroup.raw_values", "DownloadButton.url", "PageLink.query_string", "PageLink.page"),
    }
)
"""What the browser shows as text, or not at all; every other field of Streamlit counts as Markdown."""

_HIDDEN: Final = frozenset({"id", "form_id", "user_key", "element_id", "deferred_file_id", "query_param_key"})
_ESCAPED: Final = re.compile(r"\\[!-/:-@\[-`{-~]")
_MARKUP: Final = re.compile(
    r"<img|\]\(java|:red\[boo|:material/dangerous|\$latex\$|\*\*bold|`tick|(?<!\S)->(?!\S)|[:\0]//evil|__bold__"
    r"|(?m:^# head|^===)"
)


def markdown_of(app: AppTest) -> list[str]:
    """Every text of the page that Streamlit reads as Markdown: bodies, labels, helps, titles, options of pills."""
    messages = [proto for node in app._tree if isinstance(proto := getattr(node, "proto", None), Message)]
    return [text for message in messages for text in _texts(message)]


def markup_in(text: str) -> str | None:
    """What of `TEXTS` (or of a namespace `__bold__`) would be markup in *text*, read as Markdown."""
    found = _MARKUP.search(_ESCAPED.sub("\0", text))
    return None if found is None else found.group()


def _texts(message: Message) -> Iterator[str]:
    kind = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        if field.name in _HIDDEN or f"{kind}.{field.name}" in _AS_IT_IS:
            continue
        for one in value if field.is_repeated else [value]:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                yield from _texts(one)
            elif field.type == FieldDescriptor.TYPE_STRING:
                yield one
