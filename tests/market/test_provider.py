"""The sample, the switch to live prices, and what is fit for the cache."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from avcache.errors import ProviderError
from avcache.market.auto import AutoProvider
from avcache.market.provider import COLUMNS, PriceHistory, PriceProvider, validate
from avcache.market.sample import SampleProvider
from avcache.market.universe import SAMPLE_25
from tests.market.doubles import MemoryProvider, history, steady

PATIENCE = 5.0


class GatedProvider(MemoryProvider):
    """A provider that waits for `answer` before its first success, and says when it was `probed`."""

    def __init__(self) -> None:
        super().__init__({"SPY": steady(0.001, ticker="SPY")}, name="live", benchmark="SPY")
        self.probed = threading.Semaphore(0)
        self.error: Exception | None = ProviderError("SPY", "timeout", "no answer")

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        try:
            if isinstance(self.error, ProviderError):
                return dict.fromkeys(tickers, self.error)
            if self.error is not None:
                raise self.error
            return super().histories(tickers)
        finally:
            self.probed.release()


@pytest.fixture
def live() -> GatedProvider:
    return GatedProvider()


@pytest.fixture
def auto(live: GatedProvider) -> Iterator[AutoProvider]:
    subject = AutoProvider(live, SampleProvider(), interval=0.005)
    yield subject
    subject.stop()


def _wait_for_the_end_of_probing() -> None:
    for thread in threading.enumerate():
        if thread.name == "avcache-provider-probe":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_the_sample_is_the_file_its_readme_describes() -> None:
    folder = resources.files("avcache.market") / "data"
    digest = hashlib.sha256((folder / "prices_daily.parquet").read_bytes()).hexdigest()

    readme = (folder / "README.md").read_text(encoding="utf-8")

    assert digest in readme
    assert "not for investment" in readme


def test_the_sample_has_the_stocks_of_its_universe() -> None:
    sample = SampleProvider()

    assert sample.tickers == SAMPLE_25
    assert len(SAMPLE_25) == 25
    assert sample.label == "Sample prices, last day 2022-12-28"


@pytest.mark.parametrize("ticker", [*SAMPLE_25, "^GSPC"])
def test_every_sample_history_keeps_the_contract(ticker: str) -> None:
    found = SampleProvider().history(ticker)

    validate(found)
    index = found.prices.index
    assert isinstance(index, pd.DatetimeIndex)
    assert (index.name, index.tz, len(index)) == ("date", None, 1257)
    assert tuple(found.prices.columns) == COLUMNS
    assert set(found.prices.dtypes) == {np.dtype("float64")}
    assert found.currency == "USD"


def test_a_ticker_outside_the_sample_is_unknown() -> None:
    with pytest.raises(ProviderError, match="25 stocks") as caught:
        SampleProvider().history("TSLA")

    assert caught.value.reason == "unknown"


def test_frames_handed_out_are_the_callers_own() -> None:
    sample = SampleProvider()

    mine = sample.history("AAPL").prices
    mine.loc[:, "close"] = 0.0

    assert sample.history("AAPL").prices["close"].iloc[-1] == 126.04


def test_the_sample_is_read_once_whoever_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Mock(wraps=pd.read_parquet)
    monkeypatch.setattr(pd, "read_parquet", reading)
    sample = SampleProvider()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sample.history, SAMPLE_25))

    assert reading.call_count == 1


@pytest.mark.parametrize(
    ("closes", "reason"),
    [([1.0], "no_data"), ([], "no_data"), ([1, math.nan], "upstream_error"), ([1, 0], "upstream_error")],
)
def test_a_history_unfit_for_the_cache_is_refused(closes: list[float], reason: str) -> None:
    with pytest.raises(ProviderError) as caught:
        validate(history(closes))

    assert caught.value.reason == reason


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 1, 1]])
def test_dates_that_do_not_increase_are_refused(order: list[int]) -> None:
    found = history([1, 2, 3])

    with pytest.raises(ProviderError, match="do not increase"):
        validate(PriceHistory("AAPL", found.prices.iloc[order], "USD"))


@pytest.mark.parametrize("last", [10_001.0, 0.5])
def test_a_jump_by_a_hundred_without_a_split_is_refused(last: float) -> None:
    before = history([99.0, 100.0])

    with pytest.raises(ProviderError, match=f"from 100 to {last:g} without a split") as caught:
        validate(history([99.0, 100.0, last]), before)

    assert caught.value.reason == "upstream_error"


def test_a_jump_with_a_split_since_is_none() -> None:
    before, after = history([99.0, 100.0]), history([99.0, 100.0, 0.5])

    validate(replace(after, last_split=after.as_of), before)


def test_a_change_of_currency_is_no_jump() -> None:
    before, after = history([9_900.0, 10_000.0], currency="GBp"), history([99.0, 100.0], currency="GBP")

    validate(after, before)


@pytest.mark.parametrize("adjusted", [0.0, -1.0])
def test_adjusted_closes_of_nothing_are_refused(adjusted: float) -> None:
    found = history([1, 2, 3])
    found.prices.loc[found.prices.index[1], "adj_close"] = adjusted

    with pytest.raises(ProviderError, match="adjusted closes of 0 or less"):
        validate(found)


def test_a_batch_says_of_each_ticker_what_became_of_it() -> None:
    found = SampleProvider().histories(["AAPL", "NOPE", "KO"])

    assert [type(outcome) for outcome in found.values()] == [PriceHistory, ProviderError, PriceHistory]
    assert list(found) == ["AAPL", "NOPE", "KO"]


def test_construction_probes_nothing(auto: AutoProvider, live: GatedProvider) -> None:
    assert (auto.name, auto.benchmark, auto.label) == (
        "sample",
        "^GSPC",
        "Sample prices, last day 2022-12-28",
    )
    assert isinstance(auto.histories(["AAPL"])["AAPL"], PriceHistory)
    assert auto.fundamentals(["AAPL"]) == {"AAPL": {}}
    assert not live.probed.acquire(blocking=False)


def test_the_live_source_takes_over_once_it_answers(auto: AutoProvider, live: GatedProvider) -> None:
    auto.start()
    auto.start()
    assert live.probed.acquire(timeout=PATIENCE)
    assert live.probed.acquire(timeout=PATIENCE)
    before = auto.current().name

    live.error = None
    _wait_for_the_end_of_probing()

    assert (before, auto.name, auto.benchmark) == ("sample", "live", "SPY")
    assert auto.label == live.label
    assert auto.current() is live


def test_probing_survives_a_provider_with_a_bug(
    auto: AutoProvider, live: GatedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    live.error = KeyError("a bug")
    auto.start()
    assert live.probed.acquire(timeout=PATIENCE)
    assert live.probed.acquire(timeout=PATIENCE)

    live.error = None
    _wait_for_the_end_of_probing()

    assert auto.name == "live"
    assert "provider.probe_failed" in caplog.messages


def test_an_answer_unfit_for_the_cache_is_no_answer(auto: AutoProvider, live: GatedProvider) -> None:
    live.error = None
    live.given["SPY"] = history([1.0], "SPY")
    auto.start()
    assert live.probed.acquire(timeout=PATIENCE)
    assert live.probed.acquire(timeout=PATIENCE)

    auto.stop()

    assert auto.name == "sample"


def test_stopping_ends_a_long_wait_at_once(live: GatedProvider) -> None:
    auto = AutoProvider(live, SampleProvider(), interval=3600)
    auto.start()
    assert live.probed.acquire(timeout=PATIENCE)

    auto.stop(timeout=PATIENCE)

    _wait_for_the_end_of_probing()
    assert auto.name == "sample"


def test_each_provider_is_its_own_snapshot() -> None:
    sample = SampleProvider()
    snapshot: PriceProvider = sample.current()

    assert snapshot is sample
