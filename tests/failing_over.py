"""A primary that becomes a replica, ends no connection, and leaves its name to another server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from redis.asyncio import Redis

from tests.faults.proxy import proxied
from yousync.local.port import free_port
from yousync.local.valkey import Valkey


@asynccontextmanager
async def failing_over(first: Valkey, second: str) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """The name of `first`, and what has it become a replica: from then on its name leads to the URL `second`.

    It never gets to hear of its new primary.
    """
    there = urlsplit(second)
    async with proxied(first.port) as proxy, Redis.from_url(first.url) as valkey:
        await valkey.config_set("requirepass", there.password or "")

        async def fail_over() -> None:
            await valkey.replicaof("127.0.0.1", free_port())
            proxy.upstream = there.port or 0

        yield second.replace(f":{there.port}/", f":{proxy.port}/"), fail_over
