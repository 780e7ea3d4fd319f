"""Hearing that the catalogue changed, whoever changed it: triggers on its tables notify a channel of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg

from models.db import credentials
from yousync.settings import Settings

CHANNEL: Final = "yousync_catalogue"
BEAT_SECONDS: Final = 3.0
"""How often the connection is tried: so long, and as long again, a cut that nobody told us of may go unnoticed."""


@asynccontextmanager
async def heard(settings: Settings, changed: Callable[[], None]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Call `changed` at every change but those of view counts, once what changed can be read.

    What is yielded waits for the connection's end, and raises when it is found dead.
    """
    connection = await asyncpg.connect(
        **credentials(settings.database_url.get_secret_value()),
        timeout=5,
        server_settings={"application_name": "yousync-catalogue"},
    )
    ended = asyncio.Event()

    def notified(*_: Any) -> None:
        changed()

    async def lasting() -> None:
        while not ended.is_set():
            await connection.fetchval("SELECT 1", timeout=BEAT_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await ended.wait()

    try:
        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(CHANNEL, notified)
        yield lasting
    finally:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=1)
