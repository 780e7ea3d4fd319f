"""Event streams on the wire: aiohttp-sse's response, and one ticker that keeps all of them alive."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse
from typing_extensions import override

from yousync.tasks import cancel

SEND_TIMEOUT_SECONDS: Final = 25.0
_TICKS: Final = 60  # an interval: so many streams' keep-alives are never due at once
_COMMENT: Final = b": ping\r\n\r\n"


class Stream(EventSourceResponse):
    """One open stream. Its keep-alives come from KeepAlive: a task of its own would cost it 2 kB and a timer."""

    def __init__(self, request: web.Request, gone: Callable[[], None]) -> None:
        super().__init__(send_timeout=SEND_TIMEOUT_SECONDS)
        self._asked = request
        self._gone = gone
        self._untaken = 0  # bytes that lay in the buffer the last time
        self.slot: set[Stream] = set()  # KeepAlive's, where this one is

    @override
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers, and forget them: a kilobyte that nobody reads again."""
        writer = await super().prepare(request)
        self.headers.clear()
        return writer

    @override
    async def _ping(self) -> None:
        """Nothing."""

    async def tell(self, data: str, *, id: str, retry: int) -> None:  # noqa: A002  # as aiohttp-sse calls it
        """`send` for one line of data, without its timer where the client has taken all that came before.

        Raises ConnectionResetError, TimeoutError.
        """
        transport = self._asked.transport
        if transport is None or transport.get_write_buffer_size():
            await self.send(data, id=id, retry=retry)
        else:
            await self.write(f"id: {id}\r\ndata: {data}\r\nretry: {retry}\r\n\r\n".encode())

    async def poke(self) -> None:
        """Send a comment; tell that the client is gone when it is, or has taken nothing since the last time.

        It never waits: to what the client has not taken yet nothing is added.
        """
        transport = self._asked.transport
        if transport is None or transport.is_closing():
            self._gone()
            return
        before, self._untaken = self._untaken, transport.get_write_buffer_size()
        if self._untaken == 0:
            with suppress(ConnectionResetError, RuntimeError):  # just gone; just ended
                await self.write(_COMMENT)
        elif 0 < before <= self._untaken:
            transport.abort()
            self._gone()


class KeepAlive:
    """The ticker: every open stream gets a comment once in an interval."""

    def __init__(self, seconds: float) -> None:
        self._tick_seconds = seconds / _TICKS
        self._slots: list[set[Stream]] = [set() for _ in range(_TICKS)]
        self._next = itertools.cycle(self._slots)

    def add(self, stream: Stream) -> None:
        """Keep this stream alive from now on."""
        stream.slot = next(self._next)
        stream.slot.add(stream)

    def discard(self, stream: Stream) -> None:
        """It has ended."""
        stream.slot.discard(stream)

    async def tick_forever(self) -> None:
        """Until cancelled."""
        for slot in itertools.cycle(self._slots):
            await asyncio.sleep(self._tick_seconds)
            for stream in list(slot):
                await stream.poke()


@asynccontextmanager
async def keeping_alive(seconds: float) -> AsyncIterator[KeepAlive]:
    """A ticker that runs while inside."""
    keep_alive = KeepAlive(seconds)
    ticking = asyncio.create_task(keep_alive.tick_forever())
    try:
        yield keep_alive
    finally:
        await cancel(ticking)
