"""The wire on which jobs' changes are hinted at: one subscription a process hears of all jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis

from jobs import keys
from jobs.encoding import job_of_hint
from yousync.ear import Ear
from yousync.job import Job
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, connect, introduced, link_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """There is something new to read about a job."""

    job_id: str
    told: bytes = b""

    def job(self) -> Job | None:
        """The job as it stood then, as far as it is shown to clients; None where the hint does not tell."""
        return job_of_hint(self.job_id, self.told) if self.told else None


class Changes:
    """Calls `hint` whenever there is something new to read about a job, of all jobs there are."""

    def __init__(self, client: Redis, channel: str, beside: Redis | None) -> None:
        self._client = client
        self._channel = channel
        self._server = partial(link_of, beside) if beside is not None else lambda: None

    async def listen(self, hint: Callable[[Hint], None], missed: Callable[[], None]) -> None:
        """Pass on hints until cancelled, through every loss of the connection.

        `missed` is called each time listening begins (again): hints may have been lost before.
        """
        while True:
            try:
                await self.listen_once(hint, missed)
            except TimeoutError:
                log.warning("changes_interrupted", cause="silence")
            except VALKEY_DOWN as error:
                log.warning("changes_interrupted", cause=type(error).__name__)
            except Exception:
                log.exception("changes_interrupted")
            await asyncio.sleep(0.5)

    async def listen_once(self, hint: Callable[[Hint], None], missed: Callable[[], None]) -> None:
        """The same until the connection is lost: then one of VALKEY_DOWN."""

        def hear(message: Any) -> None:
            match message:
                case [b"message", _, body]:
                    job_id, _, told = body.partition(b" ")
                    hint(Hint(job_id.decode(), told))
                case [b"subscribe", *_]:
                    missed()

        await Ear(await introduced(self._client), hear).listen(self._channel, server=self._server)


@asynccontextmanager
async def open_changes(
    settings: Settings, channel: str = keys.CHANGED, *, beside: Redis | None = None
) -> AsyncIterator[Changes]:
    """A subscriber with a connection of its own; nothing is heard before `listen` runs.

    keys.CHANGED tells what clients would see, keys.MOVED of every event. It goes where `beside` goes: a primary that
    was made a replica keeps who listens, and what is published until it follows the new one is not heard there.
    """
    async with connect(settings.redis_url.get_secret_value(), connections=2, patient=True) as client:
        yield Changes(client, channel, beside)
