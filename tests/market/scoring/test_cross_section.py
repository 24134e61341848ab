"""Measures within a universe, against plain formulas."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from avcache.market.scoring import Subject, measure_table
from avcache.market.scoring.cross_section import FACTORS, normal, percentiles, risk_adjusted, standings
from tests.market.scoring import reference
from tests.market.scoring.sample import ALL, DAYS, MARKET, TICKERS, cut, equal, nearly, score, subjects

TABLE = measure_table(subjects())


def _universe(**columns: list[float]) -> pd.DataFrame:
    """A table of made-up figures; what is not said is unknown."""
    rows = len(next(iter(columns.values())))
    index = pd.Index([f"T{row:02}" for row in range(rows)], name="ticker")
    return pd.DataFrame(columns, index=index, columns=TABLE.columns, dtype="float64")


def _random(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    names = ("momentum_12_1", "msci_ratio_6", "msci_ratio_12", "residual_momentum", "of_high_52w", "clenow")
    return _universe(**{name: list(random.normal(size=rows)) for name in names})


def _expected_z(table: pd.DataFrame) -> pd.DataFrame:
    """2.2 and 2.3: the z-scores of the five factors of a universe."""
    blend = (table["msci_ratio_6"] - table["msci_ratio_6"].mean()) / table["msci_ratio_6"].std(ddof=0)
    blend += (table["msci_ratio_12"] - table["msci_ratio_12"].mean()) / table["msci_ratio_12"].std(ddof=0)
    whole = table.assign(risk_adjusted=reference.z_scores(blend / 2))
    return pd.DataFrame({name: reference.z_scores(whole[name]) for name in FACTORS})


def _expected_composite(z: pd.DataFrame) -> pd.Series[float]:
    """2.3: the mean of three at least, standardised, as a share of the normal distribution."""
    mean = z.mean(axis=1).where(z.notna().sum(axis=1) >= 3)
    standard = (mean - mean.mean()) / mean.std(ddof=0)
    return standard.map(lambda value: 100 * NormalDist().cdf(value))


def _figures(values: pd.Series[float]) -> dict[str, float | None]:
    return {str(ticker): float(value) for ticker, value in values.items()}


@pytest.mark.parametrize("day", DAYS[4:], ids=str)
def test_the_standing_of_every_ticker_equals_the_plain_formula(day: pd.Timestamp) -> None:
    table = measure_table([Subject(cut(whole, day), MARKET) for whole in ALL.values()])

    found = standings(table, table)

    expected = _expected_z(table)
    composite, z = _expected_composite(expected), expected.to_dict("index")
    for ticker in TICKERS:
        known = {name: value for name, value in found.z[ticker].items() if math.isfinite(value)}
        assert known == equal({str(name): value for name, value in z[ticker].items() if math.isfinite(value)}), ticker
        assert found.composite_of(ticker) == nearly(composite[ticker]), ticker
    assert found.members == composite.notna().sum()


def test_the_plain_formulas_give_the_recorded_ranks() -> None:
    made = score(subjects())
    table = TABLE.join(risk_adjusted(TABLE)).assign(
        v2=pd.Series({ticker: found.composite_score for ticker, found in made.items()}, dtype="float64")
    )

    found = reference.spearman(table, FACTORS, "v2")

    assert found == {
        "momentum_12_1": pytest.approx(0.65, abs=0.01),
        "risk_adjusted": pytest.approx(0.65, abs=0.01),
        "of_high_52w": pytest.approx(0.79, abs=0.01),
        "clenow": pytest.approx(0.64, abs=0.01),
        "residual_momentum": pytest.approx(0.69, abs=0.01),
    }
    among = table[list(FACTORS)].rank().corr().to_numpy()[np.triu_indices(5, 1)]
    assert (among.min(), among.max()) == (pytest.approx(0.45, abs=0.01), pytest.approx(0.89, abs=0.01))


@pytest.mark.parametrize(("z", "share"), [(0.0, 0.5), (1.0, 0.841344746), (-1.959963985, 0.025), (3.0, 0.998650102)])
def test_the_normal_distribution_is_the_usual_one(z: float, share: float) -> None:
    assert normal(z) == pytest.approx(share, abs=1e-9)


def test_the_composite_is_the_share_of_the_normal_distribution_below_z() -> None:
    table = _random(40)

    found = standings(table, table).composite

    values = pd.Series(found)
    back = values.map(lambda value: NormalDist().inv_cdf(value / 100))
    assert (back.mean(), back.std(ddof=0)) == (nearly(0.0), nearly(1.0))


def test_z_scores_are_cut_at_three() -> None:
    outlier = [0.0, 1.0] * 20 + [100.0]
    table = _random(41).assign(clenow=outlier, momentum_12_1=[-value for value in outlier])

    found = standings(table, table).z["T40"]

    assert (found["clenow"], found["momentum_12_1"]) == (3.0, -3.0)


def test_msci_z_is_cut_at_three_and_becomes_a_score_above_zero() -> None:
    ratios = [0.0, 1.0] * 20 + [100.0]
    table = _universe(msci_ratio_6=ratios, msci_ratio_12=ratios)

    up = risk_adjusted(table).loc["T40"]
    down = risk_adjusted(-table).loc["T40"]

    assert (up["risk_adjusted"], up["risk_adjusted_score"]) == (3.0, 4.0)
    assert (down["risk_adjusted"], down["risk_adjusted_score"]) == (-3.0, 0.25)


@pytest.mark.parametrize("ratio", ["msci_ratio_6", "msci_ratio_12"])
def test_msci_z_needs_both_ratios(ratio: str) -> None:
    table = _random(20)
    table.loc["T07", ratio] = math.nan

    found = risk_adjusted(table)

    assert found["risk_adjusted"].isna().sum() == found["risk_adjusted_score"].isna().sum() == 1
    assert math.isnan(found["risk_adjusted"].to_dict()["T07"])


def test_a_table_is_held_against_the_universe_and_does_not_change_it() -> None:
    universe, others = TABLE.drop(index=["AAPL", "XOM"]), TABLE.loc[["AAPL", "XOM"]]

    alone = standings(universe, universe)
    found = standings(universe, pd.concat([universe, others * 10]))

    assert {ticker: found.composite[ticker] for ticker in universe.index} == equal(alone.composite)
    assert found.members == alone.members == 23


def test_an_outsiders_z_is_by_the_mean_and_deviation_of_the_universe() -> None:
    universe, outsider = TABLE.drop(index="AAPL"), TABLE.loc[["AAPL"]]

    found = standings(universe, outsider).z["AAPL"]

    for name in ("momentum_12_1", "residual_momentum", "of_high_52w", "clenow"):
        theirs = universe[name]
        assert found[name] == nearly((outsider[name].iloc[0] - theirs.mean()) / theirs.std(ddof=0))


def test_one_factor_where_all_are_the_same_does_not_count() -> None:
    table = _random(20).assign(of_high_52w=0.3)

    found = standings(table, table)

    assert found.known("T00") == set(FACTORS) - {"of_high_52w"}
    assert _figures(pd.Series(found.composite)) == equal(_figures(_expected_composite(_expected_z(table))))


def test_where_all_are_the_same_nobody_can_be_placed() -> None:
    table = _universe(**{name: [0.1] * 15 for name in ("momentum_12_1", "of_high_52w", "clenow", "residual_momentum")})

    found = standings(table, table)

    assert found.members == 0
    assert found.composite_of("T00") is None


@pytest.mark.parametrize(("known", "is_placed"), [(2, False), (3, True), (4, True)])
def test_three_factors_are_needed(known: int, is_placed: bool) -> None:
    table = _random(20)
    table.loc["T03", ["of_high_52w", "clenow", "momentum_12_1", "residual_momentum"][known - 1 :]] = math.nan

    found = standings(table, table)

    assert len(found.known("T03")) == known
    assert (found.composite_of("T03") is not None) == is_placed
    assert found.members == 19 + is_placed


@pytest.mark.parametrize("seed", range(5))
def test_contributions_of_factors_add_up_to_the_composite(seed: int) -> None:
    table = _random(30, seed)
    random = np.random.default_rng(seed)
    holed = table.where(random.uniform(size=table.shape) > 0.15)

    found = standings(holed, holed)

    for ticker, composite in found.composite.items():
        if math.isfinite(composite):
            parts = found.contributions[ticker]
            assert sum(value for value in parts.values() if math.isfinite(value)) == nearly(composite)


def test_contributions_have_the_order_of_the_z_scores() -> None:
    found = standings(TABLE, TABLE)

    for ticker in TICKERS:
        by_z = sorted(FACTORS, key=lambda name: found.z[ticker][name])
        assert by_z == sorted(FACTORS, key=lambda name: found.contributions[ticker][name]), ticker


def test_the_order_of_the_universe_changes_nothing() -> None:
    shuffled = TABLE.sample(frac=1, random_state=1)

    found = standings(shuffled, TABLE)

    assert found.composite == equal(standings(TABLE, TABLE).composite)


@pytest.mark.parametrize("ticker", TICKERS)
def test_a_percentile_is_the_share_that_is_at_most_as_high(ticker: str) -> None:
    found = percentiles(TABLE, ticker)

    assert found.keys() == set(TABLE.columns)
    for name, share in found.items():
        own = TABLE[name].to_dict()[ticker]
        assert share == sum(value <= own for value in TABLE[name]) / 25


def test_a_percentile_counts_only_what_is_known() -> None:
    table = _universe(beta=[1.0, 2.0, math.nan, 3.0], clenow=[math.nan, 1.0, 1.0, 5.0])

    assert percentiles(table, "T00") == {"beta": 1 / 3}
    assert percentiles(table, "T01") == {"beta": 2 / 3, "clenow": 2 / 3}
    assert percentiles(table, "T03") == {"beta": 1.0, "clenow": 1.0}
