"""The sample until the live source answers, then the live source for good."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from avcache.errors import ProviderError
from avcache.market.provider import Figures, PriceHistory, PriceProvider, validate

__all__ = ["AutoProvider"]

logger = logging.getLogger(__name__)


class AutoProvider:
    """
    Serve *sample* until *live* answers for its benchmark; then serve *live*.

    `start` probes every *interval* seconds in one daemon thread; construction starts nothing. The switch
    may happen at any moment, so an operation that makes several calls makes them on one `current()`.
    """

    def __init__(self, live: PriceProvider, sample: PriceProvider, interval: float = 60.0) -> None:
        self._live = live
        self._active = sample
        self._interval = interval
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The name of the active provider."""
        return self._active.name

    @property
    def benchmark(self) -> str:
        """The benchmark of the active provider."""
        return self._active.benchmark

    @property
    def label(self) -> str:
        """The label of the active provider."""
        return self._active.label

    def current(self) -> PriceProvider:
        """Return the active provider."""
        return self._active.current()

    def histories(self, tickers: Sequence[str]) -> dict[str, PriceHistory | ProviderError]:
        """Return the prices of *tickers* from the active provider."""
        return self._active.histories(tickers)

    def fundamentals(self, tickers: Sequence[str]) -> dict[str, Figures | ProviderError]:
        """Return the fundamentals of *tickers* from the active provider."""
        return self._active.fundamentals(tickers)

    def start(self) -> None:
        """Begin to probe the live source; does nothing if it has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="avcache-provider-probe", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop probing for good; waits up to *timeout* seconds for a probe that is under way."""
        self._stopped.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        close = getattr(self._live, "close", None)
        if close is not None:
            close()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            if self._live_answers() and not self._stopped.is_set():
                self._active = self._live
                logger.info("provider.live", extra={"provider": self._live.name})
                return
            self._stopped.wait(self._interval)

    def _live_answers(self) -> bool:
        try:
            (found,) = self._live.histories([self._live.benchmark]).values()
            if isinstance(found, ProviderError):
                raise found
            validate(found)
        except ProviderError as exc:
            logger.debug("provider.not_live", extra={"provider": self._live.name, "reason": exc.reason})
            return False
        except Exception:
            # The probe is the only way back to live prices: it outlives whatever a provider may throw.
            logger.exception("provider.probe_failed", extra={"provider": self._live.name})
            return False
        return True
