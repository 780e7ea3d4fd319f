"""The wire on which jobs' changes are hinted at: one subscription a process hears of all jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from jobs import keys
from yousync.settings import Settings
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN, connect

log = structlog.get_logger(__name__)

_PING_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 25.0  # so long without an answer to a PING, and the connection is taken for dead


class Changes:
    """Calls `hint(job_id)` whenever there is something new to read about a job, of all jobs there are."""

    def __init__(self, client: Redis, channel: str) -> None:
        self._client = client
        self._channel = channel

    async def listen(self, hint: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Pass on hints until cancelled, through every loss of the connection.

        `missed` is called each time listening begins (again): hints may have been lost before.
        """
        while True:
            try:
                await self._listen_once(hint, missed)
            except TimeoutError:
                log.warning("changes_interrupted", cause="silence")
            except VALKEY_DOWN as error:
                log.warning("changes_interrupted", cause=type(error).__name__)
            except Exception:
                log.exception("changes_interrupted")
            await asyncio.sleep(0.5)

    async def _listen_once(self, hint: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Reads the connection itself: redis-py's get_message costs ten times what a hint does."""
        pubsub = self._client.pubsub()
        pinging: asyncio.Task[None] | None = None
        try:
            await pubsub.subscribe(self._channel)
            connection: Any = pubsub.connection
            pinging = asyncio.create_task(_ping_forever(connection))
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(_SILENCE_SECONDS) as silence:
                while True:
                    match await connection.read_response():
                        case [b"message", _, job_id]:
                            hint(job_id.decode())
                        case [b"subscribe", *_]:
                            missed()
                        case [b"pong", *_]:
                            silence.reschedule(loop.time() + _SILENCE_SECONDS)
        finally:
            await cancel(*([pinging] if pinging else []))
            with suppress(*VALKEY_DOWN):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py 5.3


async def _ping_forever(connection: Any) -> None:
    with suppress(*VALKEY_DOWN):  # whoever reads will notice
        while True:
            await asyncio.sleep(_PING_SECONDS)
            await connection.send_command("PING", check_health=False)


@asynccontextmanager
async def open_changes(settings: Settings, channel: str = keys.CHANGED) -> AsyncIterator[Changes]:
    """A subscriber with a connection of its own; nothing is heard before `listen` runs.

    keys.CHANGED tells what clients would see, keys.MOVED of every event.
    """
    async with connect(settings.redis_url.get_secret_value(), connections=2, patient=True) as client:
        yield Changes(client, channel)
