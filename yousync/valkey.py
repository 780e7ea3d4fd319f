"""Connections to Valkey (or Redis): the one place that sets time limits and retries."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Connection, ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    ConnectionError as ValkeyConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError as ValkeyTimeoutError,
)
from typing_extensions import override

from yousync.wire import PATIENCE_SECONDS, Introduced, Wire
from yousync.wired import WiredRedis


class ValkeyUnwritable(ValkeyConnectionError):
    """Valkey answers but takes no writes: it is a replica, lacks replicas, memory or a disk."""


VALKEY_DOWN = (ValkeyConnectionError, ValkeyTimeoutError, OSError)
"""What a command raises when Valkey is away; BusyLoading and authentication problems are ConnectionErrors too."""

PROCESS_ID = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
"""Names this process in claims and events; unlike a host name it never comes back after a restart."""


@contextmanager
def writing() -> Iterator[None]:
    """Turn refusals that are no fault of the command into ValkeyUnwritable, which is one of VALKEY_DOWN."""
    try:
        yield
    except ResponseError as error:
        if isinstance(error, ReadOnlyError | OutOfMemoryError) or str(error).startswith(("NOREPLICAS", "MISCONF")):
            raise ValkeyUnwritable(str(error)) from error
        raise


_INTRODUCTION_SECONDS: Final = 5.0  # for what is said on a new connection before the first command


class _Hurried(Connection):
    """Before each command the pool asks whether something unread lies on the connection, or whether it has ended.

    redis-py finds out by reading with no time to wait, which costs as much as a small command. Nothing of ours
    leaves a reply unread (a command given up closes its connection), so it is enough to see that it has not ended.
    """

    _reader: asyncio.StreamReader | None

    @override
    async def can_read_destructive(self) -> bool:
        """Whether the connection is of no use any more."""
        reader = self._reader
        return reader is None or reader.at_eof() or reader.exception() is not None

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        """A reply; where it says that the server takes no writes, its name is asked again where to go."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError:
            await self.disconnect(nowait=True)
            raise

    def hand_over(self, to: asyncio.Protocol) -> asyncio.WriteTransport:
        """What was made and introduced here is somebody else's from now on (`yousync.wire`)."""
        if self._writer is None:
            raise ValkeyConnectionError("the connection ended at once")
        transport = self._writer.transport
        self._heard: asyncio.BaseProtocol = transport.get_protocol()
        transport.set_protocol(to)
        return transport

    def ended(self, error: Exception | None) -> None:
        """The transport that was handed over is closed."""
        self._heard.connection_lost(error)
        self._close()  # type: ignore[no-untyped-call]  # redis-py 5.3

    @override
    async def on_connect(self) -> None:
        """Introduce ourselves; redis-py would wait for ever where `socket_timeout` lets readers wait."""
        try:
            async with asyncio.timeout(_INTRODUCTION_SECONDS):
                await super().on_connect()
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise ValkeyTimeoutError("no answer to a new connection") from None


class _HurriedSSL(_Hurried, SSLConnection):
    """The same to `rediss://`."""


def pool_of(url: str, **options: Any) -> BlockingConnectionPool:
    """A pool for this URL; `options` are redis-py's."""
    pool = BlockingConnectionPool.from_url(url, **options)
    pool.connection_class = _HurriedSSL if issubclass(pool.connection_class, SSLConnection) else _Hurried
    return pool


def wire_of(pool: ConnectionPool, *, again: int = 1, patience: float = PATIENCE_SECONDS) -> Wire:
    """A wire to where the pool's connections go; a command whose connection breaks is sent `again` so often."""
    return Wire(partial(_introduced, pool), again=again, patience=patience)


async def introduced(client: Redis) -> Introduced:
    """A connection of one's own to where the client's go."""
    return await _introduced(client.connection_pool)


async def _introduced(pool: ConnectionPool) -> Introduced:
    connection: _Hurried = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py 5.3
    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py 5.3
    return connection


def link_of(client: Redis) -> object:
    """What stands for the server that the client asked last: where that may have changed, it is another one."""
    return client.wire.link if isinstance(client, WiredRedis) else object()


def apart(client: Redis) -> Redis:
    """A client for what is large: nothing else has to wait behind it on the connection that all others share."""
    return Redis(connection_pool=client.connection_pool)


@asynccontextmanager
async def connect(url: str, *, connections: int = 64, patient: bool = False) -> AsyncIterator[Redis]:
    """A client whose commands answer or raise one of VALKEY_DOWN within seconds.

    They share one connection (`yousync.wire`). A command is sent again once after a broken connection, so every
    script we send is safe to repeat. `patient` is for subscribers: it lifts the read limit, as they wait by nature,
    and leaves it to them what to do about a broken connection.
    """
    pool = pool_of(
        url,
        max_connections=connections,
        timeout=5,
        socket_connect_timeout=3,
        socket_timeout=None if patient else 5,
        socket_keepalive=True,
        health_check_interval=0 if patient else 30,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 0 if patient else 1),
        retry_on_error=[ValkeyConnectionError, ValkeyTimeoutError],
        client_name=f"yousync:{PROCESS_ID.replace(' ', '_')}",
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pool.disconnect)
        client = Redis(connection_pool=pool) if patient else WiredRedis(connection_pool=pool)
        stack.push_async_callback(client.aclose)
        if isinstance(client, WiredRedis):
            client.wire = wire_of(pool)
            stack.push_async_callback(client.wire.close)
        yield client
