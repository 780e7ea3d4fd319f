"""S3, real: what is put is there, what is not is told apart from what cannot be known."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.faults.proxy import proxied
from yousync.failures import Down, Transient
from yousync.local.port import free_port
from yousync.settings import Settings
from yousync.storage import open_storage


async def test_what_was_put_is_there(settings: Settings) -> None:
    async with open_storage(settings) as storage:
        await storage.put("audio/한글 name.wav", b"RIFF", container="wav")
        await storage.put("audio/한글 name.wav", b"RIFF", container="wav")
        assert await storage.size("audio/한글 name.wav") == 4
        assert await storage.size("audio/none.wav") is None
        assert storage.uri("a/b.wav") == f"s3://{settings.s3_bucket_name}/a/b.wav"


async def test_after_the_first_put_others_go_the_short_way(settings: Settings) -> None:
    """Which leaves out asking S3 whether it wants the body."""
    assert settings.aws_endpoint_url_s3
    port = urlsplit(settings.aws_endpoint_url_s3).port
    assert port
    async with proxied(port) as proxy, aiohttp.ClientSession() as session:
        nearby = settings.model_copy(update={"aws_endpoint_url_s3": proxy.instead(settings.aws_endpoint_url_s3)})
        async with open_storage(nearby) as storage:
            await storage.put("audio/first.wav", b"RIFF", container="wav")
            proxy.cut(rb"Expect: 100-continue")
            odd = "audio/한글 +&=?#%~ name.webm"
            await storage.put(odd, b"later", container="webm")
            await storage.put(storage.uri("audio/empty.wav"), b"", container="wav")
            await storage.put("audio/large.wav", bytes(2**20 + 1), container="wav")
            assert proxy.cuts == 0
            assert [await storage.size(key) for key in (odd, "audio/empty.wav", "audio/large.wav")] == [5, 0, 2**20 + 1]
            async with session.get(await storage.presigned(odd)) as reply:
                assert (await reply.read(), reply.content_type) == (b"later", "audio/webm")
            proxy.cut(rb"PUT ", times=9)
            with pytest.raises(Down):
                await storage.put("audio/cut.wav", b"RIFF", container="wav")


async def test_what_the_short_way_is_refused_is_refused_for_a_reason(settings: Settings) -> None:
    async with open_storage(settings) as storage:
        bucket = f"s3://{settings.s3_bucket_name}-gone"
        await storage.put("audio/first.wav", b"RIFF", container="wav")
        with pytest.raises(Transient, match="NoSuchBucket"):
            await storage.put(f"{bucket}/a.wav", b"RIFF", container="wav")
        storage._short_way._places[f"{settings.s3_bucket_name}-gone"] = (
            storage._short_way._places[settings.s3_bucket_name][:-1] + "-gone/"
        )
        with pytest.raises(Transient, match="NoSuchBucket"):
            await storage.put(f"{bucket}/a.wav", b"RIFF", container="wav")


async def test_a_key_that_names_its_bucket_is_the_same_object(settings: Settings) -> None:
    async with open_storage(settings) as storage, aiohttp.ClientSession() as session:
        await storage.put("user_audio/7/36/99.wav", b"RIFF", container="wav")
        full = storage.uri("user_audio/7/36/99.wav")
        assert (await storage.size(full), storage.uri(full)) == (4, full)
        async with session.get(await storage.presigned(full)) as reply:
            assert await reply.read() == b"RIFF"
        await storage.delete(full)
        assert await storage.size("user_audio/7/36/99.wav") is None


async def test_a_server_that_is_away_is_down(settings: Settings) -> None:
    away = settings.model_copy(update={"aws_endpoint_url_s3": f"http://127.0.0.1:{free_port()}"})
    async with open_storage(away) as storage:
        with pytest.raises(Down):
            await storage.put("a", b"", container="wav")
        with pytest.raises(Down):
            await storage.size("a")


async def test_an_object_that_breaks_off_on_the_way_is_of_a_server_that_is_away(settings: Settings) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nRIFF")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broken = settings.model_copy(update={"aws_endpoint_url_s3": f"http://127.0.0.1:{port}"})
        async with open_storage(broken) as storage:
            with pytest.raises(Down):
                await storage.get("a.wav", max_bytes=8)


async def test_a_refusal_is_not_an_absence(settings: Settings) -> None:
    stranger = Settings.load(_env_file=None, **(settings.model_dump() | {"aws_secret_access_key": "wrong"}))
    async with open_storage(stranger) as storage:
        with pytest.raises(Transient):
            await storage.put("a", b"x", container="wav")
        with pytest.raises(Transient):
            await storage.size("a")


async def test_a_link_opens_one_object_for_whoever_holds_it(settings: Settings) -> None:
    async with open_storage(settings) as storage, aiohttp.ClientSession() as session:
        await storage.put("audio/한글 name.wav", b"RIFF", container="wav")
        link = await storage.presigned("audio/한글 name.wav")
        async with session.get(link) as reply:
            assert (reply.status, await reply.read()) == (200, b"RIFF")
        for other in (link.replace("name", "nam"), link.replace("Expires=900", "Expires=9000"), link.split("?")[0]):
            async with session.get(other) as reply:
                assert reply.status in {400, 403}, other


@pytest.mark.parametrize(("container", "kind"), [("webm", "audio/webm"), ("wav", "audio/wav"), ("m4a", "audio/mp4")])
async def test_an_object_is_of_the_type_that_its_container_is(settings: Settings, container: str, kind: str) -> None:
    async with open_storage(settings) as storage, aiohttp.ClientSession() as session:
        await storage.put(f"audio/typed.{container}", b"x", container=container)
        async with session.get(await storage.presigned(f"audio/typed.{container}")) as reply:
            assert reply.content_type == kind


async def test_a_link_lasts_as_long_as_it_was_asked_to(settings: Settings) -> None:
    async with open_storage(settings) as storage:
        for link, seconds in ((await storage.presigned("a.wav"), 900), (await storage.presigned("a.wav", 3600), 3600)):
            assert f"X-Amz-Expires={seconds}&" in link


async def test_a_link_names_the_address_that_browsers_reach(settings: Settings) -> None:
    async def link(**changes: str | None) -> str:
        async with open_storage(settings.model_copy(update=changes)) as storage:
            address = urlsplit(await storage.presigned("a.wav"))
            return f"{address.scheme}://{address.netloc}{address.path}"

    bucket = settings.s3_bucket_name
    public = "https://audio.example.com"
    assert await link() == f"{settings.aws_endpoint_url_s3}/{bucket}/a.wav"
    assert await link(s3_public_endpoint_url=public) == f"{public}/{bucket}/a.wav"
    assert await link(aws_endpoint_url_s3=None, s3_public_endpoint_url=public) == f"{public}/{bucket}/a.wav"
    amazon = f"https://{bucket}.s3.{settings.aws_region}.amazonaws.com/a.wav"
    assert await link(aws_endpoint_url_s3=None) == amazon
