"""A server that was given its socket sends answers as promptly as one that made it itself."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette

from avcache.api.listeners import send_at_once
from tests.api.conftest import Serve
from tests.ops.graph import wait_until


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A socket as `uvicorn --workers` binds it: nobody said that it speaks TCP, so asyncio does not see that."""
    with socket.socket(socket.AF_INET) as made:
        made.bind(("127.0.0.1", 0))
        yield made


@contextmanager
def running(app: Starlette, listener: socket.socket) -> Iterator[uvicorn.Server]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield server
    finally:
        server.should_exit = True
        thread.join(10)


def is_prompt(link: socket.socket) -> bool:
    return link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_no_answer_waits_for_an_acknowledgement(serve: Serve, bound: socket.socket) -> None:
    link = http.client.HTTPConnection("127.0.0.1", bound.getsockname()[1], timeout=20)

    with running(serve().app, bound) as server:
        link.request("GET", "/api/v1/cache/info")
        answer = link.getresponse()
        answer.read()
        accepted = [one.transport.get_extra_info("socket") for one in server.server_state.connections]
        prompt = [is_prompt(one) for one in accepted]
        link.close()

    assert answer.status == 200
    assert prompt == [True]


def test_what_is_accepted_later_inherits_it(bound: socket.socket) -> None:
    before = is_prompt(bound)
    send_at_once()
    bound.listen()

    with socket.create_connection(bound.getsockname()), bound.accept()[0] as accepted:
        assert (before, is_prompt(accepted)) == (False, True)


def test_other_sockets_and_files_stay_as_they_are() -> None:
    left, right = socket.socketpair()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    reader, writer = os.pipe()

    with left, right, datagrams, os.fdopen(reader, "rb") as outlet:
        send_at_once()
        left.sendall(b"still open")
        os.write(writer, b"as well")
        os.close(writer)

        assert right.recv(100) == b"still open"
        assert outlet.read() == b"as well"
        assert datagrams.fileno() >= 0
