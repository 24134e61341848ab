"""What becomes of a load: its value is kept, unless it was overtaken; its failure is remembered for a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from avcache.backends.base import Begun, Lease
from avcache.core import serializers
from avcache.core.entry import Head, encode
from avcache.core.store import EntryStore, Place
from avcache.errors import Absent, BackendError, InvalidInput, SerializationError

__all__ = ["Failures", "Keeping", "LoadPlan", "Outcome", "StalePolicy", "Ttl"]

StalePolicy = Literal["serve", "on_error", "refuse"]
Ttl = float | Callable[[Any], float | None] | None
"""Seconds; or a function of the value that tells them; None: what the namespace says."""

_FAILURES_KEPT: Final = 1_000
_LONGEST_REASON: Final = 1_000


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """
    One call of `get_or_load`, checked: the key and what its value is to be kept as.

    *ttl_of* has the value tell its ttl, or leave it (None) at *ttl*. *is_forced*: what is cached is no answer.
    """

    place: Place
    ttl: float
    stale_ttl: float
    source: str
    tags: tuple[str, ...]
    stale: StalePolicy
    is_forced: bool = False
    ttl_of: Callable[[Any], float | None] | None = None

    @property
    def key(self) -> str:
        return self.place.text


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a load brought; *payload* are its bytes, None if it has none.

    *is_overtaken*: an invalidation or a `set` came after its beginning. It is for the one who loaded it, and for nobody
    who came later.
    """

    value: Any
    payload: bytes | None
    is_overtaken: bool = False


class Keeping:
    """Keeps in *store* what was loaded. *randomness* returns 0..1 for the jitter."""

    def __init__(self, store: EntryStore, randomness: Callable[[], float]) -> None:
        self._store = store
        self._random = randomness

    def keep(self, plan: LoadPlan, value: object, begun: Begun, took: float) -> Outcome:
        """Store what was loaded, unless it was invalidated or set meanwhile."""
        try:
            payload = serializers.dumps(value)
        except SerializationError as exc:
            self._store.refuse(plan.key, str(exc))
            return _not_kept(Outcome(value, None), begun.lease)
        try:
            ttl = self._seconds(plan, value) * (1 - self._store.limits.jitter * self._random())
        except BaseException:
            _release(begun.lease)
            raise
        now = self._store.wall()
        head = Head(plan.key, now, now + ttl, took, plan.tags, plan.source, begun.version)
        data = encode(head, payload)
        if not self._store.fits(plan.key, data):
            return _not_kept(Outcome(value, payload), begun.lease)
        return Outcome(value, payload, is_overtaken=not self._stored(plan, begun, data, ttl + plan.stale_ttl))

    def keep_absent(self, plan: LoadPlan, absent: Absent, begun: Begun) -> None:
        """Store that there is nothing, and why; for a time that is none, nothing is kept."""
        try:
            ttl = plan.ttl if absent.ttl is None else self._store.limits.seconds("ttl", absent.ttl)
        except InvalidInput as exc:
            self._store.refuse(plan.key, str(exc))
            _release(begun.lease)
            return
        now = self._store.wall()
        head = Head(plan.key, now, now + ttl, None, plan.tags, plan.source, begun.version, is_absent=True)
        self._stored(plan, begun, encode(head, serializers.dumps(_text(absent.reason))), ttl)

    def _seconds(self, plan: LoadPlan, value: object) -> float:
        told = None if plan.ttl_of is None else plan.ttl_of(value)
        return plan.ttl if told is None else self._store.limits.seconds("ttl", told)

    def _stored(self, plan: LoadPlan, begun: Begun, data: bytes, ttl: float) -> bool:
        """False if the load was overtaken; what could not be kept for other reasons was not."""
        if not self._store.backend.barriers.allows(plan.key, plan.tags, begun.version):
            _release(begun.lease)
            return False
        if begun.lease is None:
            self._store.refuse(plan.key, str(begun.refused or "its load had no lease"))
            return True
        try:
            is_stored = begun.lease.store(data, ttl)
        except BackendError as exc:
            self._store.refuse(plan.key, str(exc))
            return True
        if is_stored:
            self._store.kept(plan.place, begun.version, plan.tags, len(data), ttl)
        return is_stored


class Failures:
    """The loads that failed a moment ago, which are not tried again yet."""

    def __init__(self, store: EntryStore) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[float, Exception]] = {}

    def recent(self, plan: LoadPlan) -> Exception | None:
        """What the plan's load raised, if that was a moment ago."""
        found = self._known.get((plan.key, plan.source))
        if found is None:
            return None
        if self._store.wall() < found[0]:
            return found[1]
        self._known.pop((plan.key, plan.source), None)
        return None

    def note(self, plan: LoadPlan, exc: Exception) -> None:
        """Count a failure, and remember it."""
        plan.place.counts.load_failures += 1
        throttle = self._store.limits.failure_throttle
        if throttle:
            now = self._store.wall()
            # An exception holds the frames it came through, and all that these held: not for longer than it is needed.
            for known in [known for known, (until, _) in list(self._known.items()) if until <= now]:
                self._known.pop(known, None)
            if len(self._known) >= _FAILURES_KEPT:
                self._known.clear()
            self._known[plan.key, plan.source] = (now + throttle, exc)

    def forget(self, keys: frozenset[str]) -> None:
        """Let loads of *keys* be tried at once."""
        for known in [known for known in list(self._known) if known[0] in keys]:
            self._known.pop(known, None)


def _text(reason: object) -> str:
    """*reason* as a text that can be kept, whatever it is."""
    try:
        return str(reason)[:_LONGEST_REASON].encode(errors="replace").decode()
    except Exception:  # noqa: BLE001 - a loader's own class may fail at this
        return type(reason).__name__


def _not_kept(outcome: Outcome, lease: Lease | None) -> Outcome:
    """No older value may go on answering in its place."""
    if lease is not None:
        lease.discard()
    return outcome


def _release(lease: Lease | None) -> None:
    if lease is not None:
        lease.release()
