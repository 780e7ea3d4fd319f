"""A connection on which Valkey is listened to: what it publishes goes to a function, message by message.

redis-py reads each message in a task, through a stream and several coroutines, for ten times what a hint costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import ConnectionError as ValkeyConnectionError
from typing_extensions import override

from yousync.wire import INCOMPLETE, Introduced, packed, reader_of_replies

_PING_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 25.0  # so long without an answer to a PING, and the connection is taken for dead


class Ear(asyncio.Protocol):
    """One connection while it lasts."""

    def __init__(self, connection: Introduced, hear: Callable[[Any], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._hear = hear
        self._heard = self._loop.time()
        self._gone = asyncio.Event()
        self._reader = reader_of_replies()
        self._connection = connection
        self._transport = connection.hand_over(self)

    async def listen(self, channel: str, *, server: Callable[[], object] = lambda: None) -> None:
        """Subscribe, and listen until the connection ends: then one of VALKEY_DOWN.

        It is ended when `server`, what stands for where commands go, has become another: who listens is to follow.
        """
        began = server()
        self._transport.write(packed(("SUBSCRIBE", channel)))
        try:
            while True:
                try:
                    async with asyncio.timeout(_PING_SECONDS):
                        await self._gone.wait()
                    raise ValkeyConnectionError("the connection to Valkey ended")
                except TimeoutError:
                    if self._loop.time() - self._heard > _SILENCE_SECONDS:
                        raise
                if server() is not began:
                    raise ValkeyConnectionError("commands go over another connection to Valkey")
                self._transport.write(packed(("PING",)))
        finally:
            self._transport.abort()
            await self._gone.wait()

    @override
    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._reader.feed(data)
        while (message := self._reader.gets()) is not INCOMPLETE:
            if isinstance(message, Exception):  # it may not listen here
                self._transport.abort()
                return
            self._hear(message)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.ended(exc)
        self._gone.set()
