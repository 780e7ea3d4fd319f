"""How a process comes to show its metrics: its event loop measured, and a worker's own port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import start_http_server

from yousync.metrics import LOOP_LAG
from yousync.settings import Settings
from yousync.tasks import cancel

log = structlog.get_logger(__name__)

REFRESH_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 0.25


@asynccontextmanager
async def measured_loop() -> AsyncIterator[None]:
    """While inside, the running event loop's lag is observed four times a second."""
    ticking = asyncio.create_task(_tick())
    try:
        yield
    finally:
        await cancel(ticking)


@asynccontextmanager
async def exposed(settings: Settings, refresh: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """While inside, the metrics of a process without a web server of its own are at HOST:METRICS_PORT.

    `refresh` reads what has to be read first, and is called every REFRESH_SECONDS. A port that cannot be had
    is logged and keeps nobody from working; Prometheus sees that this target is down.
    """
    async with measured_loop():
        if not settings.metrics_port:
            yield
            return
        try:
            server, thread = start_http_server(settings.metrics_port, settings.host)
        except OSError as error:
            log.error("metrics_not_exposed", port=settings.metrics_port, cause=str(error))  # noqa: TRY400  # no bug
            yield
            return
        refreshing = asyncio.create_task(_refresh_forever(refresh))
        try:
            yield
        finally:
            await cancel(refreshing)
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()


async def _tick() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


async def _refresh_forever(refresh: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await refresh()
        except Exception:
            log.exception("metrics_not_refreshed")
        await asyncio.sleep(REFRESH_SECONDS)
