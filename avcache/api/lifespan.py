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
    """Stands in for the collection after every page run, which is switched off for its cost."""
    gc.collect()
    gc.freeze()
    while True:
        await asyncio.sleep(_COLLECT_EVERY)
        await anyio.to_thread.run_sync(gc.collect)
