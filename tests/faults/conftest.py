"""Short waits, so that what a crash leaves behind is found again quickly."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from jobs.deps import open_deps
from tests.factories import make_script
from tests.faults.ground import Ground
from tests.standing_in import control
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings


@pytest_asyncio.fixture(scope="module")
async def ground(stack: Stack, settings: Settings, standin: Standin) -> AsyncIterator[Ground]:
    quick = settings.model_copy(
        update={
            "lease_seconds": 1.0,
            "analysis_wait_seconds": 3.0,
            "submit_timeout_seconds": 10.0,
            "drain_seconds": 0.2,
            "max_jobs_per_address": 1000,
        }
    )
    async with open_deps(quick, application="tests") as deps, control(standin.url) as analysis:
        script = await make_script()
        yield Ground(stack=stack, settings=quick, deps=deps, script=script, analysis=analysis)
