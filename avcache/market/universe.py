"""
Named lists of tickers: universes to rank, and categories a portfolio is spread over.

The bundled ones are in `data/universes.toml`, which shows the form of a file of one's own as well.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from avcache.errors import ConfigError, InvalidInput
from avcache.market.tickers import excerpt, parse_tickers, shortened, ticker_or_none

__all__ = ["SAMPLE_25", "Category", "Universe", "Universes", "load_universes"]

_BUNDLED = "data/universes.toml"
_FIELDS = {"universe": ("name", "tickers"), "category": ("name", "target", "benchmark", "tickers")}
_LONGEST_NAME = 60
_TAKEN = frozenset({"uncategorised", "unallocated"})
_NAME = f"a name has 1 to {_LONGEST_NAME} printable characters"
_TARGET = "a target is a number of percent from 0 to 100"

_Table: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Universe:
    """A named list of tickers in Yahoo's spelling, each once."""

    name: str
    tickers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category(Universe):
    """A universe that shall make up *target* (0 to 1) of a portfolio, and the ticker it is compared with."""

    target: float
    benchmark: str


@dataclass(frozen=True, slots=True)
class Universes:
    """All universes there are: *plain* ones and *categories*; names differ in more than upper and lower case."""

    plain: tuple[Universe, ...]
    categories: tuple[Category, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, those of the categories last."""
        return tuple(one.name for one in self._all())

    @property
    def default(self) -> str:
        """The name of the first universe."""
        return self.names[0]

    def get(self, name: str) -> tuple[str, ...]:
        """
        Return the tickers of the universe or category *name*, in upper or lower case.

        Raises:
            InvalidInput: There is none of this name; the message names those there are.
        """
        for one in self._all():
            if _same(one.name, name):
                return one.tickers
        raise InvalidInput("universe", excerpt(name), f"known are {', '.join(self.names)}")

    def category_of(self, ticker: str) -> Category | None:
        """Return the category that *ticker*, in any spelling, is in; None if it is in none."""
        wanted = ticker_or_none(ticker)
        return next((one for one in self.categories if wanted in one.tickers), None)

    def _all(self) -> Iterable[Universe]:
        return chain(self.plain, self.categories)


def load_universes(path: Path | None = None) -> Universes:
    """
    Return the bundled universes, and before them those of the file at *path*.

    A universe of the file replaces the bundled one of its name. If the file has any category, its categories replace
    the bundled ones.

    Raises:
        ConfigError: What is wrong with the file: it names the entry, what was found, and what is allowed.
    """
    bundled = resources.files("avcache.market") / _BUNDLED
    shipped = _read(bundled.read_text(encoding="utf-8"), _BUNDLED)
    if path is None:
        return shipped
    own = _read(_text_of(path), str(path))
    if not own.categories:
        _check_beside(own.plain, shipped.categories, str(path))
    return Universes(_over(own, shipped.plain), own.categories or shipped.categories)


def _over(own: Universes, shipped: Sequence[Universe]) -> tuple[Universe, ...]:
    kept = [one for one in shipped if not any(_same(one.name, name) for name in own.names)]
    return (*own.plain, *kept)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); a TOML file is wanted") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: is not UTF-8; a TOML file is wanted") from exc


def _read(text: str, file: str) -> Universes:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{file}: is no TOML: {shortened(str(exc), 120)}") from exc
    for table in document:
        if table not in _FIELDS:
            raise ConfigError(f"{file}: {_shown(table)}: unknown table; allowed are [[universe]] and [[category]]")
    found = Universes(
        tuple(_universe(one, place) for one, place in _entries(document, "universe", file)),
        tuple(_category(one, place) for one, place in _entries(document, "category", file)),
    )
    if not found.names:
        raise ConfigError(f"{file}: is empty; at least one [[universe]] or [[category]] is wanted")
    _check_names(found, file)
    _check_categories(found.categories, file)
    return found


def _entries(document: _Table, table: str, file: str) -> list[tuple[_Table, str]]:
    """The entries of *table*, and what messages call each."""
    entries = document.get(table, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ConfigError(f"{file}: {table}={_shown(entries)}: entries are wanted, each below a line [[{table}]]")
    return [_checked(entry, table, f"{file}: {table} {number}") for number, entry in enumerate(entries, start=1)]


def _checked(entry: _Table, table: str, place: str) -> tuple[_Table, str]:
    """*entry*, which has a name and all its fields, and what messages call it."""
    name = entry.get("name", "")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"{place}: name={_shown(name)}: {_NAME}")
    place += f" {_shown(name)}"
    wanted = ", ".join(_FIELDS[table])
    for field in entry:
        if field not in _FIELDS[table]:
            raise ConfigError(f"{place}: {_shown(field)}: unknown field; allowed are {wanted}")
    for field in _FIELDS[table]:
        if field not in entry:
            raise ConfigError(f"{place}: {field} is missing; wanted are {wanted}")
    return entry, place


def _universe(entry: _Table, place: str) -> Universe:
    return Universe(str(entry["name"]).strip(), _tickers(entry["tickers"], place))


def _category(entry: _Table, place: str) -> Category:
    return Category(
        name=str(entry["name"]).strip(),
        tickers=_tickers(entry["tickers"], place),
        target=_target(entry["target"], place),
        benchmark=_benchmark(entry["benchmark"], place),
    )


def _tickers(given: object, place: str) -> tuple[str, ...]:
    if not isinstance(given, list | str):
        raise ConfigError(f"{place}: tickers={_shown(given)}: a list of tickers is wanted")
    try:
        return parse_tickers(given)
    except InvalidInput as exc:
        raise ConfigError(f"{place}: {exc}") from exc


def _benchmark(given: object, place: str) -> str:
    ticker = ticker_or_none(given)
    if ticker is None:
        raise ConfigError(f"{place}: benchmark={_shown(given)}: a ticker is wanted, such as SPY")
    return ticker


def _target(given: object, place: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 100:
        raise ConfigError(f"{place}: target={_shown(given)}: {_TARGET}")
    return given / 100


def _check_names(found: Universes, file: str) -> None:
    seen: set[str] = set()
    for name in (name for name in found.names if name.casefold() in _TAKEN):
        raise ConfigError(f"{file}: {_shown(name)}: this name stands for what is in no category; another is wanted")
    for name in found.names:
        if name.casefold() in seen:
            raise ConfigError(f"{file}: {_shown(name)}: two entries have this name; each name is allowed once")
        seen.add(name.casefold())


def _check_beside(own: Sequence[Universe], shipped: Sequence[Category], file: str) -> None:
    for one in own:
        if any(_same(one.name, category.name) for category in shipped):
            raise ConfigError(
                f"{file}: universe {_shown(one.name)}: a bundled category has this name; another is wanted"
            )


def _check_categories(categories: Sequence[Category], file: str) -> None:
    percent = math.fsum(one.target * 100 for one in categories)
    if percent > 100 + 1e-9:
        raise ConfigError(f"{file}: category: the targets add up to {percent:g} percent; at most 100 are allowed")
    homes: dict[str, str] = {}
    for one in categories:
        for ticker in one.tickers:
            if ticker in homes:
                places = f"{_shown(homes[ticker])} and {_shown(one.name)}"
                raise ConfigError(f"{file}: {ticker}: is in the categories {places}; one is allowed")
            homes[ticker] = one.name


def _same(name: object, other: object) -> bool:
    return isinstance(name, str) and isinstance(other, str) and name.strip().casefold() == other.strip().casefold()


def _shown(value: object) -> str:
    return shortened(repr(excerpt(value)))


SAMPLE_25 = load_universes().get("Sample 25")
