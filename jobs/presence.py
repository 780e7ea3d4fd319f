"""Which processes work on jobs: each says so in Valkey every few seconds, in a hash that goes when nobody does."""

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
            async with valkey.pipeline(transaction=True) as pipeline:
                pipeline.hset(keys.WORKERS, PROCESS_ID, orjson.dumps(asdict(info)).decode())
                pipeline.pexpire(keys.WORKERS, 10 * _KEPT_MS)
                await pipeline.execute()
            await _bury_the_dead(valkey)
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        await _strike_off(valkey, [PROCESS_ID])


async def workers(valkey: Redis) -> list[WorkerInfo]:
    """Every process that said so lately, by name."""
    now_ms = await _now_ms(valkey)
    return [info for info in await _told(valkey) if not _silent(info, now_ms)]


async def _bury_the_dead(valkey: Redis) -> None:
    """Strike off those that have said nothing for long; they cannot do it themselves."""
    now_ms = await _now_ms(valkey)
    dead = [info.name for info in await _told(valkey) if _silent(info, now_ms)]
    if dead:
        await _strike_off(valkey, dead)


async def _told(valkey: Redis) -> list[WorkerInfo]:
    found: dict[bytes, bytes] = await valkey.execute_command(  # type: ignore[no-untyped-call]  # typed as sync in redis-py 5.3
        "HGETALL", keys.WORKERS
    )
    return sorted((WorkerInfo(**orjson.loads(text)) for text in found.values()), key=lambda info: info.name)


async def _strike_off(valkey: Redis, names: list[str]) -> None:
    await valkey.execute_command("HDEL", keys.WORKERS, *names)  # type: ignore[no-untyped-call]  # as above


def _silent(info: WorkerInfo, now_ms: int) -> bool:
    return info.seen_ms < now_ms - _KEPT_MS


async def _now_ms(valkey: Redis) -> int:
    seconds, micros = await valkey.time()
    return int(seconds) * 1000 + int(micros) // 1000
