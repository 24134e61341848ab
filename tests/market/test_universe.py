"""Universes and categories: the bundled ones, one's own, and every fault of a file."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from avcache.errors import ConfigError, InvalidInput
from avcache.market.universe import SAMPLE_25, Category, Universe, Universes, load_universes
from tests.servers import ROOT

OWN = '[[universe]]\nname = "Mine"\ntickers = ["brk.b", "KO", "ko"]\n'
CATEGORY = '[[category]]\nname = "Drinks"\ntarget = 60\nbenchmark = "xlp"\ntickers = ["KO", "PEP"]\n'


@pytest.fixture
def bundled() -> Universes:
    return load_universes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def loaded(file: Path, text: str) -> Universes:
    file.write_text(text, encoding="utf-8")
    return load_universes(file)


def fault(file: Path, text: str) -> str:
    """What is said of a file of this *text*, behind the file's name."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_universes(file)
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


def category(name: str = "A", target: object = 10, benchmark: object = '"SPY"', tickers: object = '["KO"]') -> str:
    return f'[[category]]\nname = "{name}"\ntarget = {target}\nbenchmark = {benchmark}\ntickers = {tickers}\n'


# The bundled ones


def test_the_sample_is_the_first_universe(bundled: Universes) -> None:
    assert bundled.default == bundled.names[0] == "Sample 25"
    assert bundled.get("Sample 25") == SAMPLE_25
    assert len(SAMPLE_25) == 25


def test_the_categories_are_the_documented_eight(bundled: Universes) -> None:
    found = [(one.name, round(one.target * 100), one.benchmark, len(one.tickers)) for one in bundled.categories]

    assert found == [
        ("Large-Cap Anchors", 20, "QQQ", 18),
        ("Small-Cap Specialists", 15, "XLK", 10),
        ("Data Center Infrastructure", 15, "VNQ", 11),
        ("International Tech/Momentum", 12, "VEA", 4),
        ("Tactical Fixed Income", 8, "AGG", 3),
        ("Sector Momentum Rotation", 10, "SPY", 5),
        ("Critical Metals & Mining", 7, "XLB", 9),
        ("Specialized Materials ETFs", 5, "XLB", 3),
    ]
    assert math.isclose(sum(one.target for one in bundled.categories), 0.92)


def test_a_category_is_a_universe_too(bundled: Universes) -> None:
    assert bundled.get("tactical fixed INCOME") == ("SHY", "VCIT", "IPE")
    assert bundled.names == ("Sample 25", *(one.name for one in bundled.categories))


def test_a_ticker_has_one_category_or_none(bundled: Universes) -> None:
    found = bundled.category_of(" nvda")

    assert found is not None
    assert (found.name, found.benchmark) == ("Large-Cap Anchors", "QQQ")
    assert bundled.category_of("XOM") is None
    assert bundled.category_of("no ticker") is None


def test_an_unknown_name_is_refused_with_the_known_ones(bundled: Universes) -> None:
    with pytest.raises(InvalidInput, match="universe='Sample 26': known are Sample 25, Large-Cap Anchors, "):
        bundled.get("Sample 26")


def test_a_long_unknown_name_is_not_repeated(bundled: Universes) -> None:
    with pytest.raises(InvalidInput) as caught:
        bundled.get("x" * 1000)

    assert "x" * 61 not in str(caught.value)


def test_importing_universes_imports_no_pandas() -> None:
    code = "import sys, avcache.market.universe; sys.exit('pandas' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# One's own


def test_ones_own_universes_come_first(file: Path, bundled: Universes) -> None:
    universes = loaded(file, OWN)

    assert universes.names == ("Mine", *bundled.names)
    assert universes.default == "Mine"
    assert universes.get("mine") == ("BRK-B", "KO")
    assert universes.categories == bundled.categories


def test_a_universe_of_the_same_name_replaces_the_bundled_one(file: Path, bundled: Universes) -> None:
    universes = loaded(file, OWN.replace("Mine", "sample 25"))

    assert universes.names == ("sample 25", *bundled.names[1:])
    assert universes.get("Sample 25") == ("BRK-B", "KO")


def test_ones_own_categories_replace_the_bundled_ones(file: Path) -> None:
    universes = loaded(file, CATEGORY)

    assert universes.categories == (Category("Drinks", ("KO", "PEP"), 0.6, "XLP"),)
    assert universes.names == ("Sample 25", "Drinks")
    assert universes.category_of("NVDA") is None


def test_a_name_of_a_replaced_category_is_free(file: Path) -> None:
    universes = loaded(file, OWN.replace("Mine", "Large-Cap Anchors") + CATEGORY)

    assert universes.plain[0] == Universe("Large-Cap Anchors", ("BRK-B", "KO"))


def test_a_category_may_take_the_name_of_the_sample(file: Path) -> None:
    universes = loaded(file, category("Sample 25"))

    assert universes.names == (universes.default,) == ("Sample 25",)
    assert universes.get("Sample 25") == ("KO",)


def test_tickers_may_be_one_text_and_the_file_begin_with_a_mark(file: Path) -> None:
    universes = loaded(file, '\ufeff[[universe]]\nname = " Mine "\ntickers = """\nKO, PEP\nT"""\n')

    assert universes.get("Mine") == ("KO", "PEP", "T")


def test_targets_may_add_up_to_all(file: Path) -> None:
    texts = [
        category(name, target, tickers=f'["{name}"]') for name, target in zip("ABC", (33.3, 33.3, 33.4), strict=True)
    ]

    assert len(loaded(file, "".join(texts)).categories) == 3


# Faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; at least one [[universe]] or [[category]] is wanted"),
        ("universe = []", "is empty"),
        ("[[universe]\n", "is no TOML: "),
        ("a = " + "[" * 5000, "is no TOML: "),
        ("[[universes]]\n", "'universes': unknown table; allowed are [[universe]] and [[category]]"),
        ('[universe]\nname = "A"\n', "universe={'name': 'A'}: entries are wanted, each below a line [[universe]]"),
        ("category = [1]", "category=[1]: entries are wanted"),
        ("[[universe]]\n", "universe 1: name='': a name has 1 to 60 printable characters"),
        ("[[universe]]\nname = 5\n", "universe 1: name=5: a name has"),
        ('[[universe]]\nname = "a\\nb"\n', "universe 1: name='a\\nb': a name has"),
        (f'[[universe]]\nname = "{"x" * 61}"\n', "universe 1: name='xxx"),
        ('[[universe]]\nname = "A"\n', "universe 1 'A': tickers is missing; wanted are name, tickers"),
        (OWN + "target = 5\n", "universe 1 'Mine': 'target': unknown field; allowed are name, tickers"),
        (
            OWN.replace('"KO"', '"K/O"'),
            "universe 1 'Mine': tickers=['brk.b', 'K/O', 'ko']: no tickers: 'K/O'; a ticker",
        ),
        (OWN.replace('"KO"', "5"), "universe 1 'Mine': tickers=['brk.b', 5, 'ko']: no tickers: '5'; a ticker has"),
        (
            '[[universe]]\nname = "A"\ntickers = []\n',
            "universe 1 'A': tickers=[]: 1 to 500 tickers are allowed, 0 found",
        ),
        ('[[universe]]\nname = "A"\ntickers = 5\n', "universe 1 'A': tickers=5: a list of tickers is wanted"),
        (category(target='"5"'), "category 1 'A': target='5': a target is a number of percent from 0 to 100"),
        (category(target="true"), "category 1 'A': target=True: a target is"),
        (category(target="nan"), "category 1 'A': target=nan: a target is"),
        (category(target=-1), "category 1 'A': target=-1: a target is"),
        (category(target=100.5), "category 1 'A': target=100.5: a target is"),
        (category(benchmark='"S P"'), "category 1 'A': benchmark='S P': a ticker is wanted, such as SPY"),
        (category(benchmark=5), "category 1 'A': benchmark=5: a ticker is wanted"),
        (
            category("A", 60) + category("B", 40.5, tickers='["PEP"]'),
            "category: the targets add up to 100.5 percent; at most 100 are allowed",
        ),
        (category() + category("B", tickers='["ko"]'), "KO: is in the categories 'A' and 'B'; one is allowed"),
        (OWN + OWN.replace("Mine", "MINE"), "'MINE': two entries have this name; each name is allowed once"),
        (OWN + category("mine"), "'mine': two entries have this name"),
        (OWN.replace("Mine", "large-cap anchors"), "universe 'large-cap anchors': a bundled category has this name"),
    ],
)
def test_a_fault_is_named(file: Path, text: str, said: str) -> None:
    assert fault(file, text).startswith(said)


def test_too_many_tickers_are_refused(file: Path) -> None:
    tickers = [f"T{number}" for number in range(501)]

    assert fault(file, f'[[universe]]\nname = "A"\ntickers = {tickers}\n').endswith(
        "1 to 500 tickers are allowed, 501 found"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(ConfigError, match=r"cannot be read .*a TOML file is wanted") as caught:
            load_universes(path)

        assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_no_text_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_universes(file)


@pytest.mark.parametrize("name", ["Uncategorised", "UNALLOCATED"])
def test_names_for_what_is_in_no_category_are_taken(tmp_path: Path, name: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'[[category]]\nname = "{name}"\ntarget = 10\nbenchmark = "SPY"\ntickers = "AAPL"\n')

    with pytest.raises(ConfigError, match="stands for what is in no category"):
        load_universes(own)
