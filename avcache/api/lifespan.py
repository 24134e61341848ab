"""What a server does when it starts and stops."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio.to_thread

from avcache.api.listeners import send_at_once
from avcache.runtime import Runtime

__all__ = ["lifespan_of"]

logger = logging.getLogger(__name__)

_COLLECT_EVERY = 30.0
_NEVER = 1_000_000
"""So many younger collections would have to come first: until then the one below has been."""


def lifespan_of(get_runtime: Callable[[], Runtime]) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Background work begins when the server does, and ends with it."""

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        send_at_once()
        runtime = get_runtime()
        await anyio.to_thread.run_sync(runtime.start)
        facts = {"backend": runtime.cache.state().name, "source": runtime.provider.current().name}
        logger.info("server.started", extra=facts)
        collector = asyncio.create_task(_collect_garbage())
        try:
            yield
        finally:
            collector.cancel()
            await anyio.to_thread.run_sync(runtime.close)
            logger.info("server.stopped")

    return lifespan


async def _collect_garbage() -> None:
    """
    Stands in for the collection after every page run, which is switched off for its cost, and for those of all that is
    old, which come every few seconds with many sessions and hold up everybody for 50 ms.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    while True:
        await asyncio.sleep(_COLLECT_EVERY)
        await anyio.to_thread.run_sync(gc.collect)
