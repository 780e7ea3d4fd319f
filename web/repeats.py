"""Idempotency-Key: a POST that is sent again is done once, and answered as the first time.

Replies are kept in Valkey for a day, by caller, route and key. A failure is not kept: nothing was made, so the same key
may try again. What a key cannot do is outlive a crash between the deed and the note of its reply; there the
constraints of the tables speak. While Valkey is away a request with a key is refused: it asked for a promise.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from redis.asyncio import Redis

from jobs import keys
from web.addresses import who
from web.endpoint import Attempt
from yousync.errors import IdempotencyKeyBusy, IdempotencyKeyReused
from yousync.settings import Settings
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN, writing

log = structlog.get_logger(__name__)

KEPT_MS: Final = 86_400_000
RUNNING_MS: Final = 60_000  # how long a key stays taken once its process is dead
_WAIT_SECONDS: Final = 10.0  # how long others wait for the one that runs, looking this often:
_LOOK_SECONDS: Final = 0.05

# Sets the note to ARGV[2] for ARGV[3] ms, or takes it away, where it is still the one in ARGV[1].
_REPLACE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('UNLINK', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class Repeats:
    """Notes of what was asked under which key, and what the answer was."""

    def __init__(self, valkey: Redis, settings: Settings) -> None:
        self._valkey = valkey
        self._replace = valkey.register_script(_REPLACE)
        self._trusted = settings.trusted_proxies

    async def once(
        self, request: web.Request, attempt: Attempt, run: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """What `run` answers, or answered when this attempt was made before; at most one of many at a time runs.

        Raises IdempotencyKeyReused when the key stands for something else, IdempotencyKeyBusy when the one that runs
        takes too long, and yousync.valkey.VALKEY_DOWN errors.
        """
        scope = orjson.dumps([who(request, attempt.caller, self._trusted), attempt.route, attempt.key])
        name = keys.repeat(_digest(scope))
        asked = _digest(orjson.dumps(attempt.asked, option=orjson.OPT_SORT_KEYS, default=str))
        mine = orjson.dumps({"asked": asked, "by": secrets.token_hex(8)})
        deadline = asyncio.get_running_loop().time() + _WAIT_SECONDS
        while (note := await self._take(name, mine)) != mine:
            found = orjson.loads(note)
            if found["asked"] != asked:
                raise IdempotencyKeyReused
            if "status" in found:
                headers = {**found["headers"], "Idempotency-Replayed": "true"}
                return web.Response(status=found["status"], headers=headers, body=found["body"].encode())
            if asyncio.get_running_loop().time() > deadline:
                raise IdempotencyKeyBusy(retry_after=1)
            await asyncio.sleep(_LOOK_SECONDS)
        async with self._running(name, mine):
            response = await run()
        kept = _note(asked, response)
        if kept is not None:
            try:
                await self._put(name, mine, kept, KEPT_MS)
            except VALKEY_DOWN as error:  # it is done: to say otherwise would have it done twice
                log.warning("reply_not_kept", cause=type(error).__name__)
        return response

    async def _take(self, name: str, mine: bytes) -> bytes:
        """The note under this name: `mine` where there was none, or where it is from a reply that was lost."""
        with writing():
            async with self._valkey.pipeline(transaction=False) as pipeline:
                pipeline.set(name, mine, px=RUNNING_MS, nx=True)
                pipeline.get(name)
                _, note = await pipeline.execute()
        return note or mine

    @asynccontextmanager
    async def _running(self, name: str, mine: bytes) -> AsyncIterator[None]:
        """Hold the key as long as it takes; give it back when nothing came of it."""
        renewing = asyncio.create_task(self._renew_forever(name, mine))
        try:
            yield
        except Exception:
            with suppress(*VALKEY_DOWN):  # else it comes free by itself; what went wrong is what is told
                await self._put(name, mine, b"", 0)
            raise
        finally:
            await cancel(renewing)

    async def _renew_forever(self, name: str, mine: bytes) -> None:
        while True:
            await asyncio.sleep(RUNNING_MS / 3000)
            with suppress(*VALKEY_DOWN):  # the next time may be in time
                await self._put(name, mine, mine, RUNNING_MS)

    async def _put(self, name: str, mine: bytes, note: bytes, ms: int) -> None:
        """Put another note in place of `mine`, or none where it is empty; somebody else's stays."""
        with writing():
            await self._replace(keys=[name], args=[mine, note, ms])


def _note(asked: str, response: web.StreamResponse) -> bytes | None:
    """The reply as it is kept; None for one that cannot be sent again."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes | None):
        return None
    headers: dict[str, Any] = {str(name): value for name, value in response.headers.items()}
    body = (response.body or b"").decode()
    return orjson.dumps({"asked": asked, "status": response.status, "headers": headers, "body": body})


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
