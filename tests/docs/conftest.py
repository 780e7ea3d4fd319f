"""The session's stack with a web process and a worker that gives up early, and an operator's shell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from jobs.deps import open_deps
from tests.docs.shell import Shell
from tests.factories import make_script
from tests.faults.ground import Ground
from tests.processes import running
from tests.standing_in import control
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings


@pytest_asyncio.fixture(scope="module")
async def ground(stack: Stack, settings: Settings, standin: Standin) -> AsyncIterator[Ground]:
    hasty = settings.model_copy(update={"submit_tries": 2, "drain_seconds": 0.2, "max_jobs_per_address": 1000})
    async with open_deps(hasty, application="tests") as deps, control(standin.url) as analysis:
        made = Ground(stack=stack, settings=hasty, deps=deps, script=await make_script(), analysis=analysis)
        await made.clear()
        async with running(made.web(with_worker=False), made.worker()):
            yield made


@pytest_asyncio.fixture
async def shell(ground: Ground, tmp_path: Path) -> Shell:
    """Where the page's commands are typed; the analysis server behaves."""
    await ground.analysis.reset()
    return Shell.open(tmp_path, ground.settings)
