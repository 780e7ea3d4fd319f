"""The wire on which jobs' changes are hinted at: one subscriber connection a process, a subscription a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from jobs import keys
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, connect

log = structlog.get_logger(__name__)

_IDLE: Final = keys.changed("-")  # nobody writes to it; a subscriber without a channel would have nothing to read
_CONFIRM_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 10.0
_SILENT_ROUNDS: Final = 2  # so many silences with an unanswered PING, and the connection is taken for dead


class Changes:
    """Calls `hint(job_id)` whenever there may be something new to read about a job that is followed, or any.

    Each confirmation of a subscription is a hint too: so nothing is missed between subscribing and the first
    read, nor while a broken connection was being made again. Only `listen` ever connects; the others merely
    write to a connection that is there, and else leave it to `listen` to subscribe to all that is followed.
    """

    def __init__(self, client: Redis, *, everything: bool = False) -> None:
        self._client = client
        self._everything = everything
        self._pubsub: PubSub | None = None
        self._followed: dict[str, asyncio.Event] = {}
        self._writing = asyncio.Lock()

    async def follow(self, job_id: str) -> bool:
        """Hints about this job from now on, also when Valkey is away at this moment; then it returns False."""
        confirmed = self._followed.setdefault(job_id, asyncio.Event())
        await self._send("SUBSCRIBE", job_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await confirmed.wait()
        return confirmed.is_set()

    async def unfollow(self, job_id: str) -> None:
        """No more hints about this job."""
        self._followed.pop(job_id, None)
        await self._send("UNSUBSCRIBE", job_id)

    async def listen(self, hint: Callable[[str], None]) -> None:
        """Pass on hints until cancelled, through every loss of the connection."""
        while True:
            try:
                await self._listen_once(hint)
            except VALKEY_DOWN as error:
                log.warning("changes_interrupted", cause=type(error).__name__)
            except Exception:
                log.exception("changes_interrupted")
            await asyncio.sleep(0.5)

    async def _listen_once(self, hint: Callable[[str], None]) -> None:
        pubsub = self._client.pubsub()
        try:
            begun_with = set(self._followed)
            await pubsub.subscribe(_IDLE, *map(keys.changed, begun_with))
            if self._everything:
                await pubsub.psubscribe(keys.changed("*"))
            self._pubsub = pubsub
            for job_id in self._followed.keys() - begun_with:
                await self._send("SUBSCRIBE", job_id)
            silent = 0
            while silent <= _SILENT_ROUNDS:
                message = await pubsub.get_message(timeout=_SILENCE_SECONDS)
                if message is None:
                    silent += 1
                    await self._send("PING", "-")
                    continue
                silent = 0
                self._pass_on(message, hint)
            log.warning("changes_interrupted", cause="silence")
        finally:
            self._pubsub = None
            with suppress(*VALKEY_DOWN):
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py 5.3

    def _pass_on(self, message: dict[str, Any], hint: Callable[[str], None]) -> None:
        if message["type"] not in {"subscribe", "message", "pmessage"}:
            return
        job_id = message["channel"].decode().removeprefix(keys.CHANGED)
        if message["type"] == "pmessage":
            hint(job_id)
        elif job_id in self._followed:
            self._followed[job_id].set()
            hint(job_id)

    async def _send(self, command: str, job_id: str) -> None:
        async with self._writing:
            connection: Any = self._pubsub.connection if self._pubsub is not None else None
            if connection is not None and connection.is_connected:
                with suppress(*VALKEY_DOWN):
                    await connection.send_command(command, keys.changed(job_id), check_health=False)


@asynccontextmanager
async def open_changes(settings: Settings, *, everything: bool = False) -> AsyncIterator[Changes]:
    """A subscriber with a connection of its own; nothing is heard before `listen` runs.

    With `everything` it hears of every job; then what happens while Valkey is away is not hinted at later.
    """
    async with connect(settings.redis_url.get_secret_value(), connections=2, patient=True) as client:
        yield Changes(client, everything=everything)
