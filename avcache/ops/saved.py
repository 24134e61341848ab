"""Portfolios kept under a name, the same for all processes on one store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from avcache.backends.board import Board, edit
from avcache.clock import Clock
from avcache.errors import InvalidInput, SerializationError
from avcache.market.holdings import Holding, parse_holdings

__all__ = ["MOST_SAVED", "SavedPortfolio", "SavedPortfolios"]

MOST_SAVED: Final = 100

_RECORD: Final = "portfolios"
_KEPT: Final = 10 * 365 * 24 * 3600.0
"""Seconds without any change after which all of them are forgotten."""

_LONGEST_NAME: Final = 60
_LONGEST_AUTHOR: Final = 80


@dataclass(frozen=True, slots=True)
class SavedPortfolio:
    """What is held, ticker -> holding, under a *name*; *saved_at* in epoch seconds, *saved_by* whoever did it."""

    name: str
    holdings: dict[str, Holding]
    saved_at: float
    saved_by: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[SavedPortfolio, ...]).decode


class SavedPortfolios:
    """
    The portfolios on one board. Every method may raise `BackendError`, or `SerializationError` where the board holds
    those of another release.

    Give it a board that raises while its server is away, not one that goes on without it: what was saved there would
    be lost.

    Args:
        clock: Wall clock.
    """

    def __init__(self, board: Board, clock: Clock = time.time) -> None:
        self._board = board
        self._clock = clock

    def save(self, name: str, holdings: Mapping[str, Holding], *, by: str = "") -> SavedPortfolio:
        """
        Keep *holdings* under *name*, in place of what was there; names that differ in case only are the same.

        Raises:
            InvalidInput: The name or the holdings are not usable, or there are 100 others. Nothing has changed then.
        """
        made = SavedPortfolio(_checked(name), parse_holdings(holdings), self._clock(), by[:_LONGEST_AUTHOR])

        def with_it(found: tuple[SavedPortfolio, ...]) -> tuple[SavedPortfolio, ...]:
            others = [one for one in found if not _is_called(one, made.name)]
            if len(others) >= MOST_SAVED:
                raise InvalidInput("portfolios", len(others), f"at most {MOST_SAVED}: remove one first")
            return tuple(sorted((*others, made), key=lambda one: one.name.casefold()))

        self._change(with_it)
        return made

    def list(self) -> tuple[SavedPortfolio, ...]:
        """All of them, by name."""
        (raw,) = self._board.read([_RECORD])
        return _read(raw)

    def load(self, name: str) -> SavedPortfolio:
        """Return the one called *name*. Raises `InvalidInput` if there is none."""
        return _of(self.list(), name)

    def remove(self, name: str) -> None:
        """Forget the one called *name*. Raises `InvalidInput` if there is none."""

        def without_it(found: tuple[SavedPortfolio, ...]) -> tuple[SavedPortfolio, ...]:
            gone = _of(found, name)
            return tuple(one for one in found if one is not gone)

        self._change(without_it)

    def _change(self, change: Callable[[tuple[SavedPortfolio, ...]], tuple[SavedPortfolio, ...]]) -> None:
        edit(self._board, _RECORD, lambda raw: _encode(change(_read(raw))), _KEPT)


def _read(raw: bytes | None) -> tuple[SavedPortfolio, ...]:
    if raw is None:
        return ()
    try:
        return _decode(raw)
    except msgspec.MsgspecError as exc:
        raise SerializationError(f"the saved portfolios on the store cannot be understood: {exc}") from exc


def _checked(name: object) -> str:
    trimmed = name.strip() if isinstance(name, str) else ""
    if not 1 <= len(trimmed) <= _LONGEST_NAME or not trimmed.isprintable():
        raise InvalidInput("name", name, f"1 to {_LONGEST_NAME} printable characters")
    return trimmed


def _is_called(one: SavedPortfolio, name: str) -> bool:
    return one.name.casefold() == name.strip().casefold()


def _of(found: tuple[SavedPortfolio, ...], name: str) -> SavedPortfolio:
    one = next((one for one in found if _is_called(one, name)), None)
    if one is None:
        raise InvalidInput("name", name, "the name of a saved portfolio; it may have been removed")
    return one
