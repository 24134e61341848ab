"""Prices from a folder of one's own: layouts, broken files, and names that lead elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avcache.clock import ManualClock
from avcache.errors import ConfigError, ProviderError
from avcache.market import csv_folder, price_file
from avcache.market.csv_folder import CsvProvider
from avcache.market.provider import COLUMNS, PriceHistory, PriceProvider, validate
from avcache.market.sample import SampleProvider

PLAIN = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-05-02,1,3,0.5,2,1.9,100\n2024-05-03,2,4,1.5,3,2.9,200\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    return own


def read(folder: Path, text: str | bytes, ticker: str = "AAPL") -> PriceHistory:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / f"{ticker}.csv").write_bytes(content)
    return CsvProvider(folder).history(ticker)


def error(folder: Path, text: str | bytes) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read(folder, text)
    assert str(folder) not in str(caught.value)
    assert caught.value.detail.startswith("AAPL.csv: ")
    return caught.value


def parquet_error(folder: Path) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        CsvProvider(folder).history("AAPL")
    assert caught.value.detail.startswith("AAPL.parquet: ")
    return caught.value


def days(found: PriceHistory) -> list[str]:
    return [str(day.date()) for day in found.prices.index]


def test_it_is_a_provider(folder: Path) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    provider: PriceProvider = CsvProvider(folder, "EUR", clock=ManualClock(5.0))

    found = provider.current().histories(["AAPL", "MSFT"])

    history, missing = found["AAPL"], found["MSFT"]
    assert isinstance(history, PriceHistory)
    assert (history.ticker, history.currency, history.fetched_at, history.is_complete) == ("AAPL", "EUR", 5.0, True)
    assert history.as_of == "2024-05-03"
    assert isinstance(missing, ProviderError)
    assert (missing.reason, missing.detail) == ("unknown", "no file among the 1 tickers of AVCACHE_CSV_DIR")
    assert provider.fundamentals(["AAPL"]) == {"AAPL": {}}
    assert provider.name == "csv"
    validate(history)


def test_the_frame_is_as_the_seam_wants_it(folder: Path) -> None:
    prices = read(folder, PLAIN).prices

    assert tuple(prices.columns) == COLUMNS
    assert set(map(str, prices.dtypes)) == {"float64"}
    assert (str(prices.index.dtype), prices.index.name) == ("datetime64[ns]", "date")
    assert prices.iloc[-1].tolist() == [2, 4, 1.5, 3, 2.9, 200]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN + "\n\n , ,\n",
        "date,OPEN,high, Low ,close,adj_close,volume\n2024-05-02,1,3,0.5,2,1.9,100\n2024-05-03,2,4,1.5,3,2.9,200",
        "Volume,adjusted-close,close,low,high,open,timestamp\n100,1.9,2,0.5,3,1,2024-05-02\n200,2.9,3,1.5,4,2,2024-05-03",
        ",Open,High,Low,Close,Adjusted,Volume\n2024-05-02,1,3,0.5,2,1.9,100\n2024-05-03,2,4,1.5,3,2.9,200\n",
        "Unnamed: 0,Open,High,Low,Close,AdjClose,Volume\n2024-05-02,1,3,.5,2,1.9,1e2\n2024-05-03,2,4,1.5,3,2.9,2e2\n",
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-05-03,2,4,1.5,3,2.9,200\n2024-05-02,1,3,0.5,2,1.9,100\n",
        "Date,Time,Open,High,Low,Close,Adj Close,Volume,Dividends\n"
        "2024-05-02,00:00,1,3,0.5,2,1.9,100,x\n2024-05-03,00:00,2,4,1.5,3,2.9,200,\n",
    ],
    ids=["plain", "crlf", "bom", "blank lines", "lower", "other order", "unnamed", "pandas", "newest first", "unknown"],
)
def test_layouts(folder: Path, text: str) -> None:
    expected = read(folder, PLAIN).prices

    pd.testing.assert_frame_equal(read(folder, text).prices, expected)


@pytest.mark.parametrize(
    "written",
    [
        ("2024-05-02", "2024-05-13"),
        ("20240502", "20240513"),
        ("2024-05-02 00:00:00-04:00", "2024-05-13 00:00:00-04:00"),
        ("2024-05-02T23:30:00Z", "2024-05-13T23:30:00Z"),
        ("2024/05/02", "2024/05/13"),
        ("05/02/2024", "05/13/2024"),
        ("02/05/2024", "13/05/2024"),
        ("5/2/2024 16:00:00", "5/13/2024 16:00:00"),
        ("02.05.2024", "13.05.2024"),
        ("02-May-2024", "13-May-2024"),
        ('"May 2, 2024"', '"May 13, 2024"'),
    ],
)
def test_dates(folder: Path, written: tuple[str, str]) -> None:
    found = read(folder, f"date,close\n{written[0]},1\n{written[1]},2\n")

    assert days(found) == ["2024-05-02", "2024-05-13"]


def test_a_date_that_may_be_two_is_refused(folder: Path) -> None:
    found = error(folder, "date,close\n05/05/2024,1\n05/06/2024,2\n")

    assert found.reason == "upstream_error"
    assert "line 3: date '05/06/2024' may be 2024-05-06 or 2024-06-05" in found.detail


@pytest.mark.parametrize(
    "written", ["yesterday", "", "12", "10:30", "2024", "1714694400", "1712011500000", "0001-01-01", "24-05-03", "=1+1"]
)
def test_what_is_no_date_is_refused(folder: Path, written: str) -> None:
    found = error(folder, f"date,close\n2024-05-02,1\n{written},2\n")

    assert found.reason == "upstream_error"
    assert f"line 3: date {written!r} is none; allowed are dates such as 2024-05-03" in found.detail


def test_a_day_may_stand_there_once(folder: Path) -> None:
    found = error(folder, "date,close\n2024-05-02,1\n2024-05-03,2\n2024-05-02 16:00,2\n")

    assert found.reason == "upstream_error"
    assert "line 4: 2024-05-02 stands there twice" in found.detail


@pytest.mark.parametrize(
    ("written", "number"),
    [('"1,234.5"', 1234.5), ('"1,234,567"', 1_234_567.0), ('"-1,234"', -1234.0), (" 2.5 ", 2.5), ("1e3", 1000.0)],
)
def test_numbers(folder: Path, written: str, number: float) -> None:
    assert read(folder, f"date,close\n2024-05-02,{written}\n").prices["close"].tolist() == [number]


@pytest.mark.parametrize("written", ["", " ", "null", "NaN", "N/A", "-", "None"])
def test_rows_without_a_close_are_dropped(folder: Path, written: str) -> None:
    found = read(folder, f"date,open,close\n2024-05-01,1,{written}\n2024-05-02,,2\n2024-05-03\n")

    assert days(found) == ["2024-05-02"]
    assert np.isnan(found.prices["open"].iloc[0])


@pytest.mark.parametrize("written", ["abc", '"101,5"', '"1,23,456"', "inf", "-Infinity", "$5", "1 234", "0x10", "\0"])
def test_a_cell_that_is_no_number_is_named(folder: Path, written: str) -> None:
    found = error(folder, f"date,close,volume\n2024-05-02,1,1\n2024-05-03,2,{written}\n")

    assert found.reason == "upstream_error"
    text = written.strip('"')
    assert f"line 3: volume {text!r} is no number; allowed are" in found.detail


def test_what_is_shown_of_a_cell_is_short(folder: Path) -> None:
    found = error(folder, f"date,close\n2024-05-02,{'9x' * 10_000}\n")

    assert f"'{('9x' * 20)[:39]}…'" in found.detail
    assert len(found.detail) < 200


def test_the_line_is_that_of_the_file(folder: Path) -> None:
    found = error(folder, 'date,close,note\n\n2024-05-02,1,"two\nlines"\n2024-05-03,x,\n')

    assert "line 5: close 'x'" in found.detail


@pytest.mark.parametrize("heading", ["close", "adj close"])
def test_one_of_close_and_adjusted_close_is_enough(folder: Path, heading: str) -> None:
    prices = read(folder, f"date,{heading}\n2024-05-02,7\n").prices

    assert prices[["close", "adj_close"]].iloc[0].tolist() == [7, 7]
    assert prices[["open", "high", "low", "volume"]].isna().all(axis=None)


def test_a_volume_of_nothing_but_zeros_is_none(folder: Path) -> None:
    some = read(folder, "date,close,volume\n2024-05-02,1,0\n2024-05-03,2,5\n").prices["volume"]
    none = read(folder, "date,close,volume\n2024-05-02,1,0\n2024-05-03,2,\n").prices["volume"]

    assert some.tolist() == [0, 5]
    assert none.isna().all()


@pytest.mark.parametrize(
    "text", ["", "date,close\n", "date,close\n2024-05-02,\n2024-05-03,null\n"], ids=["empty", "headings", "no close"]
)
def test_a_file_without_prices_has_no_data(folder: Path, text: str) -> None:
    assert error(folder, text).reason == "no_data"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open,close\n1,2\n", "no date column among 'open', 'close'; allowed headings are date, datetime"),
        ("date,open\n2024-05-02,2\n", "no close column among 'date', 'open'; allowed headings are close and adj close"),
        ("date;close\n2024-05-02;1\n", "no date column among 'date;close'"),
        ("date,close,Close\n2024-05-02,1,2\n", "2 columns for close: 'close', 'Close'; allowed is 1"),
        ("date,adj close,adjusted\n2024-05-02,1,2\n", "2 columns for adj_close"),
        ("date,Date,close\n2024-05-02,2024-05-02,1\n", "2 columns for date"),
        ("date,close,volume\n2024-05-02,1,1,234\n", "line 2: 4 cells, but 3 headings"),
        ('date,close\n2024-05-02,"1\n2024-05-03,2\n', "allowed is UTF-8 text, separated by commas"),
        (f"date,close\n2024-05-02,{'1' * 200_000}\n", "field larger than field limit"),
        (PLAIN.encode("utf-16"), "not UTF-8"),
        (b"PK\x03\x04\xff\xfe", "not UTF-8"),
    ],
)
def test_a_broken_file_is_named_with_what_is_allowed(folder: Path, text: str | bytes, expected: str) -> None:
    found = error(folder, text)

    assert found.reason == "upstream_error"
    assert expected in found.detail


def test_hostile_headings_are_shown_short_and_harmless(folder: Path) -> None:
    headings = ["\x1b[31m", "<script>", "=cmd()", "../../etc", "x" * 10_000, *(f"column {i}" for i in range(1000))]

    found = error(folder, ",".join(headings) + "\n")

    assert "\x1b" not in found.detail
    assert "and 993 more" in found.detail
    assert len(found.detail) < 500


def test_hostile_headings_do_no_harm(folder: Path) -> None:
    found = read(folder, "date,__class__,close,\x1b[31m,../x,index,ticker\n2024-05-02,a,1,b,c,d,e\n")

    assert found.prices["close"].tolist() == [1]
    assert tuple(found.prices.columns) == COLUMNS


def test_a_file_may_be_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "AAPL.csv").touch()
    os.truncate(folder / "AAPL.csv", 50_000_001)

    with pytest.raises(ProviderError, match=r"AAPL\.csv: larger than 50 MB") as caught:
        CsvProvider(folder).history("AAPL")

    assert caught.value.reason == "upstream_error"


def test_a_file_may_have_too_many_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_file, "_MOST_ROWS", 1)
    SampleProvider().history("AAPL").prices.to_parquet(folder / "MSFT.parquet")

    assert "more than 1 rows" in error(folder, PLAIN).detail
    with pytest.raises(ProviderError, match=r"MSFT\.parquet: more than 1 rows"):
        CsvProvider(folder).history("MSFT")


@pytest.mark.parametrize("form", ["csv", "parquet", "parquet without an index", "unnamed parquet", "zoned parquet"])
def test_the_sample_comes_back_the_same(folder: Path, form: str) -> None:
    prices = SampleProvider().history("AAPL").prices
    written = {
        "csv": lambda: prices.to_csv(folder / "AAPL.csv"),
        "parquet": lambda: prices.to_parquet(folder / "AAPL.parquet"),
        "parquet without an index": lambda: prices.reset_index().to_parquet(folder / "AAPL.parquet"),
        "unnamed parquet": lambda: prices.rename_axis(None).to_parquet(folder / "AAPL.parquet"),
        "zoned parquet": lambda: prices.tz_localize("America/New_York").to_parquet(folder / "AAPL.parquet"),
    }

    written[form]()

    pd.testing.assert_frame_equal(CsvProvider(folder).history("AAPL").prices, prices)


@pytest.mark.parametrize("dates", [["2024-05-02", "2024-05-03"], pd.to_datetime(["2024-05-02", "2024-05-03"]).date])
def test_parquet_may_hold_dates_as_text_or_days(folder: Path, dates: object) -> None:
    pd.DataFrame({"Date": dates, "Close": [1, 2], "Volume": ["1,000", None]}).to_parquet(folder / "AAPL.parquet")

    found = CsvProvider(folder).history("AAPL")

    assert days(found) == ["2024-05-02", "2024-05-03"]
    assert found.prices["volume"].iloc[0] == 1000


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"close": [1.0]}, "no date column among 'close'"),
        ({"date": ["2024-05-02"]}, "no close column among 'date'"),
        ({"date": [7], "close": [1.0]}, "row 1: date '7' is none"),
        ({"date": [pd.NaT], "close": [1.0]}, "row 1: date 'None' is none"),
        ({"date": ["2024-05-02"], "close": [float("inf")]}, "row 1: close 'inf' is no number"),
        ({"date": ["2024-05-02"], "close": [True]}, "row 1: close 'True' is no number"),
        ({"date": ["2024-05-02"], "close": [[1.0]]}, "row 1: close '[1.0]' is no number"),
    ],
)
def test_a_broken_parquet_file_is_named(folder: Path, frame: dict[str, list[object]], expected: str) -> None:
    pd.DataFrame(frame).to_parquet(folder / "AAPL.parquet")

    found = parquet_error(folder)

    assert found.reason == "upstream_error"
    assert expected in found.detail


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", PLAIN.encode()])
def test_what_is_no_parquet_is_refused(folder: Path, content: bytes) -> None:
    (folder / "AAPL.parquet").write_bytes(content)

    assert "allowed is a Parquet file with one row per day" in parquet_error(folder).detail


def test_a_parquet_file_cut_anywhere_is_refused(folder: Path) -> None:
    SampleProvider().history("AAPL").prices.to_parquet(folder / "AAPL.parquet")
    whole = (folder / "AAPL.parquet").read_bytes()

    for size in range(0, len(whole), len(whole) // 20 + 1):
        (folder / "AAPL.parquet").write_bytes(whole[:size])
        assert parquet_error(folder).reason == "upstream_error"


def test_names_are_read_as_tickers(folder: Path) -> None:
    for name in ("aapl.CSV", "BRK.B.csv", "^GSPC.csv", "7203.T.Csv", "my notes.csv", "MSFT.txt", ".csv", "_X.csv"):
        (folder / name).write_text(PLAIN)
    (folder / "SUB.csv").mkdir()
    (folder / "deeper").mkdir()
    (folder / "deeper" / "NVDA.csv").write_text(PLAIN)

    provider = CsvProvider(folder)

    assert provider.tickers == ("7203.T", "AAPL", "BRK-B", "^GSPC")
    assert provider.history("aapl").ticker == "AAPL"
    assert all(isinstance(one, PriceHistory) for one in provider.histories(provider.tickers).values())


@pytest.mark.parametrize("names", [("AAPL.csv", "AAPL.parquet"), ("AAPL.csv", "aapl.csv"), ("BRK-B.csv", "BRK.B.csv")])
def test_a_ticker_has_one_file(folder: Path, names: tuple[str, str]) -> None:
    for name in names:
        (folder / name).write_text(PLAIN)
    if len(list(folder.iterdir())) == 1:
        pytest.skip("this file system knows no case")
    provider = CsvProvider(folder)

    with pytest.raises(ProviderError, match="one file per ticker is allowed") as caught:
        provider.history(provider.tickers[0])

    assert caught.value.reason == "upstream_error"
    assert all(name in caught.value.detail for name in names)


@pytest.mark.parametrize(
    "name",
    ["../outside", "..", "/etc/passwd", "{root}/outside", "deeper/AAPL", "AAPL.csv", "AAPL\0", "*", "", "A" * 9999],
)
def test_a_name_never_leads_out_of_the_folder(folder: Path, name: str) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    (folder.parent / "outside.csv").write_text(PLAIN)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "AAPL.csv").write_text(PLAIN)

    with pytest.raises(ProviderError) as caught:
        CsvProvider(folder).history(name.format(root=folder.parent))

    assert caught.value.reason == "unknown"
    assert len(str(caught.value)) < 200


def test_links_are_followed_inside_the_folder_only(folder: Path) -> None:
    (folder.parent / "outside.csv").write_text(PLAIN)
    (folder / "AAPL.csv").write_text(PLAIN)
    (folder / "SAME.csv").symlink_to("AAPL.csv")
    (folder / "OUT.csv").symlink_to("../outside.csv")
    (folder / "LOOP.csv").symlink_to("LOOP.csv")
    (folder / "GONE.csv").symlink_to("nothing.csv")

    assert CsvProvider(folder).tickers == ("AAPL", "SAME")


def test_a_file_that_becomes_a_link_out_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    (folder.parent / "outside.csv").write_text(PLAIN)
    provider = CsvProvider(folder)
    listing = provider._listing
    (folder / "AAPL.csv").unlink()
    (folder / "AAPL.csv").symlink_to("../outside.csv")
    monkeypatch.setattr(provider, "_listed", lambda: listing)  # the change comes between listing and reading

    with pytest.raises(ProviderError, match=r"AAPL\.csv: no longer a file of the folder"):
        provider.history("AAPL")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_file(folder: Path) -> None:
    os.mkfifo(folder / "AAPL.csv")

    assert CsvProvider(folder).tickers == ()


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    link = folder.parent / "link"
    link.symlink_to(folder)

    assert CsvProvider(link).history("AAPL").as_of == "2024-05-03"


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    provider = CsvProvider(folder)
    before = provider.history("AAPL")

    (folder / "AAPL.csv").write_text(PLAIN + "2024-05-06,1,1,1,5,5,1\n")

    assert (before.as_of, provider.history("AAPL").as_of) == ("2024-05-03", "2024-05-06")


@pytest.mark.parametrize("age", [0, 3600], ids=["a fresh folder", "an old folder"])
def test_files_may_come_and_go(folder: Path, age: int) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    past = (folder.stat().st_mtime_ns / 1e9) - age
    os.utime(folder, (past, past))
    provider = CsvProvider(folder)
    assert provider.tickers == ("AAPL",)

    (folder / "MSFT.csv").write_text(PLAIN)
    (folder / "AAPL.csv").unlink()

    assert provider.tickers == ("MSFT",)
    with pytest.raises(ProviderError, match="no file among the 1 tickers"):
        provider.history("AAPL")


def test_an_unchanged_folder_is_listed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    os.utime(folder, (1, 1))
    provider = CsvProvider(folder)
    monkeypatch.setattr(csv_folder, "_list", None)

    assert all(isinstance(one, PriceHistory) for one in provider.histories(["AAPL"] * 3).values())


def test_a_folder_that_goes_away_is_no_unknown_ticker(folder: Path) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    provider = CsvProvider(folder)
    folder.rename(folder.parent / "elsewhere")

    found = provider.histories(["AAPL"])["AAPL"]

    assert isinstance(found, ProviderError)
    assert (found.reason, found.detail) == ("upstream_error", "AVCACHE_CSV_DIR cannot be read now")
    assert (provider.tickers, provider.label) == (("AAPL",), "Own prices, 1 ticker")


def test_a_file_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "AAPL.csv").write_text(PLAIN)
    provider = CsvProvider(folder)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder / "AAPL.csv"))

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ProviderError) as caught:
        provider.history("AAPL")
    assert (caught.value.reason, caught.value.detail) == (
        "upstream_error",
        "AAPL.csv: cannot be read: Permission denied",
    )


@pytest.mark.parametrize(
    ("names", "benchmark"), [(["SPY", "^GSPC"], "^GSPC"), (["AAPL", "SPY"], "SPY"), (["AAPL"], "SPY"), ([], "SPY")]
)
def test_the_benchmark(folder: Path, names: list[str], benchmark: str) -> None:
    for name in names:
        (folder / f"{name}.csv").write_text(PLAIN)

    assert CsvProvider(folder).benchmark == benchmark


def test_the_label_tells_the_last_day_of_the_benchmark(folder: Path) -> None:
    provider = CsvProvider(folder)
    labels = [provider.label]
    (folder / "AAPL.csv").write_text("broken")
    labels.append(provider.label)
    (folder / "SPY.csv").write_text(PLAIN)
    labels.append(provider.label)
    (folder / "SPY.csv").write_text(PLAIN + "2024-05-06,1,1,1,5,5,1\n")
    labels.append(provider.label)
    (folder / "SPY.csv").write_text("broken")
    labels.append(provider.label)

    assert labels == [
        "Own prices, 0 tickers",
        "Own prices, 1 ticker",
        "Own prices, 2 tickers, last day 2024-05-03",
        "Own prices, 2 tickers, last day 2024-05-06",
        "Own prices, 2 tickers",
    ]


def test_the_label_reads_its_file_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "SPY.csv").write_text(PLAIN)
    provider = CsvProvider(folder)
    first = provider.label
    monkeypatch.setattr(provider, "history", None)

    assert provider.label == first == "Own prices, 1 ticker, last day 2024-05-03"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere", "No such file or directory"),
        ("file", "Not a directory"),
        ("circle", "links|loop"),
        ("zero\0", "null"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_read_is_a_wrong_setting(folder: Path, name: str, why: str) -> None:
    (folder / "file").touch()
    (folder / "circle").symlink_to("circle")

    with pytest.raises(ConfigError, match=rf"AVCACHE_CSV_DIR='.*: .*({why}).*; a folder is allowed that") as caught:
        CsvProvider(folder / name)

    assert len(str(caught.value)) < 450
