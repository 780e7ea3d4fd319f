"""Many commands on one connection: each gets its own reply, whatever becomes of the others and of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError as ValkeyConnectionError,
    ReadOnlyError,
    ResponseError,
    TimeoutError as ValkeyTimeoutError,
    WatchError,
)

from tests.failing_over import failing_over
from tests.faults.proxy import proxied
from tests.valkey_command import command
from tests.waiting import until
from yousync.local.valkey import Valkey
from yousync.settings import Settings
from yousync.valkey import apart, connect, pool_of, wire_of


@pytest_asyncio.fixture
async def valkey(settings: Settings, empty_valkey: None) -> AsyncIterator[Redis]:
    async with connect(settings.redis_url.get_secret_value()) as client:
        yield client


async def test_a_thousand_at_once_share_a_connection_and_each_gets_its_reply(valkey: Redis) -> None:
    said = await asyncio.gather(*(command(valkey, "ECHO", str(number)) for number in range(1000)))
    assert said == [str(number).encode() for number in range(1000)]
    assert len(await valkey.client_list(_type="normal")) == 1


async def test_replies_are_as_redis_py_has_them(valkey: Redis) -> None:
    await command(valkey, "HSET", "h", "a", 1, "b", "둘")
    await valkey.zadd("z", {"one": 1.5})
    assert await command(valkey, "HGETALL", "h") == {b"a": b"1", b"b": "둘".encode()}
    assert await valkey.zscore("z", "one") == 1.5
    assert await valkey.set("k", b"\x00" * 100_000, nx=True) is True
    async with valkey.pipeline(transaction=False) as pipeline:
        pipeline.hgetall("h")
        pipeline.zrange("z", 0, -1, withscores=True)
        pipeline.get("none")
        assert await pipeline.execute() == [{b"a": b"1", b"b": "둘".encode()}, [(b"one", 1.5)], None]


async def test_a_refusal_is_its_own_alone(valkey: Redis) -> None:
    await valkey.set("k", "text")
    fine, refused, also_fine = await asyncio.gather(
        valkey.get("k"), valkey.incr("k"), valkey.get("k"), return_exceptions=True
    )
    assert (fine, also_fine) == (b"text", b"text")
    assert isinstance(refused, ResponseError)
    async with valkey.pipeline(transaction=False) as pipeline:
        for key, value in (("a", 1), ("k", "no number"), ("b", 2)):
            pipeline.set(key, value)
            pipeline.incr(key)
        with pytest.raises(ResponseError, match="Command # 4"):
            await pipeline.execute()
    assert await valkey.mget("a", "b") == [b"2", b"3"]


async def test_a_transaction_is_whole_or_is_not(valkey: Redis) -> None:
    async with valkey.pipeline(transaction=True) as pipeline:
        pipeline.set("a", 1)
        pipeline.incr("a")
        pipeline.get("a")
        assert await pipeline.execute() == [True, 2, b"2"]
    async with valkey.pipeline(transaction=True) as pipeline:
        pipeline.set("a", 7)
        pipeline.execute_command("NO_SUCH_COMMAND")
        with pytest.raises(ResponseError, match="unknown command"):
            await pipeline.execute()
    assert await valkey.get("a") == b"2"


async def test_a_watched_key_is_watched_on_a_connection_of_its_own(valkey: Redis) -> None:
    async with valkey.pipeline() as pipeline:
        await pipeline.watch("a")
        pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py 5.3
        pipeline.set("a", "mine")
        await valkey.set("a", "theirs")
        with pytest.raises(WatchError):
            await pipeline.execute()
    assert await valkey.get("a") == b"theirs"


async def test_whoever_stops_waiting_leaves_the_others_their_replies(valkey: Redis) -> None:
    await valkey.ping()
    asked = [asyncio.ensure_future(command(valkey, "ECHO", str(number))) for number in range(10)]
    await asyncio.sleep(0)
    asked[3].cancel()
    said = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(said.pop(3), asyncio.CancelledError)
    assert said == [str(number).encode() for number in range(10) if number != 3]
    assert await command(valkey, "ECHO", "after") == b"after"


async def test_what_breaks_off_is_sent_again_once(settings: Settings, valkey: Redis) -> None:
    url = settings.redis_url.get_secret_value()
    port = int(url.rpartition(":")[2].partition("/")[0])
    async with proxied(port) as proxy, connect(proxy.instead(url)) as client:
        await client.ping()
        proxy.cut(rb"marker")
        replies = await asyncio.gather(client.incr("marker"), *(client.get("none") for _ in range(5)))
        assert replies == [2, *[None] * 5]  # the first one was done, and nobody was told
        proxy.cut(rb"marker", times=2)
        with pytest.raises(ValkeyConnectionError):
            await client.incr("marker")
        proxy.heal()
        assert await client.get("marker") == b"4"


async def test_a_primary_that_has_become_a_replica_is_left_for_the_one_that_its_name_leads_to(
    settings: Settings, valkey: Redis, another_valkey: Valkey
) -> None:
    """Also where it ends no connection, and by connections that are not shared."""

    async def written(way: Redis) -> bool:
        with suppress(ReadOnlyError):
            return bool(await way.set("a", "after"))
        return False

    url = settings.redis_url.get_secret_value()
    async with failing_over(another_valkey, url) as (name, fail_over), connect(name) as client:
        for way in (client, apart(client)):
            await way.set("a", "before")
        await fail_over()
        for way in (client, apart(client)):
            await valkey.delete("a")
            await until(partial(written, way), seconds=5)
            assert await valkey.get("a") == b"after"


async def test_a_server_that_falls_silent_is_given_up_by_all_and_asked_anew_by_the_next() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while data := await reader.read(2**16):
            if len(connections) > 1 or b"GET" not in data:
                writer.write(b"+OK\r\n" * data.count(b"*"))

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        pool = pool_of(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=5)
        wire = wire_of(pool, again=0, patience=0.2)
        answers = await asyncio.gather(wire.ask(("GET", "a")), wire.ask(("GET", "b")), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValkeyTimeoutError] * 2
        assert await wire.ask(("GET", "c")) == [b"OK"]
        await wire.close()
        assert len(connections) == 2
        for connection in connections:
            connection.close()


async def test_a_valkey_that_is_starting_is_away() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            said = b"-LOADING not yet\r\n" if b"GET" in data else b"+PONG\r\n" if b"PING" in data else b"+OK\r\n"
            writer.write(said * data.count(b"*"))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(BusyLoadingError):
            await client.get("a")
