"""A TCP proxy in front of a Redis that refuses, swallows, delays, cuts, repeats or garbles, as a test asks."""

from __future__ import annotations

import math
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from random import Random
from types import TracebackType
from typing import Self

__all__ = [
    "BlackHole",
    "CorruptReply",
    "CutReply",
    "DuplicateReply",
    "Fault",
    "FaultProxy",
    "Latency",
    "LoseReply",
    "Refuse",
    "Reset",
]

_CHUNK = 65_536
_PATIENCE = 5.0
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: new connections get ECONNREFUSED, open ones are reset."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Open connections are reset, new ones as soon as they are accepted."""


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Connections are accepted and stay open; what either side sends is swallowed for good."""


@dataclass(frozen=True, slots=True)
class Latency:
    """All bytes, and the end of a connection, come *seconds* late, each way; connecting takes no time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CutReply:
    """After *after_bytes* further bytes of replies a connection ends, with FIN or RST; *times* connections do."""

    after_bytes: int
    rst: bool = False
    times: int | None = None


@dataclass(frozen=True, slots=True)
class LoseReply:
    """The server acts on the request, its reply and all that follow on that connection are lost (TCP keeps order)."""

    times: int | None = None


@dataclass(frozen=True, slots=True)
class DuplicateReply:
    """A reply is sent twice: from then on, healed or not, a connection answers each request with an earlier answer."""

    times: int | None = None


@dataclass(frozen=True, slots=True)
class CorruptReply:
    """One reply in *every* has one bit flipped, in its frame or in its payload; *seed* says which."""

    every: int = 1
    seed: int = 0


Fault = Refuse | Reset | BlackHole | Latency | CutReply | LoseReply | DuplicateReply | CorruptReply


class FaultProxy:
    """
    Forward 127.0.0.1:`port` to a server until `fault` says otherwise; a context manager.

    Setting `fault` returns when it is in force, for open connections too; None heals. At each change the
    connections that lost bytes are reset: what was swallowed never arrives late. A connection that lost nothing
    lives on. Replies are counted from the change on, those of a client's handshake (HELLO, CLIENT) among them, and
    pass whole; the replication protocol is not understood. A server that cannot be reached shows as a reset.

    One thread owns all sockets; any thread may set `fault` and `upstream_port`.

    Args:
        upstream_port: Where new connections lead. Set it later for a failover; open connections stay.
    """

    def __init__(self, upstream_port: int, *, upstream_host: str = "127.0.0.1") -> None:
        self.upstream_port = upstream_port
        self.upstream_host = upstream_host
        self.connections = 0
        """Connections accepted so far."""
        self._fault: Fault | None = None
        self._links: set[_Link] = set()
        self._late: set[_Link] = set()  # those of them that hold bytes for later
        self._listener: socket.socket | None = None
        self._orders: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        self._is_running = False

    def __enter__(self) -> Self:
        # Bound but never listening: while the proxy refuses, no other socket can get the port, and no client that
        # connects to it can be given the port as its own and so reach itself.
        self._keeper = _bound_to(0)
        self.port: int = self._keeper.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._alarm, self._bell = socket.socketpair()
        self._selector.register(self._bell, _READ, (None, self._obey))
        self._switch(None)
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name=f"fault-proxy-{self.port}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._is_running:
            self._order(self._stop)
        self._thread.join(_PATIENCE)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def open(self) -> int:
        """Connections open now."""
        return len(self._links)

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._order(partial(self._switch, fault))

    def _order(self, action: Callable[[], None]) -> None:
        """Have the proxy's thread do *action*, and wait for it."""
        if not self._is_running:
            raise RuntimeError("the proxy does not run")
        done: Future[None] = Future()
        self._orders.put((action, done))
        self._alarm.send(b"!")
        done.result(_PATIENCE)

    def _run(self) -> None:
        try:
            while self._is_running:
                for link in self._take_turn():
                    self._forward(link)
        finally:
            self._close()

    def _take_turn(self) -> set[_Link]:
        """Wait for something to happen and act on it; return the links that may have bytes to pass on."""
        due_at = min((link.due_at for link in self._late), default=None)
        events = self._selector.select(None if due_at is None else max(0.0, due_at - time.monotonic()))
        touched = set[_Link]()
        for key, mask in events:
            link, read = key.data
            if mask & _READ:
                read()
            touched |= {link} if link else self._links
        now = time.monotonic()
        touched |= {link for link in self._late if link.due_at <= now}
        return touched & self._links

    def _obey(self) -> None:
        self._bell.recv(1)
        action, done = self._orders.get_nowait()
        try:
            action()
        except Exception as exc:  # noqa: BLE001 - it is raised where the order came from
            done.set_exception(exc)
        else:
            done.set_result(None)

    def _stop(self) -> None:
        self._is_running = False

    def _close(self) -> None:
        self._is_running = False
        for link in list(self._links):
            self._drop(link)
        self._deafen()
        self._selector.close()
        for sock in (self._alarm, self._bell, self._keeper):
            sock.close()

    def _switch(self, fault: Fault | None) -> None:
        self._fault = fault
        self._hits_left: int | None = getattr(fault, "times", None)
        self._random = Random(fault.seed if isinstance(fault, CorruptReply) else 0)
        self._replies_seen = 0
        for link in list(self._links):
            if link.is_lost or isinstance(fault, (Refuse, Reset)):
                self._drop(link, rst=True)
            else:
                link.is_lost = link.settle(deliver=not isinstance(fault, BlackHole))
        if isinstance(fault, Refuse):
            self._deafen()
        elif self._listener is None:
            self._listen()

    def _listen(self) -> None:
        self._listener = _bound_to(self.port)
        self._listener.listen(128)
        self._selector.register(self._listener, _READ, (None, self._accept))

    def _deafen(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:  # gone again
            return
        self.connections += 1
        link = _Link(client)
        self._links.add(link)
        if isinstance(self._fault, BlackHole):
            link.is_lost = True
        elif isinstance(self._fault, Reset) or not link.connect(self.upstream_host, self.upstream_port):
            self._drop(link, rst=True)

    def _read_requests(self, link: _Link) -> None:
        if link not in self._links:
            return
        data = link.requests.receive()
        if not isinstance(self._fault, BlackHole):
            link.requests.put(data, self._due_at())
        elif data:
            link.is_lost = True
        else:
            self._drop(link)

    def _read_replies(self, link: _Link) -> None:
        if link not in self._links:
            return
        data = link.replies.receive()
        if link.is_lost or isinstance(self._fault, BlackHole):
            link.is_lost = True
            return
        for reply in link.framing.split(data):
            self._deliver(link, reply)
        if not data and not link.is_lost:
            link.replies.put(link.framing.rest(), self._due_at())
            link.replies.put(b"", self._due_at())

    def _deliver(self, link: _Link, reply: bytes) -> None:
        if link.is_lost:
            return
        match self._fault:
            case CutReply(after_bytes) if link.passed_bytes + len(reply) >= after_bytes and self._hits():
                link.is_lost, link.ends_with_rst = True, self._fault.rst
                link.replies.put(reply[: after_bytes - link.passed_bytes])
                link.replies.put(b"")
            case LoseReply() if self._hits():
                link.is_lost = True
            case DuplicateReply() if self._hits():
                link.replies.put(reply * 2)
            case CorruptReply(every) if self._is_nth(every):
                link.replies.put(_with_a_bit_flipped(reply, self._random))
            case _:
                link.passed_bytes += len(reply)
                link.replies.put(reply, self._due_at())

    def _due_at(self) -> float:
        return time.monotonic() + self._fault.seconds if isinstance(self._fault, Latency) else 0.0

    def _hits(self) -> bool:
        if self._hits_left is None:
            return True
        self._hits_left -= 1
        return self._hits_left >= 0

    def _is_nth(self, every: int) -> bool:
        self._replies_seen += 1
        return self._replies_seen % every == 0

    def _forward(self, link: _Link) -> None:
        now = time.monotonic()
        try:
            is_over = link.requests.flush(now) | link.replies.flush(now)
        except OSError:  # one side has gone
            is_over = True
        if is_over:
            self._drop(link, rst=link.ends_with_rst)
            return
        (self._late.discard if link.due_at == math.inf else self._late.add)(link)
        self._watch(link.client, _interest(link.requests, link.replies), (link, partial(self._read_requests, link)))
        self._watch(link.upstream, _interest(link.replies, link.requests), (link, partial(self._read_replies, link)))

    def _watch(self, sock: socket.socket, events: int, data: tuple[_Link, Callable[[], None]]) -> None:
        key = self._selector.get_map().get(sock)
        if key is None and events:
            self._selector.register(sock, events, data)
        elif key and not events:
            self._selector.unregister(sock)
        elif key and events != key.events:
            self._selector.modify(sock, events, data)

    def _drop(self, link: _Link, *, rst: bool = False) -> None:
        self._links.discard(link)
        self._late.discard(link)
        for sock in (link.client, link.upstream):
            with suppress(KeyError):
                self._selector.unregister(sock)
            if rst:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()


class _Link:
    """A client's connection, the one to the server that belongs to it, and what is on its way between them."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.upstream = socket.socket()
        self.requests = _Way(self.client, self.upstream)
        self.replies = _Way(self.upstream, self.client, is_ended=True)  # until connected
        self.framing = _Framing()
        self.passed_bytes = 0
        self.is_lost = False
        """Whether bytes of it were swallowed: no further reply can pass."""
        self.ends_with_rst = False
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connect(self, host: str, port: int) -> bool:
        self.upstream.settimeout(1.0)
        try:
            self.upstream.connect((host, port))
        except OSError:
            return False
        self.upstream.setblocking(False)
        self.upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies.is_ended = False
        return True

    @property
    def due_at(self) -> float:
        return min(self.requests.due_at, self.replies.due_at)

    def settle(self, *, deliver: bool) -> bool:
        """Deliver what is on its way at once, or drop it; return whether bytes were lost."""
        self.passed_bytes = 0
        lost = [way.settle(deliver=deliver) for way in (self.requests, self.replies)]
        return any(lost)


class _Way:
    """One direction of a link: read from *source*, hold until due, write to *sink*."""

    def __init__(self, source: socket.socket, sink: socket.socket, *, is_ended: bool = False) -> None:
        self._source = source
        self._sink = sink
        self._held: deque[tuple[float, bytes]] = deque()
        self._due = bytearray()
        self._end_is_due = False
        self.is_ended = is_ended

    @property
    def due_at(self) -> float:
        return self._held[0][0] if self._held else math.inf

    @property
    def is_blocked(self) -> bool:
        return bool(self._due)

    def receive(self) -> bytes:
        """Read what has come; b"" at the end of *source*, however it ended."""
        try:
            data = self._source.recv(_CHUNK)
        except OSError:
            data = b""
        self.is_ended = not data
        return data

    def put(self, data: bytes, due_at: float = 0.0) -> None:
        """Hold *data* until *due_at*; b"" is the end."""
        self._held.append((due_at, data))

    def flush(self, now: float) -> bool:
        """Write what is due, as far as *sink* takes it; return whether the end is reached."""
        while self._held and self._held[0][0] <= now:
            _, data = self._held.popleft()
            self._due += data
            self._end_is_due = not data
        if self._due:
            with suppress(BlockingIOError):
                del self._due[: self._sink.send(self._due)]
        return self._end_is_due and not self._due

    def settle(self, *, deliver: bool) -> bool:
        waiting = [(0.0, data) for _, data in self._held]
        self._held.clear()
        if deliver:
            self._held.extend(waiting)
            return False
        is_lossy = bool(waiting or self._due)
        self._due.clear()
        return is_lossy


class _Framing:
    """Split a RESP2 or RESP3 stream into whole replies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._missing = 1
        """Elements until the reply is whole."""

    def split(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while self._missing == 0 or (line_end := self._buffer.find(b"\r\n", self._at)) >= 0:
            if self._missing:
                self._take_header(line_end)
            elif self._at <= len(self._buffer):
                yield self.rest(self._at)
                self._at, self._missing = 0, 1
            else:
                return

    def rest(self, size: int | None = None) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _take_header(self, line_end: int) -> None:
        kind, length = chr(self._buffer[self._at]), self._buffer[self._at + 1 : line_end]
        self._missing -= 1
        self._at = line_end + 2
        if kind in "$=!" and int(length) >= 0:
            self._at += int(length) + 2
        elif kind in "*~>":
            self._missing += max(0, int(length))
        elif kind in "%|":  # an attribute stands before the reply it describes
            self._missing += 2 * int(length) + (kind == "|")


def _interest(outgoing: _Way, incoming: _Way) -> int:
    """Wait for what a socket still has to say, and for room if it is slow to take what waits for it."""
    return (0 if outgoing.is_ended else _READ) | (_WRITE if incoming.is_blocked else 0)


def _bound_to(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


def _with_a_bit_flipped(reply: bytes, random: Random) -> bytes:
    flipped = bytearray(reply)
    bit = random.randrange(len(reply) * 8)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
