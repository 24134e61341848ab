"""Get or load: who loads, who waits, who is served a stale value meanwhile, and what is kept of it."""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from avcache.backends.base import MISS, Begun, Blob, Lease
from avcache.core import serializers
from avcache.core.batch import Crew
from avcache.core.entry import source_bytes
from avcache.core.keeping import Failures, Keeping, LoadPlan, Outcome
from avcache.core.singleflight import Flight, Inside, SingleFlight
from avcache.core.steps import Ask, Interrupted, Load, Story, TooLong, Wait, carry_out, carry_out_async
from avcache.core.store import EntryStore, as_blob
from avcache.errors import Absent, BackendError
from avcache.forks import renew_in_children

if TYPE_CHECKING:
    import asyncio

__all__ = ["Loading"]

logger = logging.getLogger(__name__)

_MOST_RELOADS: Final = 16
"""Reloads in the background at a time: past them a stale value is served once more, and reloaded a little later."""

_LEASE_SLACK: Final = 0.01


class Loading:
    """Loads into *store* what is not fresh. *randomness* returns 0..1 for the jitter."""

    def __init__(self, store: EntryStore, randomness: Callable[[], float]) -> None:
        self._store = store
        self._backend = store.backend
        self._keeping = Keeping(store, randomness)
        self._flights: SingleFlight[Outcome] = SingleFlight()
        self._failures = Failures(store)
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """In a forked process: no thread of its parent reloads anything."""
        self._reloads = threading.BoundedSemaphore(_MOST_RELOADS)

    def get(self, plan: LoadPlan, blob: Blob | None, load: Callable[[], Any]) -> Any:
        """The value of the plan's key, where *blob* is what the store has under it, loading it if need be."""
        return carry_out(self._get(plan, blob, partial(self._start_reload, plan, load)), load)

    async def aget(self, plan: LoadPlan, blob: Blob | None, load: Callable[[], Awaitable[Any]]) -> Any:
        """`get` for coroutines."""
        return await carry_out_async(self._get(plan, blob, partial(self._start_areload, plan, load)), load)

    def refresh(self, plan: LoadPlan, load: Callable[[], Any]) -> Any:
        """Load the plan's key now, whatever there is, and return what that brings."""
        return carry_out(self._refresh(plan), load)

    async def arefresh(self, plan: LoadPlan, load: Callable[[], Awaitable[Any]]) -> Any:
        """`refresh` for coroutines."""
        return await carry_out_async(self._refresh(plan), load)

    def get_many(self, plans: Sequence[LoadPlan], load: Callable[[list[LoadPlan]], Mapping[str, Any]]) -> list[Any]:
        """The value of each plan's key, or `MISS` where *load*, called once with the plans that miss, brings none."""
        return carry_out(self._get_many(plans), load)

    async def aget_many(
        self, plans: Sequence[LoadPlan], load: Callable[[list[LoadPlan]], Awaitable[Mapping[str, Any]]]
    ) -> list[Any]:
        """`get_many` for coroutines."""
        return await carry_out_async(self._get_many(plans), load)

    def forget(self, keys: Sequence[str]) -> None:
        """Let nobody who comes from now on wait for a load of *keys* under way, or be told of one that failed."""
        names = frozenset(keys)
        self._flights.forget(names)
        self._failures.forget(names)

    def _get(self, plan: LoadPlan, blob: Blob | None, start_reload: Callable[[], None]) -> Story[Any]:
        value, is_fresh = self._judge(plan, blob)
        if is_fresh:
            return value
        failure = self._failures.recent(plan)
        if value is not MISS and (plan.stale == "serve" or failure is not None):
            self._store.count_hit(plan.place, stale=True)
            if failure is None and not self._flights.is_flying(plan.key, plan.source):
                start_reload()
            return value
        if failure is not None:
            plan.place.counts.throttled += 1
            raise failure.with_traceback(None)
        try:
            outcome = yield from self._fly(plan)
        except Absent:
            raise
        except Exception:
            if value is MISS:
                raise
            self._store.count_hit(plan.place, stale=True)
            logger.warning("cache.served_stale", extra={"key": plan.key})
            return value
        if value is not MISS:  # not counted before the load had told
            self._store.count_miss(plan.place, "expired")
        return outcome.value

    def _refresh(self, plan: LoadPlan) -> Story[Any]:
        if self._flights.is_own(plan.key, plan.source):
            return (yield Load(self._inside(plan)))
        self._failures.forget(frozenset([plan.key]))
        outcome = yield from self._lead(plan, self._flights.replace(plan.key, plan.source))
        return outcome.value

    def _fly(self, plan: LoadPlan) -> Story[Outcome]:
        """One load for all who want it now."""
        if self._flights.is_own(plan.key, plan.source):
            return Outcome((yield Load(self._inside(plan))), None)
        has_waited = False
        while True:
            flight, leads = self._join(plan)
            if leads:
                return (yield from self._lead(plan, flight, takes_over=has_waited))
            try:
                outcome: Outcome = yield Wait(flight, self._store.limits.load_wait)
            except Interrupted:
                continue
            except TooLong:  # the first who comes from now on loads as well, and the others wait for him
                self._flights.land(plan.key, plan.source, flight)
                has_waited = True
                continue
            if outcome.is_overtaken or outcome.value is MISS:
                continue
            if outcome.payload is None and not isinstance(outcome.value, Absent):
                # What cannot be kept cannot be had twice: a generator, say.
                return Outcome((yield Load(self._inside(plan))), None)
            if isinstance(outcome.value, Absent):
                raise outcome.value
            plan.place.counts.coalesced += 1
            return _own(outcome)

    def _lead(self, plan: LoadPlan, flight: Flight[Outcome], *, takes_over: bool = False) -> Story[Outcome]:
        try:
            outcome = yield from self._load(plan, flight, takes_over=takes_over or plan.is_forced)
        except BaseException as exc:
            self._flights.land(plan.key, plan.source, flight)
            if isinstance(exc, Exception):
                flight.set_exception(exc)
            else:  # interrupted: the next in line loads
                flight.cancel()
            raise
        self._flights.land(plan.key, plan.source, flight)
        flight.set_result(outcome)
        return outcome

    def _load(self, plan: LoadPlan, flight: Flight[Outcome], *, takes_over: bool) -> Story[Outcome]:
        at_once = self._backend.is_local
        begun: Begun = yield Ask(partial(self._backend.begin, plan.key, at_once=takes_over), at_once=at_once)
        if begun.wait is not None and self._fresh(plan, begun.blob) is None:
            latest = time.monotonic() + self._store.limits.load_wait
            begun = yield Ask(partial(self._turn, plan, begun, latest), at_once=at_once, is_long=True)
        flight.version = begun.version
        found = None if plan.is_forced else self._fresh(plan, begun.blob)
        if found is not None:
            if begun.lease is not None:
                yield Ask(begun.lease.release, at_once=at_once)
            plan.place.counts.coalesced += 1
            if isinstance(found.value, Absent):
                raise found.value
            return found
        started = time.perf_counter()
        try:
            value = yield Load(self._inside(plan))
        except Absent as exc:
            yield Ask(partial(self._keeping.keep_absent, plan, exc, begun), at_once=at_once)
            raise
        except Exception as exc:
            self._failures.note(plan, exc)
            if begun.lease is not None:
                yield Ask(begun.lease.release, at_once=at_once)
            raise
        except BaseException:  # interrupted or closed: there is no further step
            if begun.lease is not None:
                begun.lease.abandon()
            raise
        took = time.perf_counter() - started
        self._store.count_load(plan.place, took)
        outcome: Outcome = yield Ask(partial(self._keeping.keep, plan, value, begun, took), at_once=at_once)
        return outcome

    def _get_many(self, plans: Sequence[LoadPlan]) -> Story[list[Any]]:
        """Those that miss are loaded together; those that others are loading already are waited for."""
        values: list[Any] = yield Ask(partial(self._look_many, plans), at_once=self._backend.is_local)
        missing = [at for at, value in enumerate(values) if value is MISS]
        own = [at for at in missing if self._flights.is_own(plans[at].key, plans[at].source)]
        if own:  # inside of their own load, they would wait for themselves
            mine = [plans[at] for at in own]
            loaded: Mapping[str, Any] = yield Load(self._inside(*mine), (mine,))
            for at in own:
                values[at] = loaded.get(plans[at].key, MISS)
        is_all = len(missing) == len(plans) and not own
        due = self._due([at for at in missing if at not in set(own)], plans, is_all=is_all)
        while due:
            flights = {at: self._join(plans[at]) for at in due}
            led = [at for at, (_, leads) in flights.items() if leads]
            if led:
                outcomes = yield from self._lead_many([plans[at] for at in led], [flights[at][0] for at in led])
                for at, outcome in zip(led, outcomes, strict=True):
                    values[at] = outcome.value
            give_up_at, due = time.monotonic() + self._store.limits.load_wait, []
            for at, (flight, leads) in flights.items():
                if leads:
                    continue
                found = yield from self._take_part(plans[at], flight, give_up_at)
                if found is None:
                    due.append(at)
                else:
                    values[at] = found.value
        return [MISS if isinstance(value, Absent) else value for value in values]

    def _due(self, missing: list[int], plans: Sequence[LoadPlan], *, is_all: bool) -> list[int]:
        """Those of *missing* that did not fail a moment ago. If all that is asked for did, that is raised again."""
        failures = {at: self._failures.recent(plans[at]) for at in missing}
        due = [at for at, failure in failures.items() if failure is None]
        for at, failure in failures.items():
            if failure is not None:
                plans[at].place.counts.throttled += 1
                if is_all and not due:
                    raise failure.with_traceback(None)
        return due

    def _lead_many(self, plans: list[LoadPlan], flights: list[Flight[Outcome]]) -> Story[list[Outcome]]:
        """Load *plans* for all who wait; they are told what fails, and what is left out, as well."""
        crew = Crew(self._flights, plans, flights)
        try:
            yield from self._load_many(plans, flights, crew)
        finally:
            crew.give_up()
        return [crew.outcomes[plan.key] for plan in plans]

    def _load_many(self, plans: list[LoadPlan], flights: list[Flight[Outcome]], crew: Crew) -> Story[None]:
        """
        At once what nobody else loads; then what others loaded, or did not.

        Waiting with leases in hand, two processes could wait for each other.
        """
        at_once = self._backend.is_local
        asked: list[Begun] = yield Ask(lambda: [self._backend.begin(plan.key) for plan in plans], at_once=at_once)
        ours: list[tuple[LoadPlan, Begun]] = []
        theirs: list[tuple[LoadPlan, Begun]] = []
        for plan, flight, one in zip(plans, flights, asked, strict=True):
            flight.version = one.version
            if not (yield from self._settle(plan, one, crew, at_once=at_once)):
                (ours if one.wait is None else theirs).append((plan, one))
        yield from self._load_batch(ours, crew, at_once=at_once)
        give_up_at, late = time.monotonic() + self._store.limits.load_wait, list[tuple[LoadPlan, Begun]]()
        for plan, one in theirs:
            turn: Begun = yield Ask(partial(self._turn, plan, one, give_up_at), at_once=at_once, is_long=True)
            if (yield from self._settle(plan, turn, crew, at_once=at_once)):
                continue
            if turn.lease is None:  # waited for too long: loaded all the same, with the others of its kind
                late.append((plan, turn))
            else:
                yield from self._load_batch([(plan, turn)], crew, at_once=at_once)
        yield from self._load_batch(late, crew, at_once=at_once)

    def _settle(self, plan: LoadPlan, begun: Begun, crew: Crew, *, at_once: bool) -> Story[bool]:
        """Land what there is by now. False if there is nothing: it has to be loaded, under the lease of *begun*."""
        found = self._fresh(plan, begun.blob)
        if found is None:
            return False
        crew.land(plan, found)
        if begun.lease is not None:
            yield Ask(begun.lease.release, at_once=at_once)
        return True

    def _load_batch(self, begun: list[tuple[LoadPlan, Begun]], crew: Crew, *, at_once: bool) -> Story[None]:
        if not begun:
            return
        plans = [plan for plan, _ in begun]
        leases = {plan.key: one.lease for plan, one in begun if one.lease is not None}
        started = time.perf_counter()
        try:
            values: Mapping[str, Any] = yield Load(self._inside(*plans), (plans,))
            took = (time.perf_counter() - started) / len(plans)
        except Exception as exc:
            for plan in plans:
                self._failures.note(plan, exc)
            crew.fail(plans, exc)
            yield Ask(partial(_release, leases), at_once=at_once)
            raise
        except BaseException:
            _abandon(leases)
            raise
        try:
            for plan, one in begun:
                if plan.key not in values:
                    crew.land(plan, Outcome(MISS, None))
                    continue
                self._store.count_load(plan.place, took)
                leases.pop(plan.key, None)
                keep = partial(self._keeping.keep, plan, values[plan.key], one, took)
                crew.land(plan, (yield Ask(keep, at_once=at_once)))
        except BaseException:
            _abandon(leases)
            raise
        if leases:
            yield Ask(partial(_release, leases), at_once=at_once)

    def _take_part(self, plan: LoadPlan, flight: Flight[Outcome], give_up_at: float) -> Story[Outcome | None]:
        """What somebody else loads, `MISS` if he finds none, or fails; None if it has to be asked for anew."""
        try:
            outcome: Outcome = yield Wait(flight, max(0.0, give_up_at - time.monotonic()))
        except Absent as known:
            return Outcome(known, None)
        except Interrupted:
            return None
        except TooLong:
            self._flights.land(plan.key, plan.source, flight)
            return None
        except Exception:  # noqa: BLE001 - his failure, which spoils none of the other keys
            return Outcome(MISS, None)
        if outcome.value is MISS:
            return outcome
        if outcome.is_overtaken or outcome.payload is None:
            return None
        plan.place.counts.coalesced += 1
        return _own(outcome)

    def _join(self, plan: LoadPlan) -> tuple[Flight[Outcome], bool]:
        is_valid = partial(self._backend.barriers.allows, plan.key, plan.tags)
        return self._flights.join(plan.key, plan.source, is_valid)

    def _inside(self, *plans: LoadPlan) -> Inside:
        return self._flights.inside((plan.key, plan.source) for plan in plans)

    def _look_many(self, plans: Sequence[LoadPlan]) -> list[Any]:
        """The fresh value of each, `Absent` if it is known that there is none, or `MISS`."""
        entries = self._backend.get_many([plan.key for plan in plans])
        return [self._look(plan, as_blob(data)) for plan, data in zip(plans, entries, strict=True)]

    def _look(self, plan: LoadPlan, blob: Blob | None) -> Any:
        try:
            value, is_fresh = self._judge(plan, blob)
        except Absent as known:
            return known
        if value is not MISS and not is_fresh:
            self._store.count_miss(plan.place, "expired")
            return MISS
        return value

    def _judge(self, plan: LoadPlan, blob: Blob | None) -> tuple[Any, bool]:
        store, source = self._store, source_bytes(plan.source)
        value = store.fresh_value(plan.place, blob, source)
        if value is not MISS:
            return value, True
        entry = store.entry(plan.place, blob)
        if entry is not None and entry.source == source:
            if entry.is_absent and store.wall() < entry.fresh_until:
                store.count_hit(plan.place)
                raise Absent(str(store.value(entry)))
            # A store may keep an entry a little longer than this caller's stale_ttl allows.
            is_usable = store.wall() < entry.fresh_until + plan.stale_ttl and not entry.is_absent
            if is_usable and plan.stale != "refuse" and (value := store.value(entry)) is not MISS:
                return value, False
        store.count_miss(plan.place, store.why_missed(plan.place, blob, source))
        return MISS, False

    def _fresh(self, plan: LoadPlan, blob: Blob | None) -> Outcome | None:
        """What another caller stored between this one's look at the cache and its turn to load."""
        store, entry = self._store, self._store.entry(plan.place, blob)
        if entry is None or entry.source != source_bytes(plan.source) or store.wall() >= entry.fresh_until:
            return None
        value = store.value(entry)
        if entry.is_absent:
            return Outcome(Absent(str(value)), None)
        return None if value is MISS else Outcome(value, entry.payload)

    def _turn(self, plan: LoadPlan, begun: Begun, give_up_at: float, is_wanted: Callable[[], bool]) -> Begun:
        """When this process may load what another one loads, as *begun* says: when that is over, or it is time."""
        try:
            with self._backend.waiting(plan.key) as wait:
                return self._wait_for_turn(plan, wait, give_up_at, is_wanted)
        except BackendError as exc:
            logger.info("cache.wait_failed", extra={"key": plan.key, "error": str(exc)})
            return Begun(None, begun.version)

    def _wait_for_turn(
        self, plan: LoadPlan, wait: Callable[[float], None], give_up_at: float, is_wanted: Callable[[], bool]
    ) -> Begun:
        while True:
            begun = self._backend.begin(plan.key)
            if not is_wanted():
                if begun.lease is not None:
                    begun.lease.release()
                return Begun(None, begun.version)
            if begun.wait is None or self._fresh(plan, begun.blob) is not None:
                return begun
            left = give_up_at - time.monotonic()
            if left <= 0:  # this one loads as well, and keeps nothing
                return Begun(begun.blob, begun.version)
            wait(min(begun.wait + _LEASE_SLACK, left))

    def _start_reload(self, plan: LoadPlan, load: Callable[[], object]) -> None:
        if not self._reloads.acquire(blocking=False):
            return
        try:
            # Not `Thread.start`, which waits until the thread runs: among many callers, that takes its time.
            _thread.start_new_thread(self._reload, (plan, load))
        except RuntimeError as exc:  # no thread to be had: the stale value is served all the same
            self._reloads.release()
            logger.warning("cache.reload_failed", extra={"key": plan.key, "error": repr(exc)})

    def _reload(self, plan: LoadPlan, load: Callable[[], object]) -> None:
        try:
            if self._is_due(plan):
                carry_out(self._fly(plan), load)
        except Exception as exc:  # noqa: BLE001 - the stale value goes on being served
            logger.warning("cache.reload_failed", extra={"key": plan.key, "error": repr(exc)})
        finally:
            self._reloads.release()

    def _is_due(self, plan: LoadPlan) -> bool:
        """Whether nobody has reloaded, or tried to, between the start of this reload and its turn."""
        return self._failures.recent(plan) is None and not self._flights.is_flying(plan.key, plan.source)

    def _start_areload(self, plan: LoadPlan, load: Callable[[], Awaitable[object]]) -> None:
        import asyncio  # noqa: PLC0415 - a third of the time that `import avcache` would take

        task = asyncio.create_task(self._areload(plan, load))
        _background.add(task)
        task.add_done_callback(_background.discard)

    async def _areload(self, plan: LoadPlan, load: Callable[[], Awaitable[object]]) -> None:
        try:
            if self._is_due(plan):
                await carry_out_async(self._fly(plan), load)
        except Exception as exc:  # noqa: BLE001 - the stale value goes on being served
            logger.warning("cache.reload_failed", extra={"key": plan.key, "error": repr(exc)})


_background: set[asyncio.Task[None]] = set()
"""Held here: the event loop itself only knows its tasks weakly."""


def _release(leases: Mapping[str, Lease]) -> None:
    for lease in leases.values():
        lease.release()


def _abandon(leases: Mapping[str, Lease]) -> None:
    """After an interruption nothing is waited for, least of all in an event loop."""
    for lease in leases.values():
        lease.abandon()


def _own(outcome: Outcome) -> Outcome:
    """Those who waited get a value of their own: what one caller does to it must not reach another."""
    return outcome if outcome.payload is None else Outcome(serializers.loads(outcome.payload), outcome.payload)
