"""Whoever works says so, to us and to arq's own command line."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from jobs import keys
from jobs.deps import Deps
from jobs.identity import Identity
from jobs.presence import workers
from models.analysis_result import AnalysisResult
from tests.jobs.conftest import Accept
from tests.processes import WorkerProcess, environment
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.job import State
from yousync.local.stack import Stack


@pytest_asyncio.fixture
async def worker(emptied: Deps, identity: Identity, stack: Stack) -> AsyncIterator[WorkerProcess]:
    part = WorkerProcess(emptied.settings, logs=stack.logs, name="present")
    await part.start()
    yield part
    await part.kill()


async def arq(deps: Deps, *arguments: str) -> int:
    """The exit status of arq's command line."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "arq",
        "jobs.worker_settings.WorkerSettings",
        *arguments,
        env=dict(os.environ) | environment(deps.settings),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(child.wait(), 40)


async def test_a_worker_is_listed_until_it_goes(emptied: Deps, worker: WorkerProcess) -> None:
    [info] = await until(lambda: workers(emptied.valkey))
    assert info.pid == worker.process.pid
    assert (info.slots, info.running) == (emptied.settings.worker_slots, 0)
    assert info.started_ms <= info.seen_ms
    await worker.stop()
    assert await workers(emptied.valkey) == []


async def test_one_that_was_killed_is_listed_only_for_a_while(emptied: Deps, worker: WorkerProcess) -> None:
    [info] = await until(lambda: workers(emptied.valkey))
    await worker.kill()
    told = (await command(emptied.valkey, "HGET", keys.WORKERS, info.name)).decode()
    old = told.replace(str(info.seen_ms), str(info.seen_ms - 60_000))
    await command(emptied.valkey, "HSET", keys.WORKERS, info.name, old)
    assert await workers(emptied.valkey) == []


async def test_arq_can_tell_whether_a_worker_lives(emptied: Deps, worker: WorkerProcess) -> None:
    await until(lambda: emptied.valkey.exists(keys.HEALTH))
    assert await arq(emptied, "--check") == 0
    await worker.kill()
    await emptied.valkey.delete(keys.HEALTH)
    assert await arq(emptied, "--check") == 1


async def test_arq_itself_can_lend_a_hand(emptied: Deps, accept: Accept, analysis: Control) -> None:
    await analysis.behave("inline")
    job = await accept()
    assert await arq(emptied, "--burst") == 0
    await until(lambda: AnalysisResult.filter(job_id=job.id, state__not=State.ACCEPTED.value).exists())
    assert (await AnalysisResult.get(job_id=job.id)).state == State.COMPLETED
