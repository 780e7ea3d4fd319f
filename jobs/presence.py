"""Which processes work on jobs: each says so in Valkey every few seconds, in words that expire."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import orjson
from redis.asyncio import Redis

from jobs import keys
from yousync.valkey import PROCESS_ID

EVERY_SECONDS: Final = 5.0
_KEPT_MS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A process with a worker in it. Times are milliseconds since 1970 on Valkey's clock."""

    name: str
    host: str
    pid: int
    started_ms: int
    seen_ms: int
    slots: int
    running: int  # jobs it is at


async def announce_forever(valkey: Redis, *, slots: int, running: Callable[[], int]) -> None:
    """Say that this process works, until cancelled; then say goodbye. Raises what Valkey raises."""
    key = keys.WORKER + PROCESS_ID
    started_ms = await _now_ms(valkey)
    try:
        while True:
            info = WorkerInfo(
                name=PROCESS_ID,
                host=socket.gethostname(),
                pid=os.getpid(),
                started_ms=started_ms,
                seen_ms=await _now_ms(valkey),
                slots=slots,
                running=running(),
            )
            await valkey.set(key, orjson.dumps(asdict(info)), px=_KEPT_MS)
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        await valkey.delete(key)


async def workers(valkey: Redis) -> list[WorkerInfo]:
    """Every process that said so lately, by name."""
    found = [key async for key in valkey.scan_iter(match=f"{keys.WORKER}*", count=1000)]
    told = await valkey.mget(found) if found else []
    return sorted((WorkerInfo(**orjson.loads(text)) for text in told if text), key=lambda info: info.name)


async def _now_ms(valkey: Redis) -> int:
    seconds, micros = await valkey.time()
    return int(seconds) * 1000 + int(micros) // 1000
