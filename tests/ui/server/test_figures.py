"""The figures of the store: units, limits, and dashes for what is not known."""

from __future__ import annotations

from avcache.backends.base import State
from avcache.ops.server import Clients, Keys, Memory, Persistence, ServerView
from avcache.ui.server.figures import figures
from tests.ui.server.cases import NOW, view

MEMORY = State("memory", since=NOW)


def shown(of: ServerView, others: list[int] | None = None) -> dict[str, tuple[str, str]]:
    return {one.label: (one.value, one.about) for one in figures(of, others)}


def test_a_server_is_told_in_eight_figures() -> None:
    assert shown(view()) == {
        "Memory": ("12 MB", "12 % of 100 MB"),
        "Keys": ("1,250", "30 in other databases"),
        "Evicted": ("4", "99 expired"),
        "Clients": ("12", "0 blocked · 3 rejected"),
        "PING": ("0.2 ms", "longest 0.5 ms"),
        "Operations": ("412/s", "of all clients"),
        "Saved to disk": ("12 min ago", "AOF off"),
        "Up for": ("2 h", "Valkey 8.0.1 · primary"),
    }


def test_no_limit_is_told_from_one_that_is_not_known() -> None:
    unlimited = shown(view(memory=Memory(2_100_000, is_limited=False)))
    unknown = shown(view(memory=Memory()))

    assert unlimited["Memory"] == ("2.1 MB", "no limit")
    assert unknown["Memory"] == ("–", "limit not known")


def test_what_a_server_will_not_tell_is_a_dash() -> None:
    silent = view(
        uptime=None,
        operations_per_second=None,
        keys=Keys(),
        clients=Clients(),
        persistence=Persistence(),
        memory=Memory(),
    )

    made = shown(silent)

    assert {label for label, (value, _) in made.items() if value != "–"} == {"PING"}


def test_a_save_that_never_was_or_failed_is_no_save() -> None:
    never = shown(view(uptime=60.0, persistence=Persistence(59.0, rdb_status="ok", aof_on=True, aof_status="err")))
    failed = shown(view(persistence=Persistence(720.0, rdb_status="err", aof_on=False)))

    assert never["Saved to disk"] == ("not yet", "AOF on, failing")
    assert failed["Saved to disk"] == ("12 min ago", "last attempt failed · AOF off")


def test_nothing_is_told_of_a_server_that_is_away() -> None:
    assert figures(view(state=State("degraded", since=NOW))) == ()
    assert figures(view(latency=None, error="no answer in time")) == ()


def test_memory_is_told_with_its_limits_and_its_neighbours() -> None:
    keys = Keys(50_000, is_exact=False, most=100_000, evicted=7)
    memory = Memory(26_800_000, max_bytes=268_000_000, is_limited=True)
    of = view(kind="memory", state=MEMORY, keys=keys, memory=memory, latency=None)

    made = shown(of, [101, 102])

    assert made == {
        "Entries": ("≤ 50,000", "50 % of 100,000"),
        "Memory": ("27 MB", "10 % of 268 MB"),
        "Evicted": ("7", "to make room"),
        "Other processes": ("2", "each with its own"),
    }
    assert shown(of, [])["Other processes"] == ("none", "this is the only one")
    assert shown(of, None)["Other processes"] == ("–", "cannot be known here")
