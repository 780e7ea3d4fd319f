"""A service in a process of its own, a frontend's page on another origin, and a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from redis.asyncio import Redis

from models.db import connected
from models.script import Script
from models.session import open_session
from models.user import User
from tests.browser.chromium import Page, chromium
from tests.factories import make_script, make_user
from tests.processes import environment
from tests.standing_in import Control, control
from yousync.cli.service import Web
from yousync.identity import mint
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings

PAGE = Path(__file__).with_name("practice.html")


@dataclass(frozen=True)
class Frontend:
    """The same page on two origins: only the first is on the service's list."""

    listed: str
    other: str


@pytest_asyncio.fixture(scope="module")
async def frontend() -> AsyncIterator[Frontend]:
    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE)

    port = free_port()
    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield Frontend(listed=f"http://localhost:{port}", other=f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module")
async def service(stack: Stack, settings: Settings, standin: Standin, frontend: Frontend) -> AsyncIterator[Web]:
    """Web and engine as they are deployed: `yousync web --with-worker`."""
    valkey = Redis.from_url(settings.redis_url.get_secret_value())
    await valkey.flushall()
    await valkey.aclose()
    env = environment(settings) | {"ALLOWED_ORIGINS": frontend.listed}
    made = Web(lambda: env, logs=stack.logs, port=settings.port, with_worker=True)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest_asyncio.fixture(scope="module")
async def database(service: Web, settings: Settings) -> AsyncIterator[None]:
    """The service's tables, for the tests to write and read."""
    async with connected(settings, pool=2, application="yousync-tests"):
        yield


@pytest_asyncio.fixture(scope="module")
async def script(database: None) -> Script:
    return await make_script("we cross at dawn")


@pytest_asyncio.fixture(scope="module")
async def learner(database: None) -> User:
    return await make_user()


@pytest_asyncio.fixture(scope="module")
async def token(settings: Settings, learner: User) -> str:
    return mint(settings, user_id=learner.id, email=learner.email, session_id=await open_session(learner.id))


@pytest_asyncio.fixture
async def analysis(standin: Standin) -> AsyncIterator[Control]:
    """The analysis server's behaviour, normal again afterwards."""
    async with control(standin.url) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    browser = chromium(tmp_path_factory.mktemp("chromium"))
    driver = await asyncio.to_thread(browser.__enter__)
    try:
        yield Page(driver)
    finally:
        await asyncio.to_thread(browser.__exit__, None, None, None)
