"""Every command on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from avcache.cli import act, demo
from avcache.cli.place import Warmed
from avcache.runtime import Runtime
from tests.cli.conftest import run
from tests.servers import free_port


def test_info_says_what_the_store_is(on_redis: Runtime) -> None:
    on_redis.cache.set("price:AAPL", 1.0)

    shown, data = run("info"), run("info", "--json").data

    assert shown.code == 0
    assert "valkey" in shown.out or "redis" in shown.out
    assert (data["total_keys"], data["is_redis"], data["exact"], data["pending"]) == (1, True, True, 0)


def test_keys_come_with_age_time_left_size_and_state(on_redis: Runtime) -> None:
    on_redis.cache.set_many({"price:AAPL": 1.0, "price:KO": 2.0, "user:7": "Ann"}, ttl=100)

    data = run("keys", "price:*", "--json").data

    assert (data["found"], data["exact"]) == (2, True)
    assert {row["key"] for row in data["keys"]} == {"price:AAPL", "price:KO"}
    assert all(row["state"] == "fresh" and 0 < row["ttl_left"] <= 100 and row["size"] > 0 for row in data["keys"])


def test_no_more_keys_are_printed_than_asked_for(on_redis: Runtime) -> None:
    on_redis.cache.set_many({f"user:{number}": number for number in range(5)})

    shown, data = run("keys", "--limit", "2"), run("keys", "--limit", "2", "--json").data

    assert "5 keys match *, 2 of them shown" in shown.out
    assert (data["found"], len(data["keys"])) == (5, 2)


def test_stats_say_what_each_namespace_takes_and_how_it_is_hit(on_redis: Runtime) -> None:
    on_redis.cache.set("price:AAPL", 1.0)
    on_redis.cache.get("price:AAPL")
    assert on_redis.flusher is not None
    on_redis.flusher.flush()

    data = run("stats", "--json").data

    (row,) = (row for row in data["namespaces"] if row["name"] == "price")
    assert (row["keys"], row["stale"], row["hit_rate"], row["samples"]) == (1, 0, 1.0, ["price:AAPL"])
    assert (data["total"], data["exact"]) == (1, True)
    assert "100.0 %" in run("stats").out


def test_a_warm_up_tells_the_outcome_of_each_ticker_and_fails_with_one(on_redis: Runtime) -> None:
    first, second = run("warmup", "aapl", "TSLA,KO", "--json"), run("warmup", "AAPL")

    outcomes = {outcome["ticker"]: outcome for outcome in first.data["outcomes"]}
    assert {ticker: outcome["result"] for ticker, outcome in outcomes.items()} == {
        "AAPL": "loaded",
        "TSLA": "failed",
        "KO": "loaded",
    }
    assert "not among" in outcomes["TSLA"]["reason"]
    assert (first.code, second.code) == (1, 0)
    assert "fresh" in second.out
    assert on_redis.cache.exists("momentum:KO")


def test_a_universe_is_warmed_by_its_name(on_redis: Runtime) -> None:
    done = run("warmup", "--universe", "sample 25", "--json")

    assert done.code == 0
    assert len(done.data["outcomes"]) == 25


def test_coverage_says_how_tickers_and_universes_stand(on_redis: Runtime) -> None:
    on_redis.market.score("AAPL")

    few, whole = run("coverage", "AAPL", "KO", "--json").data, run("coverage", "Sample", "25", "--json").data

    assert few["tickers"]["AAPL"] == {"price": "missing", "momentum": "fresh", "reason": ""}
    assert (few["covered"], few["of"]) == (0, 2)
    assert whole["of"] == run("coverage", "--json").data["of"] == 25


def test_a_score_is_read_through_the_cache_of_all(on_redis: Runtime) -> None:
    done = run("score", "AAPL", "KO", "--json")

    assert done.code == 0
    assert done.err == ""
    assert {score["ticker"] for score in done.data["scores"]} == {"AAPL", "KO"}
    assert done.data["label"] == "Sample prices, last day 2022-12-28"
    assert on_redis.cache.exists("momentum:AAPL")


def test_a_portfolio_is_read_through_the_cache_of_all(on_redis: Runtime) -> None:
    done = run("portfolio", "AAPL=10", "KO=5", "--json")

    assert done.data["total_value"] == pytest.approx(on_redis.market.portfolio({"AAPL": 10, "KO": 5}).total_value)
    assert len(on_redis.cache.keys("portfolio:*")) == 1


# -- clear -----------------------------------------------------------------------------------------


def test_a_clear_shows_its_plan_and_asks(on_redis: Runtime) -> None:
    on_redis.market.prices(["AAPL", "KO"])

    done = run("clear", "price:*", typed="y\n")

    assert done.code == 0
    assert "2 keys match price:*; " in done.err
    assert "to load again: price:AAPL, price:KO" in done.err
    assert "Clear them?" in done.err
    assert "Cleared 2 keys matching price:*." in done.err
    assert on_redis.cache.keys("price:*") == []


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_whatever_is_no_yes_clears_nothing(on_redis: Runtime, typed: str) -> None:
    on_redis.cache.set("price:AAPL", 1.0)

    done = run("clear", "price:*", typed=typed)

    assert done.code == 1
    assert "Nothing was cleared." in done.err
    assert on_redis.cache.exists("price:AAPL")


def test_who_says_yes_is_not_asked_and_the_reason_is_on_record(on_redis: Runtime) -> None:
    on_redis.cache.set("price:AAPL", 1.0)

    done = run("clear", "price:AAPL", "--yes", "--reason", "wrong close", "--json")

    assert "Clear them?" not in done.err
    assert done.data["plan"]["sample_keys"] == ["price:AAPL"]
    assert (done.data["plan"]["keys"], done.data["plan"]["exact"]) == (1, True)
    assert (done.data["cleared"], done.data["reason"]) == ({"keys": 1, "pending": False}, "wrong close")
    acts = {entry.action: entry for entry in on_redis.ops.audit.latest()}
    assert (acts["clear"].actor, acts["clear"].object, acts["clear"].reason) == (
        "command line",
        "price:AAPL",
        "wrong close",
    )


def test_nobody_is_asked_about_nothing(on_redis: Runtime) -> None:
    done = run("clear", "price:*", "--json")

    assert done.code == 0
    assert "Clear them?" not in done.err
    assert done.data["cleared"] is None


# -- demo and bench --------------------------------------------------------------------------------


def test_the_demo_reads_and_all_processes_see_its_hit_rates(on_redis: Runtime) -> None:
    done = run("demo", "--seconds", "2", "--analysts", "2000", "--seed", "1", "--universe", "Sample 25", "--json")

    assert done.code == 0
    assert done.data["reads"] > 25
    assert done.data["failed"] == 0
    assert 0 < done.data["hit rate price"] <= 1
    assert on_redis.totals is not None
    assert on_redis.totals.stats().by_namespace["price"].requests > 0


def test_ctrl_c_ends_the_demo_in_good_order(on_redis: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_work", interrupted)

    done = run("demo")

    assert done.code == 0
    assert "reads" in done.out


def test_ctrl_c_in_a_warm_up_tells_what_is_loaded_by_then(on_redis: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_place: object, _wanted: object, outcomes: list[Warmed]) -> None:
        outcomes.append(Warmed("AAPL", "loaded", 0.1))
        raise KeyboardInterrupt

    monkeypatch.setattr(act, "_warm", interrupted)

    done = run("warmup", "AAPL", "KO")

    assert done.code == 130
    assert "1 of 2 tickers are cached" in done.out


def test_the_bench_measures_each_question_cold_and_cached() -> None:
    data = run("bench", "--rounds", "2", "--json").data

    assert [row["question"] for row in data["rows"]] == [
        "price of AAPL",
        "momentum score of AAPL",
        "ranking of 25 tickers",
        "portfolio of 25 positions",
        "warm-up of 25 tickers over REST",
    ]
    for row in data["rows"]:
        for times in (row["cold_seconds"], row["cached_seconds"]):
            assert 0 < times["lowest"] <= times["median"] <= times["highest"]
        assert row["ratio"] == pytest.approx(row["cold_seconds"]["median"] / row["cached_seconds"]["median"])


def test_the_bench_prints_a_table() -> None:
    done = run("bench", "--rounds", "1")

    assert "Cold, ms" in done.out
    assert "REST" in done.out
    assert "Median of 1" in done.err


# -- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["keys", "a*" * 9], "pattern="),
        (["clear", "price:\n*"], "pattern="),
        (["score", "not a ticker!"], "no tickers"),
        (["score", "AAPL", "--profile", "nope"], "profile='nope': one of"),
        (["warmup"], "name tickers, or a --universe"),
        (["warmup", "--universe", "nope"], "known are Sample 25"),
        (["portfolio", "nowhere.csv"], "a file, - for stdin"),
        (["portfolio", "AAPL=many"], "shares not a number"),
        (["keys", "--limit", "0"], "--limit"),
        (["clear"], "pattern"),
        (["nope"], "nope"),
    ],
)
def test_bad_input_ends_with_two_and_says_what_is_wrong(on_redis: Runtime, words: list[str], said: str) -> None:
    done = run(*words)

    assert done.code == 2
    assert said in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_a_bad_setting_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "abc")

    done = run("info")

    assert (done.code, done.err) == (2, "REDIS_PORT='abc': a whole number, at least 1, at most 65,535\n")


@pytest.mark.parametrize("words", ["info", "keys", "stats", "clear price:* --yes", "warmup KO", "demo", "score KO"])
def test_a_dead_server_is_nothing_to_talk_to(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("REDIS_ENABLED", "true")
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(free_port()))

    done = run(*words.split())

    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith("the Redis of the settings gives no usable answer: ")
    assert done.err.count("\n") == 1


def test_what_a_store_holds_is_no_markup_and_steers_no_terminal(on_redis: Runtime, redis_url: str, prefix: str) -> None:
    name = "user:[red]x[/red]\x1b[31m\u202e"
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{prefix}{name}", "foreign")

    for words in (["keys"], ["stats"], ["keys", "--json"]):
        done = run(*words)
        printed = done.out + done.err
        assert "[red]x[/red]" in printed
        assert "\x1b" not in printed
        assert "\u202e" not in printed


# -- without a server ------------------------------------------------------------------------------


def test_a_score_without_a_server_is_computed_here_which_is_said() -> None:
    done = run("score", "AAPL")

    assert done.code == 0
    assert "AAPL" in done.out
    assert "Sample prices, last day 2022-12-28; profile alphavelocity" in done.out
    assert done.err.startswith("Computed in this process and kept nowhere")


def test_a_ticker_without_prices_fails_and_spoils_no_other() -> None:
    shown, data = run("score", "AAPL", "TSLA"), run("score", "AAPL", "TSLA", "--json")

    assert (shown.code, data.code) == (1, 1)
    assert "TSLA: not among the 25 stocks of the sample" in shown.err
    assert [score["ticker"] for score in data.data["scores"]] == ["AAPL"]
    assert data.data["failures"]["TSLA"]["reason"] == "unknown"


def test_holdings_come_from_a_file_from_stdin_or_from_pairs(tmp_path: Path) -> None:
    file = tmp_path / "my holdings.csv"
    file.write_text("ticker,shares,cost basis\nAAPL,100,12000\nKO,50,\n")

    of_file = run("portfolio", str(file), "--json").data
    of_stdin = run("portfolio", "-", "--json", typed="AAPL 100\nKO 50\n").data
    of_pairs = run("portfolio", "aapl=60 AAPL=40 KO=50", "--json").data

    assert of_file["total_value"] == of_stdin["total_value"] == of_pairs["total_value"]
    assert of_file["profit"] == pytest.approx(12_604 - 12_000)
    assert of_pairs["profit"] is None
    assert {row["ticker"]: row["shares"] for row in of_pairs["positions"]} == {"AAPL": 100, "KO": 50}


def test_a_file_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "book"
    file.write_bytes(b"\xff\xfe\x00")

    assert run("portfolio", str(file)).code == 2
    assert run("portfolio", str(tmp_path)).code == 2


def test_a_portfolio_says_what_counts_in_nothing() -> None:
    done, nothing = run("portfolio", "AAPL=1", "ZZZ=2"), run("portfolio", "ZZZ=2")

    assert done.code == 0
    assert "$126.04" in done.out
    assert "ZZZ counts in nothing: unknown: not among the 25 stocks of the sample" in done.err
    assert nothing.code == 1


def test_help_names_every_command() -> None:
    shown = run("--help").out

    names = ["info", "keys", "stats", "score", "portfolio", "coverage", "clear", "warmup", "bench", "demo"]
    assert [name for name in names if f"\n  {name} " not in shown] == []
