"""One look at everything that the doctor wants to know, shared by all who ask."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from avcache.clock import Clock
from avcache.core.cache import Cache
from avcache.errors import BackendError
from avcache.forks import renew_in_children
from avcache.ops.doctor import DoctorFacts, Finding, NamespaceFacts, SettingFacts, examine, hour_and_yesterday
from avcache.ops.forecast import forecast
from avcache.ops.keyspace import Keyspace
from avcache.ops.outages import Outages
from avcache.ops.server import ServerView
from avcache.ops.snapshot import Snapshot

__all__ = ["Checkup"]

_LIVES: Final = 1.5
_REMEMBERED_EVERY: Final = 60.0
_EARLIER: Final = 120.0
_EARLIEST: Final = 900.0
_OUTAGES_OF: Final = 3600.0


class Checkup:
    """
    Args:
        look: Describes the store.
        other_workers: Processes with a cache in memory of their own, None where that cannot be known.
        clock: Measures; *wall* dates.
    """

    def __init__(
        self,
        cache: Cache,
        keyspace: Keyspace,
        outages: Outages,
        look: Callable[[], ServerView],
        *,
        other_workers: Callable[[], Sequence[int] | None],
        settings: SettingFacts,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._cache = cache
        self._keyspace = keyspace
        self._outages = outages
        self._look = look
        self._other_workers = other_workers
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self.begin_anew()
        renew_in_children(self)
        self._shared: tuple[float, ServerView] | None = None
        self._earlier: deque[tuple[float, ServerView]] = deque()

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent holds the lock."""
        self._mutex = threading.Lock()

    def view(self) -> ServerView:
        """The store as it is now, not older than a moment."""
        with self._mutex:
            now = self._clock()
            if self._shared is None or now - self._shared[0] > _LIVES:
                self._shared = (now, self._look())
                self._remember(now, self._shared[1])
            return self._shared[1]

    def findings(self) -> tuple[Finding, ...]:
        """What deserves an operator's attention, most severe first."""
        view, now = self.view(), self._wall()
        snapshot = self._keyspace.snapshot(max_age=5.0)
        hour, yesterday = hour_and_yesterday(self._cache.analytics.figures, now)
        return examine(
            DoctorFacts(
                state=self._cache.state(),
                now=now,
                server=view,
                earlier=self._earlier_view(),
                other_workers=self._other_workers(),
                outages=self._outages_since(now - _OUTAGES_OF),
                namespaces=_namespaces(snapshot),
                cliffs=forecast(snapshot, age=max(0.0, now - snapshot.taken_at)).cliffs,
                hour=hour,
                yesterday=yesterday,
                settings=self._settings,
            )
        )

    def _remember(self, now: float, view: ServerView) -> None:
        if not self._earlier or now - self._earlier[-1][0] >= _REMEMBERED_EVERY:
            self._earlier.append((now, view))
        while self._earlier and now - self._earlier[0][0] > _EARLIEST:
            self._earlier.popleft()

    def _earlier_view(self) -> ServerView | None:
        now = self._clock()
        return next((view for at, view in self._earlier if now - at >= _EARLIER), None)

    def _outages_since(self, moment: float) -> list[float]:
        try:
            return self._outages.times(moment)
        except BackendError:
            return []


def _namespaces(snapshot: Snapshot) -> list[NamespaceFacts]:
    return [
        NamespaceFacts(one.name, one.keys, one.size, one.endless, one.foreign, one.biggest)
        for one in snapshot.namespaces.values()
    ]
