"""The profile `factor`: scores within a universe."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace

import pandas as pd

from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score, Subject, from_record, rate, to_record
from avcache.market.scoring.cross_section import FACTORS, normal, standings
from avcache.market.scoring.factor import CrossSection, cross_section, factor_scores
from tests.market.scoring.sample import (
    ALL,
    LAST_DAY,
    MARKET,
    TICKERS,
    cut,
    equal,
    everything,
    fields,
    nearly,
    reshaped,
    score,
    subject,
    subjects,
    walk,
)

EVERYONE = cross_section(subjects())


def _factor(of: list[Subject], universe: CrossSection | None = None) -> dict[str, Score]:
    return factor_scores(of, cross_section(of) if universe is None else universe, source="sample", computed_at=1.0)


def _as_of(day: dt.date | str, tickers: tuple[str, ...] = TICKERS) -> list[Subject]:
    return [Subject(cut(ALL[ticker], day), MARKET) for ticker in tickers]


def _newcomer(rows: int) -> PriceHistory:
    """A stock whose last *rows* sessions are those of the index."""
    days = MARKET.prices.index[-rows:]
    return PriceHistory("NEW", walk(3, rows).prices.set_index(days), "USD")


def test_a_composite_is_where_a_ticker_stands() -> None:
    placed = standings(EVERYONE.now, EVERYONE.now)

    found = _factor(subjects())

    assert {ticker: made.composite_score for ticker, made in found.items()} == equal(placed.composite)
    for made in found.values():
        assert made.composite_score is not None
        assert made.score == math.floor(made.composite_score) / 10
        assert (made.rating, made.profile, made.coverage, made.note) == (
            rate(made.composite_score),
            "factor",
            1.0,
            None,
        )


def test_parts_show_their_measure_their_z_and_what_they_add() -> None:
    found = _factor(subjects())

    for made in found.values():
        assert tuple(made.components) == FACTORS
        assert sum(part.contribution for part in made.components.values()) == nearly(made.composite_score)
        for name, part in made.components.items():
            assert part.inputs[name] == made.measures[name]
            assert (part.weight, part.effective_weight, part.missing) == (0.2, 0.2, None)
            z = part.inputs["z"]
            assert z is not None
            assert part.value == nearly(100 * normal(z))


def test_the_measures_hold_those_of_the_universe_too() -> None:
    found = _factor(subjects())

    alone = score(subjects())
    for ticker, made in found.items():
        own = {name: value for name, value in made.measures.items() if name in alone[ticker].measures}
        assert own == equal(alone[ticker].measures, 1e-12)
        assert made.measures.keys() - own.keys() == {"risk_adjusted", "risk_adjusted_score"}


def test_a_universe_of_nine_falls_back_to_the_default_profile_with_a_note() -> None:
    few = subjects(TICKERS[:9])

    found = _factor(few)

    note = "the universe is too small: 9 tickers can be placed, 10 needed"
    expected = {ticker: replace(made, note=note, computed_at=1.0) for ticker, made in score(few).items()}
    assert everything(*found.values()) == equal(everything(*expected.values()))


def test_a_universe_of_ten_is_enough() -> None:
    found = _factor(subjects(TICKERS[:10]))

    assert {made.profile for made in found.values()} == {"factor"}


def test_members_that_cannot_be_placed_do_not_count() -> None:
    nine_and_a_newcomer = [*subjects(TICKERS[:9]), Subject(_newcomer(100), MARKET)]

    found = _factor(nine_and_a_newcomer)

    assert {made.profile for made in found.values()} == {"alphavelocity"}


def test_a_universe_of_equals_falls_back() -> None:
    clones = [Subject(replace(ALL["AAPL"], ticker=f"A{at}"), MARKET) for at in range(12)]

    found = _factor(clones)

    assert {made.profile for made in found.values()} == {"alphavelocity"}
    assert all(made.note is not None and made.note.startswith("the universe is too small") for made in found.values())


def test_a_member_without_a_factor_does_not_disturb_the_others() -> None:
    found = _factor([*subjects(), Subject(_newcomer(60), MARKET)])

    expected = _factor(subjects())
    new = found.pop("NEW")
    assert {ticker: fields(made) for ticker, made in found.items()} == {
        ticker: equal(fields(made)) for ticker, made in expected.items()
    }
    assert (new.score, new.composite_score, new.rating, new.coverage) == (None, None, "Insufficient Data", 0.0)
    assert {name: part.missing for name, part in new.components.items()} == {
        "momentum_12_1": "60 sessions, 253 needed",
        "risk_adjusted": "60 sessions, 274 needed",
        "residual_momentum": "60 sessions, 757 needed",
        "of_high_52w": "60 sessions, 252 needed",
        "clenow": "60 sessions, 90 needed",
    }
    assert {part.contribution for part in new.components.values()} == {0.0}


def test_a_missing_factor_leaves_its_weight_to_the_others() -> None:
    found = _factor([*subjects(), Subject(_newcomer(300), MARKET)])["NEW"]

    parts = found.components
    assert found.coverage == 0.8
    assert (parts["residual_momentum"].value, parts["residual_momentum"].effective_weight) == (None, 0.0)
    assert {part.effective_weight for name, part in parts.items() if name != "residual_momentum"} == {0.25}
    assert sum(part.contribution for part in parts.values()) == nearly(found.composite_score)


def test_a_factor_that_is_unknown_in_spite_of_enough_rows_says_so() -> None:
    without_market = [*subjects(TICKERS[1:]), subject("AAPL", market=None)]

    part = _factor(without_market)["AAPL"].components["residual_momentum"]

    assert (part.value, part.missing) == (None, "it cannot be computed")


def test_a_subject_outside_of_the_universe_changes_nothing_in_it() -> None:
    universe = cross_section(subjects(TICKERS[1:]))

    alone = _factor(subjects(TICKERS[1:]), universe)
    found = _factor(subjects(), universe)

    outsider = found.pop(TICKERS[0])
    assert everything(*found.values()) == equal(everything(*alone.values()))
    assert outsider.composite_score is not None
    assert found.keys() == set(TICKERS[1:])


def test_one_ticker_alone_has_the_score_it_has_among_all() -> None:
    everyone = _factor(subjects(), EVERYONE)

    for ticker in TICKERS:
        assert fields(_factor(subjects([ticker]), EVERYONE)[ticker]) == equal(fields(everyone[ticker])), ticker


def test_the_order_of_the_universe_changes_nothing() -> None:
    backwards = _factor(subjects(reversed(TICKERS)))

    assert {ticker: fields(made) for ticker, made in backwards.items()} == {
        ticker: equal(fields(made)) for ticker, made in _factor(subjects()).items()
    }


def test_changes_are_the_differences_to_the_scores_of_those_days() -> None:
    found = _factor(subjects())

    for name, day in (("1w", dt.date(2022, 12, 21)), ("1m", dt.date(2022, 11, 28))):
        then = _factor(_as_of(day))
        for ticker, made in found.items():
            before, now = then[ticker].composite_score, made.composite_score
            assert before is not None
            assert now is not None
            assert made.changes[name].as_of == then[ticker].as_of
            assert made.changes[name].composite_score == nearly(before)
            assert made.changes[name].change == nearly(now - before)


def test_a_change_is_unknown_where_the_factors_are_not_the_same() -> None:
    now = _factor(_as_of("2021-02-10"))["AAPL"]

    # A month before there were no 36 complete months.
    assert now.changes["1w"].change is not None
    assert now.changes["1m"].composite_score is not None
    assert now.changes["1m"].change is None


def test_later_prices_of_the_market_change_no_score_of_the_past() -> None:
    found = _factor(_as_of("2022-05-31"))

    expected = _factor([Subject(cut(whole, "2022-05-31"), cut(MARKET, "2022-05-31")) for whole in ALL.values()])
    assert everything(*found.values()) == equal(everything(*expected.values()))


def test_a_score_survives_json() -> None:
    for made in _factor([*subjects(), Subject(_newcomer(60), MARKET)]).values():
        text = json.dumps(to_record(made), allow_nan=False)

        assert from_record(json.loads(text)) == made


def test_all_that_is_known_of_the_universe_is_kept_by_name() -> None:
    assert EVERYONE.tables.keys() == {"now", "1w", "1m"}
    pd.testing.assert_frame_equal(EVERYONE.now, EVERYONE.tables["now"])
    assert _factor(subjects(["AAPL"]), EVERYONE)["AAPL"].as_of == LAST_DAY.isoformat()


def test_a_universe_that_was_too_small_then_gives_no_composite_of_then() -> None:
    grown = [*subjects(TICKERS[:9]), Subject(_newcomer(260), MARKET)]

    found = _factor(grown)["AAPL"]

    assert found.profile == "factor"
    assert found.changes["1m"].composite_score is None


WITHOUT_CLOSES = Subject(replace(reshaped(ALL["AAPL"], adj_close=math.nan), ticker="NOTHING"), MARKET)


def test_one_member_without_adjusted_closes_does_not_spoil_the_universe() -> None:
    universe = cross_section([*subjects(), WITHOUT_CLOSES])

    found = _factor(subjects(), universe)

    assert everything(*found.values()) == equal(everything(*_factor(subjects()).values()))


def test_a_ticker_without_adjusted_closes_is_left_out() -> None:
    found = _factor([WITHOUT_CLOSES, *subjects()], EVERYONE)

    assert everything(*found.values()) == equal(everything(*_factor(subjects()).values()))
