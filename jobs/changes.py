"""The wire on which jobs' changes are hinted at: one subscriber connection a process, a subscription a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from redis.asyncio.client import PubSub

from jobs.store import CHANGED, changed_channel
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, connect

log = structlog.get_logger(__name__)

_IDLE: Final = changed_channel("-")  # nobody writes to it; a subscriber without a channel would have nothing to read
_CONFIRM_SECONDS: Final = 2.0


class Changes:
    """Calls `hint(job_id)` whenever there may be something new to read about a job that is followed.

    Each confirmation of a subscription is a hint too: so nothing is missed between subscribing and the first
    read, nor while a broken connection was being made again.
    """

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._followed: dict[str, asyncio.Event] = {}
        self._writing = asyncio.Lock()

    async def follow(self, job_id: str) -> None:
        """Hints about this job from now on, also when Valkey is away at this moment."""
        confirmed = self._followed.setdefault(job_id, asyncio.Event())
        with suppress(*VALKEY_DOWN):
            async with self._writing:
                await self._pubsub.subscribe(changed_channel(job_id))
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()

    async def unfollow(self, job_id: str) -> None:
        """No more hints about this job."""
        self._followed.pop(job_id, None)
        with suppress(*VALKEY_DOWN):
            async with self._writing:
                await self._pubsub.unsubscribe(changed_channel(job_id))

    async def listen(self, hint: Callable[[str], None]) -> None:
        """Pass on hints until cancelled, through every loss of the connection."""
        while True:
            try:
                async with self._writing:
                    await self._pubsub.subscribe(_IDLE, *map(changed_channel, self._followed))
                async for message in self._pubsub.listen():
                    job_id = message["channel"].decode().removeprefix(CHANGED)
                    if job_id not in self._followed:
                        continue
                    if message["type"] == "subscribe":
                        self._followed[job_id].set()
                    hint(job_id)
            except VALKEY_DOWN as error:
                log.warning("changes_interrupted", cause=type(error).__name__)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def open_changes(settings: Settings) -> AsyncIterator[Changes]:
    """A subscriber with a connection of its own; nothing is heard before `listen` runs."""
    async with connect(settings.redis_url.get_secret_value(), connections=2, patient=True) as client:
        pubsub = client.pubsub()
        try:
            yield Changes(pubsub)
        finally:
            with suppress(*VALKEY_DOWN):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py 5.3
