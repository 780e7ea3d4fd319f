"""Any command to Valkey, past redis-py's types, which call many of its answers both awaitable and not."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis


async def command(valkey: Redis, *words: Any) -> Any:
    """Send a command and return its answer."""
    return await valkey.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py 5.3


async def listeners(client: Redis, channel: str) -> int:
    """How many subscribers a channel has."""
    return int((await command(client, "PUBSUB", "NUMSUB", channel))[1])
