"""Nodes on one Redis, each behind a proxy of its own, and what may happen to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from avcache.backends.barriers import Barriers
from avcache.backends.connect import connect
from avcache.backends.memory import MemoryBackend
from avcache.backends.redis import RedisBackend
from avcache.backends.resilient import ResilientBackend
from avcache.clock import ManualClock
from avcache.core.cache import Cache
from avcache.core.keys import DEFAULT_NAMESPACE, Namespace, Namespaces
from avcache.core.store import CacheLimits
from tests.proxy import FaultProxy, Refuse, Reset

__all__ = ["TAGS", "TTL", "Load", "Node", "World", "world"]

TTL = 300.0
TAGS: Mapping[str, tuple[str, ...]] = {"price:A": ("x",), "price:B": ("x", "y"), "user:A": ("y",)}
"""The keys of the game, and the tags of their entries."""

_PATIENCE = 5.0


class Load:
    """A load in a thread of its own: it reads its source when it begins, and brings what it read when it is let go."""

    def __init__(self, cache: Cache, key: str, read_source: Any) -> None:
        self.key = key
        self.began = threading.Event()
        self.ended = threading.Event()
        self._go_on = threading.Event()
        self._cache = cache
        self._read_source = read_source
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        # It may also be waiting for the load of the other node, or have found a value.
        for _ in range(100):
            if self.began.wait(0.002) or self.ended.is_set():
                break

    def finish(self, patience: float = 0.2) -> None:
        self._go_on.set()
        self.ended.wait(patience)

    def _run(self) -> None:
        try:
            self._cache.get_or_load(self.key, self._load, ttl=TTL, tags=TAGS[self.key], stale="refuse")
        except BaseException as exc:  # noqa: BLE001 - looked at by the one who started it
            self.error = exc
        finally:
            self.ended.set()

    def _load(self) -> Any:
        value = self._read_source(self.key)
        self.began.set()
        self._go_on.wait(_PATIENCE)
        return value


@dataclass
class Node:
    """One process' cache, and its way to the server."""

    proxy: FaultProxy
    cache: Cache
    backend: ResilientBackend
    loads: list[Load] = field(default_factory=list)

    @property
    def is_away(self) -> bool:
        return self.backend.state().is_degraded

    def break_off(self) -> None:
        self.proxy.fault = Refuse()

    def heal(self) -> bool:
        self.proxy.fault = None
        return self.backend.probe()


class World:
    """Two nodes, the server they share, and a second one that an older copy of it can be put on."""

    def __init__(self, servers: tuple[int, int], prefix: str, stack: ExitStack) -> None:
        self.prefix = prefix
        self.clock = ManualClock()
        self._clients = [stack.enter_context(redis.Redis(port=port)) for port in servers]
        self._ports = servers
        self._serving = 0
        self.nodes = [self._node(stack, servers[0]) for _ in range(2)]
        stack.callback(self._clean)

    def _node(self, stack: ExitStack, port: int) -> Node:
        proxy = stack.enter_context(FaultProxy(port))
        barriers = Barriers()
        client = connect(f"redis://127.0.0.1:{proxy.port}/0", timeout=1.0, max_connections=10)
        backend = ResilientBackend(
            RedisBackend(client, self.prefix, barriers=barriers, wall=self.clock),
            MemoryBackend(barriers=barriers, wall=self.clock),
            probe_interval=3600,
            wall=self.clock,
        )
        cache = Cache(
            backend,
            Namespaces(Namespace(DEFAULT_NAMESPACE, TTL), [Namespace("price", TTL), Namespace("user", TTL)]),
            limits=CacheLimits(jitter=0, load_wait=_PATIENCE, failure_throttle=0),
            wall=self.clock,
        )
        stack.callback(cache.close)
        return Node(proxy, cache, backend)

    def copy(self) -> dict[bytes, bytes]:
        """What the server has now."""
        client = self._clients[self._serving]
        return {name: client.dump(name) for name in client.scan_iter(match=f"{self.prefix}*")}

    def restart_empty(self) -> None:
        """The server has lost everything, as after a restart without a disk."""
        client = self._clients[self._serving]
        for name in list(client.scan_iter(match=f"{self.prefix}*")):
            client.unlink(name)

    def fail_over(self, copy: Mapping[bytes, bytes]) -> None:
        """The other server takes over, with an older copy."""
        self._serving = 1 - self._serving
        client = self._clients[self._serving]
        for name in list(client.scan_iter(match=f"{self.prefix}*")):
            client.unlink(name)
        for name, dumped in copy.items():
            client.restore(name, 600_000, dumped)
        for node in self.nodes:
            fault = node.proxy.fault
            node.proxy.fault = Reset()
            node.proxy.upstream_port = self._ports[self._serving]
            node.proxy.fault = fault

    def _clean(self) -> None:
        for client in self._clients:
            for name in list(client.scan_iter(match=f"{self.prefix}*")):
                client.unlink(name)


@contextmanager
def world(servers: tuple[int, int], prefix: str) -> Iterator[World]:
    """A world, which is tidied up afterwards."""
    with ExitStack() as stack:
        made = World(servers, prefix, stack)
        try:
            yield made
        finally:
            for node in made.nodes:
                node.proxy.fault = None
                for load in node.loads:
                    load.finish(0)
                for load in node.loads:
                    load.ended.wait(_PATIENCE)
