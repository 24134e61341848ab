"""Pages run by Streamlit without a browser, what they show, and texts that must be shown as no more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]
from streamlit.testing.v1 import AppTest

from avcache import runtime
from avcache.ui import PAGES, SHELL

__all__ = ["NAMES", "TEXTS", "labels", "markdown_of", "markup_in", "open_page", "press", "texts", "warm"]

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
    r"|(?m:^# head|^===)|(?:\A|\n\n)(?: {4}|\t)|[\u202a-\u202e]"
)


def open_page(name: str, **query: str) -> AppTest:
    """The page of this *name*, opened at an address with this *query*."""
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(PAGES / f"{name}.py")).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def labels(app: AppTest) -> list[str]:
    """What stands on the buttons."""
    return [button.label for button in app.button]


def texts(app: AppTest) -> str:
    """What somebody reads, without the marks that keep it from being Markdown."""
    kinds = (app.markdown, app.caption, app.subheader, app.warning, app.success, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def warm(*tickers: str) -> None:
    assert runtime.shared().ops.warmup.start(tickers).wait(30)


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
