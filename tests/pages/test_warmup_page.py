"""Warm-ups: planned, within a budget, retried, and by the clock."""

from __future__ import annotations

import pytest

from avcache import runtime
from avcache.errors import BackendUnavailable, SerializationError
from avcache.ops.warmup import WarmupPlan
from avcache.ui.charts.coverage import coverage_map
from avcache.ui.warmup import describe_plan, legend, tickers_in
from tests.pages.shown import labels, open_page, press, texts

NASTY = "<img src=x onerror=alert(1)> [y](javascript:alert(2))"


class TestWords:
    def test_a_plan_says_how_much_how_long_and_at_which_pace(self) -> None:
        plan = WarmupPlan(("AAPL",) * 7, 3, 0, 9, 16.8)

        assert describe_plan(plan, provider_rate=2) == (
            "7 to load · about 16.8 s at 2 requests/s · 9 requests · most read first"
        )
        assert describe_plan(plan, rate=0.1, seconds=60) == (
            "7 to load · about 1 min 10 s at 0.1 tickers/s · 9 requests · most read first · stops after 1 min"
        )
        assert describe_plan(WarmupPlan(("AAPL",), 0, 0, 1, None)) == "1 to load · 1 request"
        assert describe_plan(WarmupPlan((), 3, 0, 0, 0.0)) == "Nothing to load"

    @pytest.mark.parametrize(
        ("text", "tickers"),
        [
            ("Ticker,Name\nAAPL,Apple\nMSFT,Microsoft", "AAPL, MSFT"),
            ("\ufeffsymbol\r\nAAPL\r\n\r\nBRK-B;x\r\nAAPL", "AAPL, BRK-B"),
            ('"AAPL"\t1\n"NVDA"\t2', "AAPL, NVDA"),
            ("AAPL, NVDA MSFT", "AAPL, NVDA, MSFT"),
            ("", ""),
        ],
    )
    def test_a_file_gives_its_first_column(self, text: str, tickers: str) -> None:
        assert tickers_in(text) == tickers

    def test_the_legend_counts_each_state(self) -> None:
        said = legend([["fresh", "missing"], ["fresh", "failed"]])

        assert ":green[■] fresh 2" in said
        assert ":red[□] missing 1" in said
        assert ":orange[■] stale 0" in said

    def test_the_map_has_a_cell_for_each_ticker_and_kind(self) -> None:
        figure = coverage_map(("price", "momentum"), {"AAPL": ["fresh", "stale"], "ZZZZ": ["failed", "failed"]})

        (cells,) = figure.data
        assert [list(row) for row in cells.z] == [[0, 4], [2, 4]]
        assert [list(row) for row in cells.text] == [["", "✕"], ["", "✕"]]


def test_one_kind_alone_can_be_warmed() -> None:
    app = open_page("warmup")
    app.text_area(key="warmup_tickers").set_value("AAPL").run()

    app.button_group(key="warmup_kinds").set_value(["price"]).run()
    app.button(key="warmup_start").click().run()

    job = runtime.shared().ops.warmup.latest
    assert job is not None
    assert job.wait(30)
    assert job.kinds == ("price",)
    assert not runtime.shared().cache.exists("momentum:AAPL")


def test_no_kind_asks_for_one() -> None:
    app = open_page("warmup")
    app.text_area(key="warmup_tickers").set_value("AAPL").run()

    app.button_group(key="warmup_kinds").set_value([]).run()

    assert "Choose prices, scores" in texts(app)
    assert not app.dataframe


def test_a_budget_goes_with_the_job() -> None:
    app = open_page("warmup")
    app.text_area(key="warmup_tickers").set_value("AAPL").run()
    app.number_input(key="warmup_rate").set_value(50.0).run()
    app.number_input(key="warmup_minutes").set_value(5).run()

    app.button(key="warmup_start").click().run()

    job = runtime.shared().ops.warmup.latest
    assert job is not None
    assert job.wait(30)
    assert (job.job.what["rate"], job.job.what["seconds"]) == (50.0, 300.0)


def test_what_failed_is_tried_again() -> None:
    assert runtime.shared().ops.warmup.start("AAPL ZZZZ", ["price"]).wait(30)
    app = open_page("warmup")

    press(app, "Retry the 1 failed")

    job = runtime.shared().ops.warmup.latest
    assert job is not None
    assert (job.tickers, job.kinds) == (("ZZZZ",), ("price",))
    assert job.wait(30)


def test_a_schedule_is_seen_paused_resumed_and_begun_now() -> None:
    ops = runtime.shared().ops
    ops.schedules.add(NASTY, "0 8 * * 1-5", "America/New_York", tickers="AAPL", by="ann")
    app = open_page("warmup")
    before = texts(app)

    press(app, "Pause")
    app.run()
    paused = texts(app)
    press(app, "Resume")
    app.run()
    press(app, "Run now")

    job = ops.warmup.latest
    assert "Every weekday at 08:00 America/New_York · AAPL" in before
    assert "Next in " in before
    assert "Paused · last: none yet" in paused
    assert job is not None
    assert job.wait(30)
    assert job.tickers == ("AAPL",)
    assert [entry.action for entry in ops.audit.latest() if entry.action.startswith("schedule")] == [
        "schedule resume",
        "schedule pause",
    ]
    assert not any("<img" in str(one.value).replace("\\<img", "") for one in (*app.markdown, *app.caption))


def test_a_schedule_is_previewed_before_it_is_added() -> None:
    app = open_page("warmup")

    press(app, "Add a schedule")

    assert "Every weekday at 08:00. The next runs:" in texts(app)
    assert next(button for button in app.button if button.label == "Add").disabled  # it has no name yet


def test_removing_a_schedule_asks_first() -> None:
    ops = runtime.shared().ops
    ops.schedules.add("Open", "0 8 * * *", "UTC", universe="Sample 25")
    app = open_page("warmup")

    press(app, "Remove")

    assert {"Remove it", "Keep it"} <= set(labels(app))
    assert len(ops.schedules.all()) == 1


@pytest.mark.usefixtures("away")
def test_schedules_say_that_redis_is_away() -> None:
    app = open_page("warmup")

    assert "schedules are kept there" in texts(app)


def test_schedules_of_another_release_are_not_told_as_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> None:
        raise SerializationError("of another release")

    monkeypatch.setattr(runtime.shared().ops.schedules, "all", unreadable)

    app = open_page("warmup")

    assert "written by another release" in texts(app)
    assert "Redis is away" not in texts(app)


def test_a_store_that_goes_away_in_between_costs_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = runtime.shared().ops
    ops.schedules.add("Open", "0 8 * * *", "UTC", universe="Sample 25")
    app = open_page("warmup")

    def away(_id: str) -> None:
        raise BackendUnavailable("gone")

    monkeypatch.setattr(ops.schedules, "pause", away)
    press(app, "Pause")

    assert not ops.schedules.all()[0].schedule.is_paused


def test_nobody_touches_a_schedule_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVCACHE_API_TOKEN", "a-token-of-16-characters")
    runtime.shared().ops.schedules.add("Open", "0 8 * * *", "UTC", universe="Sample 25")

    app = open_page("warmup")

    assert "Open" in texts(app)
    assert not {"Pause", "Run now", "Remove"} & set(labels(app))
    assert next(button for button in app.button if button.label == "Add a schedule").disabled
