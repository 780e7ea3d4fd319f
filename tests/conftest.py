"""What all tests share: one local stack per session, and settings that point at it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import hypothesis
import pytest_asyncio
from redis.asyncio import Redis

from models import db
from tests.faults.chance import SEED
from tests.processes import running
from yousync.local.port import free_port
from yousync.local.postgres import Postgres
from yousync.local.program import Analyzer, Standin
from yousync.local.stack import Stack, throwaway_folder
from yousync.local.valkey import Valkey
from yousync.settings import Settings

# Tests use their own stack, whatever the shell that runs them is set up for.
for _name in [*(field.upper() for field in Settings.model_fields), "YOUSYNC_DATA"]:
    os.environ.pop(_name, None)

# On a busy machine one example may take long. Imported here and not by pytest at its end, where a warning is an error.
hypothesis.settings.register_profile("yousync", deadline=None)
hypothesis.settings.load_profile("yousync")

TEMPLATE = "template_yousync"


def pytest_report_header() -> str:
    """What draws the same samples again."""
    return f"FAULTS_SEED={SEED}"


@pytest_asyncio.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """Postgres, Valkey, S3 and issuer in a folder of their own; the analysis servers start when asked for."""
    made = Stack(throwaway_folder(), public_port=free_port(), analysis="standin", durable=False)
    try:
        await made.start(later=("standin",))
        yield made
    finally:
        await made.destroy()


@pytest_asyncio.fixture(scope="session")
async def standin(stack: Stack) -> Standin:
    """The controllable stand-in, running; `settings` point at it."""
    part = await stack.ensure("standin")
    assert isinstance(part, Standin)
    return part


@pytest_asyncio.fixture(scope="session")
async def analyzer(stack: Stack) -> Analyzer:
    """The real analysis server, running; use `settings.model_copy(update=...)` with its `env()` to reach it."""
    part = await stack.ensure("analyzer")
    assert isinstance(part, Analyzer)
    return part


NewDatabase = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture(scope="session")
async def new_database(stack: Stack) -> NewDatabase:
    """Makes a migrated, empty database in some 30 ms and returns its DSN: a copy of one that was migrated once."""
    postgres = stack.parts["postgres"]
    assert isinstance(postgres, Postgres)
    await _execute(postgres.dsn("postgres"), f"CREATE DATABASE {TEMPLATE}")
    await db.upgrade(settings_for(stack, database_url=postgres.dsn(TEMPLATE)))
    made = 0

    async def create() -> str:
        nonlocal made
        made += 1
        name = f"test_{made}"
        await _execute(postgres.dsn("postgres"), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        return postgres.dsn(name)

    return create


@pytest_asyncio.fixture(scope="module")
async def settings(stack: Stack, new_database: NewDatabase) -> Settings:
    """Settings for the session's stack with a database and a port of this module's own.

    Analysis servers go on calling webhooks of earlier modules for a while: those must not come here.
    """
    port = free_port()
    webhooks = {
        name: url.replace(f":{stack.public_port}/", f":{port}/")
        for name, url in stack.env().items()
        if name.endswith("WEBHOOK_URL")
    }
    changes = {name.lower(): url for name, url in webhooks.items()}
    return settings_for(stack, database_url=await new_database(), port=port, **changes)


@pytest_asyncio.fixture
async def empty_valkey(settings: Settings) -> None:
    """Valkey as on the first day."""
    client = Redis.from_url(settings.redis_url.get_secret_value())
    await client.flushall()
    await client.aclose()


@pytest_asyncio.fixture
async def another_valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    """A second server beside the stack's, empty."""
    valkey = Valkey(tmp_path / "valkey", logs=tmp_path, port=free_port(), password="of-its-own")
    async with running(valkey):
        yield valkey


def settings_for(stack: Stack, **changes: object) -> Settings:
    """Settings that point at `stack`; `changes` by field name. Nobody is limited: all tests come from one address."""
    found: dict[str, object] = {name.lower(): value for name, value in stack.env().items()}
    return Settings.load(_env_file=None, **({"rate_limits": "off"} | found | changes))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
