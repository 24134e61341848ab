"""Does what serves serve as it should? Redis away, refusing, or not wanted though several processes run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from avcache.formats import format_age, format_bytes, format_clock, format_count
from avcache.ops.doctor.facts import HOUR, DoctorFacts
from avcache.ops.doctor.finding import ALONE, Action, Finding, listed
from avcache.ops.doctor.rising import risen
from avcache.ops.faults import FaultKind, fault_of

__all__ = ["RULES"]

_FLAPPING: Final = 3

_GRANT: Final = (
    "ACL SETUSER <user> on ~{prefix}* &{prefix}* +@all -@admin -@dangerous +info +slowlog|get +config|get, "
    "sent with {cli} by a user who may."
)

_WHEN_AWAY: Final[Mapping[FaultKind, str]] = {
    "permission": f"Give the user what it needs: {_GRANT}",
    "not_connected": "Start the server, or mend REDIS_HOST and REDIS_PORT: {cli} PING has to answer PONG.",
    "no_such_host": "Mend REDIS_HOST (or REDIS_URL): {cli} PING has to answer PONG.",
    "timeout": "See with {cli} --latency whether it hangs or is far away; REDIS_TIMEOUT=1 gives it more time.",
    "closed": "Start the server again if it has died; its own log says why. {cli} PING has to answer PONG.",
    "clients": "{cli} CONFIG SET maxclients 20000, or lower REDIS_MAX_CONNECTIONS.",
    "loading": "Wait: {cli} INFO persistence says in loading_eta_seconds how long.",
    "primary_away": "Bring its primary back, or set REDIS_HOST to the one that is: {cli} INFO replication names it.",
    "not_redis": "Mend REDIS_HOST and REDIS_PORT: another service answers there.",
}

_WHEN_REFUSING: Final[Mapping[FaultKind, str]] = {
    "permission": f"Give the user what it needs: {_GRANT}",
    "out_of_memory": f"{{cli}} CONFIG SET maxmemory-policy allkeys-lru {ALONE}, or raise maxmemory.",
    "read_only": "Set REDIS_HOST to the primary: {cli} INFO replication names it as master_host.",
    "replicas": "Bring the replicas back, or {cli} CONFIG SET min-replicas-to-write 0.",
    "disk": "Make room on its disk; until then {cli} CONFIG SET stop-writes-on-bgsave-error no.",
}


def _not_shared(facts: DoctorFacts) -> Iterator[Finding]:
    others = facts.other_workers
    if facts.state.name != "memory" or not others:
        return
    yield Finding(
        "not_shared",
        "problem",
        f"{len(others) + 1} processes run, and each keeps a cache of its own in memory.",
        (f"other processes: {', '.join(map(str, others))}",),
        "What one clears stays in the others, which go on serving it; and each loads everything for itself.",
        "Set REDIS_ENABLED=true and REDIS_HOST for all of them, or run a single one (uvicorn --workers 1).",
    )


def _wrong_password(facts: DoctorFacts) -> Iterator[Finding]:
    if not facts.state.is_degraded or fault_of(facts.state.error or "").kind != "password":
        return
    yield Finding(
        "wrong_password",
        "problem",
        "The server refuses the password.",
        _since(facts),
        "Memory serves instead, entries live 60 s at most, and the workers do not see each other's.",
        "Set REDIS_PASSWORD (or REDIS_URL=redis://user:password@host:port/db) to what the server wants, and restart.",
    )


def _redis_away(facts: DoctorFacts) -> Iterator[Finding]:
    if not facts.state.is_degraded or fault_of(facts.state.error or "").kind == "password":
        return
    fault = fault_of(facts.state.error or "")
    yield Finding(
        "redis_away",
        "problem",
        f"The server does not serve: {fault.words}.",
        _since(facts),
        "Memory serves instead, entries live 60 s at most, and the workers do not see each other's.",
        _step(
            facts, _WHEN_AWAY.get(fault.kind, "See its log and {cli} INFO; ours names the error (backend.degraded).")
        ),
    )


def _writes_refused(facts: DoctorFacts) -> Iterator[Finding]:
    if facts.state.is_degraded or facts.state.error is None:
        return
    fault = fault_of(facts.state.error)
    pending = facts.state.pending
    yield Finding(
        "writes_refused",
        "problem",
        f"The server can be read, but refuses what is written: {fault.words}.",
        (f"invalidations waiting: {format_count(pending)}",),
        "Nothing new is kept: whatever expires is loaded anew with every request for it.",
        _step(facts, _WHEN_REFUSING.get(fault.kind, "See its log; ours names the error (backend.refuses_writes).")),
    )


def _flapping(facts: DoctorFacts) -> Iterator[Finding]:
    recent = [began for began in facts.outages if facts.now - HOUR <= began <= facts.now]
    if len(recent) < _FLAPPING:
        return
    yield Finding(
        "flapping",
        "warning",
        f"The server was lost {len(recent)} times within an hour.",
        listed([f"lost at {format_clock(began, facts.now)}" for began in sorted(recent, reverse=True)]),
        "Each time memory begins empty, so everything is loaded again, and once more on the way back.",
        _step(facts, "See with {cli} --latency whether it stalls; if it only is slow, set REDIS_TIMEOUT=1."),
        Action("open", "server"),
    )


def _memory_evictions(facts: DoctorFacts) -> Iterator[Finding]:
    view = facts.server
    if view is None or view.kind != "memory":
        return
    evicted, span = risen(facts, lambda one: one.keys.evicted)
    if not evicted:
        return
    keys, memory = view.keys, view.memory
    is_of_entries = keys.most is not None and keys.number is not None and keys.number >= keys.most
    limit = "CACHE_MEMORY_MAX_ENTRIES" if is_of_entries else "CACHE_MEMORY_MAX_BYTES"
    evidence = [f"{format_count(evicted)} entries went for room {span}"]
    if keys.most is not None and keys.number is not None:
        evidence.append(f"{format_count(keys.number)} of {format_count(keys.most)} entries")
    if memory.max_bytes is not None and memory.used_bytes is not None:
        evidence.append(f"{format_bytes(memory.used_bytes)} of {format_bytes(memory.max_bytes)}")
    yield Finding(
        "memory_evictions",
        "warning",
        "The cache in memory is full: fresh entries go to make room for others.",
        tuple(evidence),
        "What went has to be loaded again, though its time was not over.",
        f"Raise {limit}, or keep entries in Redis (REDIS_ENABLED=true).",
    )


def _since(facts: DoctorFacts) -> tuple[str, ...]:
    state = facts.state
    lasted = f"since {format_clock(state.since, facts.now)}, for {format_age(facts.now - state.since)}"
    return lasted, f"invalidations waiting: {format_count(state.pending)}"


def _step(facts: DoctorFacts, template: str) -> str:
    return template.replace("{cli}", facts.settings.cli).replace("{prefix}", facts.settings.prefix)


RULES: Final[tuple[Callable[[DoctorFacts], Iterator[Finding]], ...]] = (
    _wrong_password,
    _redis_away,
    _writes_refused,
    _not_shared,
    _flapping,
    _memory_evictions,
)
