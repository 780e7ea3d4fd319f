"""A real S3 server, a webhook receiver, and the analysis server between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import web
from pydantic import SecretStr

from yousync.analyzer.app import Config, make_app
from yousync.local.port import free_port
from yousync.local.s3 import ObjectStore


class Receiver:
    """Takes webhooks; `answers` are the statuses of the next ones, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""
        self._news = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._news:
            self.raw.append((dict(request.headers), body))
            self.got.append((request.raw_path, json.loads(body)))
            self._news.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def wait(self, count: int, *, seconds: float = 15.0) -> list[tuple[str, dict[str, Any]]]:
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def served(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port or free_port())
        await site.start()
        yield site.name
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    async with served(app) as made.url:
        yield made


@pytest_asyncio.fixture(scope="session")
async def bucket(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ObjectStore]:
    """The local stack's S3 server, alone."""
    folder = tmp_path_factory.mktemp("s3")
    store = ObjectStore(
        folder / "data", logs=folder, port=free_port(), key="analyzerkey", secret="analyzersecret", bucket="recordings"
    )
    await store.start()
    yield store
    await store.stop()


@pytest_asyncio.fixture(scope="session")
async def put(bucket: ObjectStore) -> AsyncIterator[Callable[[str, bytes], Awaitable[str]]]:
    """Stores an object and returns its s3:// URL."""
    env = bucket.env()
    async with get_session().create_client(
        "s3",
        region_name=env["AWS_REGION"],
        endpoint_url=bucket.url,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(signature_version="s3v4", s3={"addressing_style": "path"}),
    ) as client:

        async def store(key: str, data: bytes) -> str:
            await client.put_object(Bucket=bucket.bucket, Key=key, Body=data)
            return f"s3://{bucket.bucket}/{key}"

        yield store


@pytest.fixture(scope="session")
def config(bucket: ObjectStore) -> Config:
    env = bucket.env()
    return Config(
        aws_access_key_id=SecretStr(env["AWS_ACCESS_KEY_ID"]),
        aws_secret_access_key=SecretStr(env["AWS_SECRET_ACCESS_KEY"]),
        aws_endpoint_url_s3=bucket.url,
        analyzer_webhook_seconds=10.0,
    )


class Client:
    """The analysis server as a backend sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self.url = session, url

    async def analyze(self, form: dict[str, str], key: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        async with self._session.post(f"{self.url}/analyze", data=form, headers=headers) as reply:
            return reply.status, await reply.json()

    async def text(self, path: str) -> str:
        async with self._session.get(f"{self.url}{path}") as reply:
            return await reply.text()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self._session.get(f"{self.url}{path}") as reply:
            return reply.status, await reply.json()


@asynccontextmanager
async def analysis_server(config: Config) -> AsyncIterator[Client]:
    async with served(make_app(config)) as url, aiohttp.ClientSession() as session:
        yield Client(session, url)


@pytest_asyncio.fixture(scope="session")
async def server(config: Config) -> AsyncIterator[Client]:
    """One for all tests: job ids keep them apart."""
    async with analysis_server(config) as client:
        yield client
