"""The whole service over real HTTP: web and engine in one process, everything else as in production."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest_asyncio
from aiohttp import web
from redis.asyncio import Redis

from models.script import Script
from models.user import User
from tests.factories import bearer_of, make_script, make_user
from tests.standing_in import Control, control
from web.app import make_app
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[web.Application]:
    """The application on the port that its webhooks are sent to."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=3)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield app
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module")
async def app(stack: Stack, settings: Settings, standin: Standin) -> AsyncIterator[web.Application]:
    valkey = Redis.from_url(settings.redis_url.get_secret_value())
    await valkey.flushall()
    await valkey.aclose()
    made = make_app(
        settings.model_copy(update={"sse_keepalive_seconds": 0.5, "synthesis_wait_seconds": 2.0}), with_worker=True
    )
    async with serving(made, settings.port) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def client(app: web.Application, settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as session:
        yield session


@pytest_asyncio.fixture(scope="module")
async def script(app: web.Application) -> Script:
    return await make_script("we cross at dawn")


@pytest_asyncio.fixture(scope="module")
async def user(app: web.Application) -> User:
    return await make_user()


@pytest_asyncio.fixture(scope="module")
async def bearer(settings: Settings, user: User) -> dict[str, str]:
    return await bearer_of(settings, user)


def recording(seconds: float = 0.5, pitch: float = 200.0) -> bytes:
    """A WAV of a tone; another pitch makes other bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        samples = (int(9000 * math.sin(2 * math.pi * pitch * n / 16000)) for n in range(int(seconds * 16000)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return buffer.getvalue()


def form(audio: bytes, *, field: str = "file", filename: str = "script_1.wav") -> aiohttp.FormData:
    """The form that frontends send."""
    data = aiohttp.FormData()
    data.add_field(field, io.BytesIO(audio), filename=filename, content_type="audio/wav")
    return data


@pytest_asyncio.fixture
async def analysis(standin: Standin) -> AsyncIterator[Control]:
    """The analysis server's behaviour, normal again afterwards."""
    async with control(standin.url) as made:
        yield made
