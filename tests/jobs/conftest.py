"""The engine on real Valkey, Postgres and S3, and a job to try it on."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from aiohttp import web

from jobs.deps import Deps, open_deps
from jobs.engine import Engine, Order, Recording
from jobs.identity import Identity, identify
from models.analysis_result import AnalysisResult
from models.script import Script
from tests.factories import make_script, make_user
from tests.standing_in import Control, control
from yousync.job import STAGE_OF, Job, Kind, Stage, State
from yousync.local.program import Standin
from yousync.settings import Settings

NO_JOB = "0b5e0f6d7c8a4e21b3d49f60a1c2e3d4"
"""An id that no job has; in a test's name it has to be the same in all processes that share the tests."""


@pytest_asyncio.fixture(scope="module")
async def deps(settings: Settings) -> AsyncIterator[Deps]:
    """All connections, once a module; Valkey starts empty."""
    async with open_deps(settings, application="tests") as opened:
        await opened.valkey.flushall()
        yield opened


@pytest_asyncio.fixture(scope="module")
async def identity(deps: Deps) -> Identity:
    return await identify(deps.valkey, deps.settings)


@pytest_asyncio.fixture(scope="module")
async def engine(deps: Deps, identity: Identity) -> Engine:
    return Engine(deps, identity)


@pytest_asyncio.fixture(scope="module")
async def script(deps: Deps) -> Script:
    return await make_script()


@pytest_asyncio.fixture
async def emptied(deps: Deps, identity: Identity) -> Deps:
    """Valkey and Postgres without any job, but still ours."""
    await AnalysisResult.all().delete()
    await deps.valkey.flushall()
    await deps.valkey.set("yousync:incarnation", identity.incarnation)
    return deps


@pytest_asyncio.fixture
async def analysis(engine: Engine, deps: Deps, standin: Standin) -> AsyncIterator[Control]:
    """The stand-in analysis server, and somebody who takes its webhooks to the engine."""

    async def take(request: web.Request) -> web.Response:
        await engine.deliver(request.query["job_id"], await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", deps.settings.port).start()
    async with control(standin.url) as made:
        yield made
    await runner.cleanup()


Accept = Callable[..., Awaitable[Job]]


@pytest_asyncio.fixture
async def accept(emptied: Deps, engine: Engine, script: Script) -> Accept:
    """Accepts a recording of the script: different bytes each time unless `audio` is given.

    For a state `towards` which no recording gets, it is a video or a dubbing.
    """

    async def accepted(*, towards: State | None = None, **changes: Any) -> Job:
        stage = STAGE_OF.get(towards) if towards else None
        if stage not in {Stage.PREPROCESS, Stage.MIX}:
            return await engine.accept(a_recording(script, **changes))
        user = await make_user()
        request = {"nonce": uuid.uuid4().hex}
        if stage is Stage.PREPROCESS:
            return await engine.order(Order(kind=Kind.YOUTUBE, request=request, user_id=user.id))
        return await engine.order(
            Order(kind=Kind.SYNTHESIS, request=request, user_id=user.id, token_id=script.token_id)
        )

    return accepted


def a_recording(script: Script, **changes: Any) -> Recording:
    """A recording of this sentence as `Engine.accept` takes it."""
    fields: dict[str, Any] = {
        "kind": Kind.SCRIPT,
        "audio": uuid.uuid4().bytes * 50,
        "container": "wav",
        "duration_s": 1.0,
        "token_id": script.token_id,
        "script_id": script.id,
        "user_id": None,
        "address": "192.0.2.1",
    }
    return Recording(**(fields | changes))


def a_job(**changes: Any) -> Job:
    """A job as `Store.accept` takes it."""
    job_id = uuid.uuid4().hex
    fields: dict[str, Any] = {
        "id": job_id,
        "kind": Kind.SCRIPT,
        "state": State.ACCEPTED,
        "version": 0,
        "run": 1,
        "claim": "",
        "token_id": 36,
        "script_id": 1,
        "user_id": None,
        "owner": "address:192.0.2.1",
        "dedupe": job_id,
        "container": "wav",
        "s3_key": f"audio/{job_id}.wav",
        "size": 800,
        "duration_ms": 1000,
        "incarnation": "0" * 32,
        "progress": 0,
        "created_ms": 0,
        "updated_ms": 0,
    }
    return Job(**(fields | changes))
