"""Two stacks that share what they should not: one database with a Valkey each, one Valkey with a database each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from jobs.deps import Deps
from jobs.identity import identify
from jobs.store import Store
from models.analysis_result import AnalysisResult
from tests.conftest import NewDatabase
from tests.faults.chance import some
from tests.faults.ground import Ground, different, launch, legal_path, moved, runs, stored_once
from tests.processes import died, running
from tests.waiting import until
from yousync.job import State
from yousync.local.port import free_port
from yousync.local.valkey import Valkey
from yousync.valkey import connect

JOBS = 3


@pytest_asyncio.fixture
async def other(ground: Ground, another_valkey: Valkey) -> AsyncIterator[Ground]:
    """The ground as a second stack sees it: the same database, bucket and analysis server, a Valkey of its own."""
    port = free_port()
    webhook = f"http://127.0.0.1:{port}/scripts/webhook/analysis-complete"
    changes = {"port": port, "redis_url": SecretStr(another_valkey.url), "script_webhook_url": webhook}
    settings = ground.settings.model_copy(update=changes)
    async with connect(another_valkey.url) as client:
        deps = Deps(
            settings=settings,
            valkey=client,
            store=Store(client, client, settings),
            storage=ground.deps.storage,
            analysis=ground.deps.analysis,
            preprocessing=ground.deps.preprocessing,
        )
        yield replace(ground, settings=settings, deps=deps)


async def test_a_second_valkey_on_the_same_database(ground: Ground, other: Ground) -> None:
    """While the first stack lives its jobs are its own, however old and unfinished their rows are."""
    await ground.clear()
    await ground.analysis.behave("hold")
    patient = {"analysis_wait_seconds": 60.0}
    first, second = (replace(each, settings=each.settings.model_copy(update=patient)) for each in (ground, other))
    async with running(first.web()):
        ours = await uploaded(first, 9800)
        await until(lambda: moved(first, "wait", JOBS))
        await AnalysisResult.all().update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
        async with running(second.web("web-2")):
            await until(lambda: reconciled(second))
            assert not await second.records()
            theirs = await uploaded(second, 9900)
            await until(lambda: moved(second, "wait", JOBS))
            await ground.analysis.release()
            for each, audio in ((first, ours), (second, theirs)):
                for job_id, recording in audio.items():
                    assert (await each.ended(job_id))["status"] == "completed"
                    await once(each, job_id, recording)
    assert await AnalysisResult.all().count() == 2 * JOBS
    assert {job.id for job in await first.records()} == set(ours)
    assert {job.id for job in await second.records()} == set(theirs)


async def uploaded(ground: Ground, number: int) -> dict[str, bytes]:
    recordings = [different(number + each) for each in range(JOBS)]
    return {await ground.upload(recording): recording for recording in recordings}


async def reconciled(ground: Ground) -> bool:
    """Whether a worker has looked at all rows: the books of staged audio, which it then makes, are there."""
    return bool(await ground.deps.valkey.exists("yousync:staged_bytes"))


async def once(ground: Ground, job_id: str, audio: bytes) -> None:
    """The job ran in one go, in one place."""
    row = await AnalysisResult.get(job_id=job_id)
    assert (row.state, row.run, row.attempts) == (State.COMPLETED, 1, 1)
    legal_path(row)
    assert await runs(ground, job_id) == await ground.analysis.asked(job_id) == 1
    job = await ground.deps.store.read(job_id)
    assert job is not None
    await stored_once(ground, job, audio)


@pytest.mark.parametrize("kind", some("strangers", ["web", "worker"], 1))
async def test_a_second_database_on_the_same_valkey(ground: Ground, new_database: NewDatabase, kind: str) -> None:
    """Whoever names a Valkey that belongs to another deployment does not even start."""
    await ground.clear()
    await identify(ground.deps.valkey, ground.settings)
    changes = {"database_url": SecretStr(await another_deployment(new_database)), "port": free_port()}
    other = replace(ground, settings=ground.settings.model_copy(update=changes))
    stranger = other.web("web-2") if kind == "web" else other.worker("worker-2")
    await launch(stranger)
    try:
        assert await died(stranger) == 3
    finally:
        await stranger.kill()
    assert "REDIS_URL names a Valkey that belongs to another deployment" in stranger.process.tail()


@pytest.mark.parametrize("kind", some("evicted", ["web", "worker"], 1))
async def test_a_valkey_that_becomes_another_s_is_left(ground: Ground, kind: str) -> None:
    """It was emptied, and somebody else was faster: whoever lived on it goes, and a process manager sees why."""
    await ground.clear()
    watchful = replace(ground, settings=ground.settings.model_copy(update={"reconcile_seconds": 0.5}))
    tenant = watchful.web(with_worker=False) if kind == "web" else watchful.worker()
    await tenant.start()
    try:
        await ground.deps.valkey.set("yousync:deployment", "another")
        assert await died(tenant) == 3
    finally:
        await tenant.kill()
        await ground.clear()
    assert "another deployment's now" in tenant.process.tail()


async def another_deployment(new_database: NewDatabase) -> str:
    """A database as if migrated by somebody else; tests' databases are copies, and a copy is the same deployment."""
    dsn = await new_database()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE deployment SET id = gen_random_uuid()")
    finally:
        await connection.close()
    return dsn
