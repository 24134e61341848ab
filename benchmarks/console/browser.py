"""One browser tab on the console, as the server sees it: a full run, then every live part again at its interval."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Broken", "Run", "Tab", "open_tab"]

_PATIENCE = 60.0


class Broken(Exception):
    """A page showed an exception."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    What one run of the script brought.

    Attributes:
        seconds: From the request to the word that it is done.
        intervals: Seconds between two ticks, by the live part that asks for them.
        size: Bytes.
    """

    seconds: float
    intervals: dict[str, float]
    size: int


class Tab:
    """Speaks Streamlit's protocol (one protobuf per websocket message). *page* is the name in the address."""

    def __init__(self, link: ClientConnection, page: str) -> None:
        self._link = link
        self._page = page

    async def run(self, fragment: str = "") -> Run:
        """
        Run the page, or the *fragment* of it that is due.

        Raises:
            Broken: The page showed an exception.
            TimeoutError: It was not done after a minute.
        """
        begun = time.perf_counter()
        await self._link.send(self._request(fragment))
        intervals, size = dict[str, float](), 0
        while True:
            data = await asyncio.wait_for(self._link.recv(decode=False), _PATIENCE)
            size += len(data)
            message = ForwardMsg.FromString(bytes(data))
            match message.WhichOneof("type"):
                case "auto_rerun":
                    intervals[message.auto_rerun.fragment_id] = message.auto_rerun.interval
                case "delta":
                    _check(message)
                case "script_finished":
                    return Run(time.perf_counter() - begun, intervals, size)

    def _request(self, fragment: str) -> bytes:
        asked = BackMsg()
        asked.rerun_script.page_name = self._page
        asked.rerun_script.fragment_id = fragment
        return bytes(asked.SerializeToString())


@asynccontextmanager
async def open_tab(port: int, page: str = "") -> AsyncIterator[Tab]:
    """A tab on *page* of the console on this machine; nothing has run yet."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None, open_timeout=_PATIENCE) as link:  # type: ignore[list-item]
        yield Tab(link, page)


def _check(message: ForwardMsg) -> None:
    element = message.delta.new_element
    if message.delta.WhichOneof("type") == "new_element" and element.WhichOneof("type") == "exception":
        raise Broken(element.exception.message)
