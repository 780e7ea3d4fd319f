"""A TCP proxy that loses replies, or keeps them: the server has done what it was asked, and the client cannot know."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from yousync.local.port import free_port

_CHUNK = 2**16
_BEGUN = 64  # bytes; longer than any pattern
_INTERIM = b"HTTP/1.1 100"  # the server asks for the body: its reply is still to come


class Proxy:
    """Passes on what comes to `port` of loopback to `upstream`, and back, until told to cut.

    `cuts` counts the replies it has lost.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = free_port()
        self.cuts = 0
        self._pattern: re.Pattern[bytes] | None = None
        self._numbers = range(0)
        self._seen = 0
        self._late: tuple[re.Pattern[bytes], asyncio.Event, asyncio.Event] | None = None
        self._links: set[asyncio.Task[None]] = set()

    def cut(self, pattern: bytes, *, nth: int = 1, times: int = 1) -> None:
        """Lose the replies to the `nth` request from now in which `pattern` is found, and to those after it."""
        self._pattern = re.compile(pattern)
        self._numbers = range(nth, nth + times)
        self._seen = self.cuts = 0

    def heal(self) -> None:
        """Lose nothing any more."""
        self._pattern = None

    @asynccontextmanager
    async def late(self, pattern: bytes) -> AsyncIterator[asyncio.Event]:
        """While inside, replies to requests in which `pattern` is found stay out; the event says that one does."""
        there, let = asyncio.Event(), asyncio.Event()
        self._late = re.compile(pattern), there, let
        try:
            yield there
        finally:
            self._late = None
            let.set()

    def instead(self, url: str) -> str:
        """The same URL, by way of this proxy."""
        return url.replace(f"127.0.0.1:{self.upstream}", f"127.0.0.1:{self.port}")

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        with suppress(OSError, asyncio.CancelledError):
            server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
            asked = bytearray()
            ways = {
                asyncio.create_task(self._requests(reader, to_server, asked)),
                asyncio.create_task(self._replies(server, writer, asked)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                to_server.close()
                await asyncio.gather(*ways, return_exceptions=True)
        writer.close()

    async def _requests(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, asked: bytearray) -> None:
        while chunk := await client.read(_CHUNK):
            asked += chunk
            server.write(chunk)
            await server.drain()

    async def _replies(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, asked: bytearray) -> None:
        while chunk := await server.read(_CHUNK):
            if not chunk.startswith(_INTERIM):
                if self._lost(bytes(asked)):
                    client.transport.abort()
                    return
                if self._late is not None and self._late[0].search(asked):
                    _, there, let = self._late
                    there.set()
                    await let.wait()
                # What was asked next may be half here already: a pattern that has only begun is not thrown away.
                begun = self._pattern is None or self._pattern.search(asked) is None
                del asked[: -_BEGUN if begun else None]
            client.write(chunk)
            await client.drain()

    def _lost(self, request: bytes) -> bool:
        """Whether the reply to this request is one to lose."""
        if self._pattern is None or not self._pattern.search(request):
            return False
        self._seen += 1
        lost = self._seen in self._numbers
        self.cuts += lost
        return lost

    async def end(self) -> None:
        """Close every connection."""
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)


@asynccontextmanager
async def proxied(upstream: int) -> AsyncIterator[Proxy]:
    """A proxy to a port of loopback, listening while inside."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.link, "127.0.0.1", proxy.port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
