"""A clip's pitch and background sound: from our buckets, quickly, and nothing of it when it cannot be had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
import pytest
import pytest_asyncio
import time_machine
from aiohttp import web
from prometheus_client.samples import Sample

from models.token import Token
from tests.factories import make_token
from tests.web.asking import Caller
from web.details import Details
from web.pitch import open_pitches
from web.wiring import DEPS
from yousync.metrics import STORAGE_SECONDS
from yousync.settings import Settings
from yousync.storage import Storage, open_storage

POINTS: list[dict[str, float | None]] = [{"time": 12.0, "hz": 210.5}, {"time": 12.1, "hz": None}]


@pytest_asyncio.fixture(scope="module")
async def storage(app: web.Application) -> Storage:
    found = app[DEPS].storage
    await found.put("pitch/good.json", orjson.dumps([{**point, "more": 1} for point in POINTS]), container="json")
    for name, content in {
        "object": b'{"time": 1}',
        "text": b"not JSON",
        "strings": b'[{"time": "soon", "hz": 1}]',
        "nan": b'[{"time": NaN, "hz": 1}]',
        "deep": b"[" * 100_000,
        "large": b" " * 2**20 + b"[]",
    }.items():
        await found.put(f"pitch/{name}.json", content, container="json")
    return found


async def clip(**columns: str) -> Token:
    token = await make_token()
    await Token.filter(id=token.id).update(**columns)
    return token


@pytest.mark.parametrize("form", ["pitch/good.json", "s3://{bucket}/pitch/good.json", "/pitch/good.json"])
async def test_pitch_lies_in_our_bucket(
    client: aiohttp.ClientSession, settings: Settings, storage: Storage, form: str
) -> None:
    token = await clip(s3_pitch_url=form.format(bucket=settings.s3_bucket_name))
    assert (await Caller(client).get(f"/tokens/{token.id}"))["pitch"] == POINTS


@pytest.mark.parametrize(
    "stored",
    [
        *(f"pitch/{name}.json" for name in ("none", "object", "text", "strings", "nan", "deep", "large")),
        *("s3://somebody-elses/pitch/good.json", "http://127.0.0.1:1/pitch.json", "http://169.254.169.254/latest"),
        *("file:///etc/passwd", "https://[::1", "https://files.example.com/pitch.json"),
    ],
)
async def test_pitch_is_null_when_it_cannot_be_had(
    client: aiohttp.ClientSession, storage: Storage, stored: str
) -> None:
    token = await clip(s3_pitch_url=stored)
    assert (await Caller(client).get(f"/tokens/{token.id}"))["pitch"] is None


async def test_a_file_is_loaded_once(settings: Settings, storage: Storage) -> None:
    async with open_pitches(settings, storage) as pitches:
        before = loads()
        found = await asyncio.gather(*(pitches.of("pitch/good.json") for _ in range(10)))
        assert {settled for _, settled in found} == {True}
        assert orjson.loads(orjson.dumps((await pitches.of("pitch/good.json"))[0])) == POINTS
        assert loads() - before == 1
        await pitches.of("pitch/none.json")
        await pitches.of("pitch/none.json")
        assert loads() - before == 2, "failures are remembered too"


async def test_a_slow_s3_keeps_nobody_waiting(settings: Settings, storage: Storage) -> None:
    async with slow_s3() as (address, goes_on):
        away = settings.model_copy(update={"aws_endpoint_url_s3": address})
        token = await clip(s3_pitch_url="pitch/good.json", s3_bgvoice_url="bg.wav")
        async with open_storage(away) as slow, open_pitches(away, slow) as pitches:
            details = Details(away, slow, pitches)
            begun = time.monotonic()
            found = await details.of(token.id)
            assert time.monotonic() - begun < 2
            assert (found.body["pitch"], found.seconds <= 0.5) == (None, True)
            assert found.body["bgvoice_url"].startswith(address)
            goes_on.set()
            async with asyncio.timeout(5):
                while not (await pitches.of("pitch/good.json"))[1]:
                    await asyncio.sleep(0.01)
            assert orjson.loads(orjson.dumps((await details.of(token.id)).body["pitch"])) == POINTS


class TestBackground:
    async def test_objects_of_ours_are_linked_to_for_a_quarter_of_an_hour(
        self, client: aiohttp.ClientSession, storage: Storage, settings: Settings
    ) -> None:
        await storage.put("미나/bgvoice.wav", b"RIFF", container="wav")
        token = await clip(s3_bgvoice_url=f"s3://{settings.s3_bucket_name}/미나/bgvoice.wav")
        link = (await Caller(client).get(f"/tokens/{token.id}"))["bgvoice_url"]
        assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["900"]
        async with aiohttp.ClientSession() as session, session.get(link) as reply:
            assert await reply.read() == b"RIFF"

    @pytest.mark.parametrize("stored", ["https://cdn.example.com/bg.wav?x=1", "s3://somebody-elses/bg.wav"])
    async def test_anything_else_is_passed_on(self, client: aiohttp.ClientSession, stored: str) -> None:
        token = await clip(s3_bgvoice_url=stored)
        assert (await Caller(client).get(f"/tokens/{token.id}"))["bgvoice_url"] == stored

    async def test_buckets_that_we_were_told_of_are_ours(self, settings: Settings, storage: Storage) -> None:
        told = settings.model_copy(update={"media_buckets": ["of-old"]})
        token = await clip(s3_bgvoice_url="https://of-old.s3.ap-northeast-2.amazonaws.com/bg.wav")
        async with open_pitches(told, storage) as pitches:
            link = (await Details(told, storage, pitches).of(token.id)).body["bgvoice_url"]
        assert "/of-old/bg.wav?" in link
        assert "X-Amz-Signature=" in link

    async def test_links_of_one_window_are_the_same_in_every_process(self, settings: Settings) -> None:
        links = []
        for moment in ("12:00:01", "12:04:59", "12:05:00"):
            with time_machine.travel(f"2026-11-25T{moment}Z", tick=False):
                async with open_storage(settings) as storage:
                    links.append(await storage.presigned("bg.wav"))
        assert links[0] == links[1]
        assert "X-Amz-Date=20261125T120000Z" in links[0]
        assert "X-Amz-Date=20261125T120500Z" in links[2]


def loads() -> int:
    """How often something was read from S3 so far."""
    return round(sum(s.value for metric in STORAGE_SECONDS.collect() for s in metric.samples if _counts_reads(s)))


def _counts_reads(sample: Sample) -> bool:
    return sample.name.endswith("_count") and "get" in sample.labels.values()


@asynccontextmanager
async def slow_s3() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """An S3 that answers every request with the pitch once it may."""
    goes_on = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await goes_on.wait()
        return web.json_response(POINTS)

    app: Any = web.Application()
    app.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", goes_on
    finally:
        goes_on.set()
        await runner.cleanup()
