"""The keep-alive of streams: whoever is there hears it, whoever is not, or takes nothing, is let go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.waiting import until
from web.streams import Stream, keeping_alive

FAR_MORE_THAN_BUFFERS = 8 * 2**20


class Served:
    """One stream of a server, which lasts until it is told that its client is gone."""

    def __init__(self) -> None:
        self.stream: Stream | None = None
        self.transport: asyncio.Transport | None = None
        self.gone = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        stream = Stream(request, self.gone.set)
        await stream.prepare(request)
        self.transport, self.stream = request.transport, stream
        await self.gone.wait()
        return stream


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Served, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A stream, and its client's end of it."""
    served, app = Served(), web.Application()
    app.router.add_get("/", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: served.stream)
        yield served, reader, writer
    finally:
        writer.close()
        served.gone.set()
        await runner.cleanup()


async def test_silence_is_broken_for_every_stream() -> None:
    async with opened() as (served, reader, _), keeping_alive(0.3) as keep_alive:
        assert served.stream is not None
        keep_alive.add(served.stream)
        for _ in range(2):
            await asyncio.wait_for(reader.readuntil(b": ping\r\n\r\n"), 10)
        keep_alive.discard(served.stream)
        assert not served.gone.is_set()


async def test_a_client_that_left_is_noticed() -> None:
    async with opened() as (served, _, writer), keeping_alive(0.3) as keep_alive:
        assert served.stream is not None
        keep_alive.add(served.stream)
        writer.transport.abort()
        await asyncio.wait_for(served.gone.wait(), 10)
        keep_alive.discard(served.stream)


async def test_a_client_that_is_slow_but_takes_something_is_not() -> None:
    async with opened() as (served, reader, writer):
        stream, transport = served.stream, served.transport
        assert stream is not None
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writing = asyncio.create_task(stream.write(b"x" * FAR_MORE_THAN_BUFFERS))
        await until(lambda: transport.get_write_buffer_size() > 0)
        for _ in range(3):
            left = transport.get_write_buffer_size()
            await stream.poke()
            while transport.get_write_buffer_size() >= left:
                await reader.read(2**16)
        assert transport.get_write_buffer_size() > 0
        assert not served.gone.is_set()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def test_a_client_that_takes_nothing_for_a_whole_interval_is_let_go() -> None:
    async with opened() as (served, reader, _):
        stream, transport = served.stream, served.transport
        assert stream is not None
        assert transport is not None
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # as a tab that hangs
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writing = asyncio.create_task(stream.write(b"x" * FAR_MORE_THAN_BUFFERS))
        await until(lambda: transport.get_write_buffer_size() > 0)
        await stream.poke()
        assert not served.gone.is_set(), "it may only be slow"
        await stream.poke()
        assert served.gone.is_set()
        assert transport.is_closing()
        await asyncio.gather(writing, return_exceptions=True)
