"""The right of one process, among all that share a board, to do what only one may do."""

from __future__ import annotations

import logging
import time
from typing import Final

from avcache.backends.board import Board
from avcache.errors import BackendError

__all__ = ["Lease"]

logger = logging.getLogger(__name__)

_SECONDS: Final = 4.0
_SURE: Final = 3.0
"""So long after it was asked for the lease is ours for sure; it is renewed long before."""


class Lease:
    """
    Attributes:
        term: How often it was taken anew: what was begun in an earlier term is not ours any more.
        renewed_every: Seconds between two calls of `take`.
    """

    renewed_every: Final = 0.5

    def __init__(self, board: Board, name: str, token: str) -> None:
        self._board = board
        self._name = name
        self._token = token
        self._until = 0.0
        self._is_failing = False
        self.term = 0

    @property
    def is_held(self) -> bool:
        """Whether it is ours now."""
        return time.monotonic() < self._until

    def take(self) -> None:
        """Take it if nobody has it, or renew it; never raises."""
        asked_at, was_held = time.monotonic(), self.is_held
        try:
            is_taken = self._board.take(self._name, self._token, _SECONDS)
        except BackendError as exc:  # what is held runs out by itself
            if not self._is_failing:
                logger.warning("lease.not_renewed", extra={"lease": self._name, "error": str(exc)})
            self._is_failing = True
            return
        self._is_failing = False
        if is_taken and not was_held:
            self.term += 1
        self._until = asked_at + _SURE if is_taken else 0.0

    def give_back(self) -> None:
        """End it, if it is ours; never raises."""
        self._until = 0.0
        try:
            self._board.give_back(self._name, self._token)
        except BackendError as exc:
            logger.info("lease.not_given_back", extra={"lease": self._name, "error": str(exc)})
