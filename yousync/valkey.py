"""Connections to Valkey (or Redis): the one place that sets time limits and retries."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as ValkeyConnectionError, TimeoutError as ValkeyTimeoutError

VALKEY_DOWN = (ValkeyConnectionError, ValkeyTimeoutError, OSError)
"""What a command raises when Valkey is away; BusyLoading and authentication problems are ConnectionErrors too."""

PROCESS_ID = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
"""Names this process in claims and events; unlike a host name it never comes back after a restart."""


@asynccontextmanager
async def connect(url: str, *, connections: int = 64, patient: bool = False) -> AsyncIterator[Redis]:
    """A client whose commands answer or raise one of VALKEY_DOWN within seconds.

    A command is sent again once after a broken connection, so every script we send is safe to repeat.
    `patient` lifts the read limit: for subscribers, which wait by nature.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=5,
        socket_connect_timeout=3,
        socket_timeout=None if patient else 5,
        socket_keepalive=True,
        health_check_interval=15 if patient else 30,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 1),
        retry_on_error=[ValkeyConnectionError, ValkeyTimeoutError],
        client_name=f"yousync:{PROCESS_ID.replace(' ', '_')}",
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()
