"""Hearing that the catalogue changed, whoever changed it: triggers on its tables notify a channel of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import structlog

from models.db import DATABASE_DOWN, credentials
from yousync.settings import Settings

log = structlog.get_logger(__name__)

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


class Remembering:
    """Something that remembers what it read of the catalogue.

    Nothing is kept while nobody listens to the tables' changes, and nothing that was read before the last change:
    `_generation` counts these.
    """

    def __init__(self) -> None:
        self.listening = False
        self._generation = 0

    def forget(self) -> None:
        """The tables changed: whoever asks from now on is answered by a reading that begins after this."""
        self._generation += 1

    def _is_current(self, generation: int) -> bool:
        """Whether what was read since then can still be relied upon."""
        return self.listening and generation == self._generation

    async def listen(self, settings: Settings) -> None:
        """Hear of changes until cancelled; while Postgres cannot be heard, nothing is remembered."""
        while True:
            try:
                async with heard(settings, self.forget) as lasting:
                    self.forget()
                    self.listening = True
                    await lasting()
            except DATABASE_DOWN as error:
                log.warning("catalogue_not_heard", cause=type(error).__name__)
            except Exception:
                log.exception("catalogue_not_heard")
            finally:
                self.listening = False
                self.forget()
            await asyncio.sleep(1.0)
