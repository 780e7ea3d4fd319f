"""Connections that break while nobody looks, and servers that say nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from redis.exceptions import TimeoutError as ValkeyTimeoutError

from yousync import valkey
from yousync.valkey import connect


class Server:
    """Agrees to each command; `reset` ends all its connections as a gateway does that has forgotten them."""

    def __init__(self, *, mute: bool = False) -> None:
        self._mute = mute
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        async with server:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self.reset()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while data := await reader.read(2**16):
            if not self._mute:
                said = data.split(b"*")[1:]
                writer.write(b"".join(b"+PONG\r\n" if b"PING" in each else b"+OK\r\n" for each in said))

    def reset(self) -> None:
        for writer in self._writers:
            end = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._writers.clear()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("resets", [False, True])
def test_a_connection_that_ended_while_idle_is_not_used_again(
    new_loop: type[asyncio.AbstractEventLoop], *, resets: bool
) -> None:
    async def script() -> None:
        server = Server()
        async with server.serving() as url, connect(url) as client:
            for _ in range(3):
                assert await client.set("a", "b")
                if resets:
                    server.reset()
                    await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(script())


async def test_a_server_that_says_nothing_to_a_new_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by subscribers, whose reads may else last for ever."""
    monkeypatch.setattr(valkey, "_INTRODUCTION_SECONDS", 0.2)
    async with Server(mute=True).serving() as url, connect(url, patient=True) as client, asyncio.timeout(5):
        pubsub = client.pubsub()
        with pytest.raises(ValkeyTimeoutError):
            await pubsub.subscribe("changed")
        await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py 5.3
