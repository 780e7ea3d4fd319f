"""Following jobs: every event once, in order, also when connections break in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from jobs import keys
from jobs.deps import Deps
from jobs.identity import Identity
from jobs.reconciler import reconcile
from jobs.tail import Line, tail, tail_all
from jobs.tenancy import tenancy
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import RESULT, bring, claimed, read
from tests.jobs.conftest import NO_JOB, Accept
from tests.valkey_command import command, listeners
from tests.waiting import until
from yousync.errors import JobNotFound
from yousync.job import State


@asynccontextmanager
async def collected(lines: AsyncGenerator[Line, None], *, endless: bool = False) -> AsyncIterator[list[Line]]:
    """What is told meanwhile; it ends by itself unless it is `endless`."""
    seen: list[Line] = []

    async def collect() -> None:
        async for line in lines:
            seen.append(line)  # noqa: PERF401  # seen as they come

    task = asyncio.create_task(collect())
    try:
        yield seen
        if not endless:
            await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await lines.aclose()


@pytest_asyncio.fixture
async def alone(emptied: Deps) -> None:
    """Nobody listens: Valkey has noticed that those of the tests before have gone."""
    await until(lambda: nobody_listens(emptied))


async def nobody_listens(deps: Deps) -> bool:
    return not await listeners(deps.valkey, keys.MOVED)


async def test_a_job_is_told_from_its_first_event_to_its_last(emptied: Deps, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.WAITING)
    async with collected(tail(emptied, job.id)) as lines:
        await until(lambda: len(lines) == job.version)
        await emptied.store.deliver(job.id, RESULT)
        await until(lambda: lines[-1].event.target == "received")
        end = await bring_to_end(emptied, job.id)
    assert [line.event.version for line in lines] == list(range(1, end + 1))
    assert {line.job_id for line in lines} == {job.id}
    assert lines[-1].event.target == "completed"


async def bring_to_end(deps: Deps, job_id: str) -> int:
    """Persist a job that has its result; its last version."""
    from jobs.stages.persist import persist

    job = await deps.store.read(job_id)
    assert job is not None
    job = await claimed(deps, job)
    await persist(deps, job)
    return (await deps.store.conclude(job, State.COMPLETED, code="")).version


@pytest.mark.usefixtures("alone")
async def test_nothing_is_missed_when_the_subscription_breaks(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    async with collected(tail(emptied, job.id)) as lines:
        await until(lambda: len(lines) == 1)
        await until(lambda: listeners(emptied.valkey, keys.MOVED))
        await command(emptied.valkey, "CLIENT", "KILL", "TYPE", "pubsub")
        end = await bring(emptied, job, State.COMPLETED)
    assert [line.event.version for line in lines] == list(range(1, end.version + 1))


@pytest.mark.parametrize("state", [State.PARKED, State.COMPLETED])
async def test_an_ended_job_tells_its_story_and_no_more(emptied: Deps, accept: Accept, state: State) -> None:
    job = await bring(emptied, await accept(), state)
    async with collected(tail(emptied, job.id)) as lines:
        pass
    assert len(lines) == job.version
    await emptied.valkey.flushall()
    async with collected(tail(emptied, job.id)) as again:
        pass
    assert [line.event.move for line in again] == [line.event.move for line in lines]


@pytest.mark.parametrize("job_id", [NO_JOB, "nonsense", "nul\x00"])
async def test_what_is_no_job_is_not_found(emptied: Deps, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        await anext(tail(emptied, job_id))


async def test_a_job_that_was_lost_with_its_valkey_is_told_to_its_end(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    job = await accept()
    async with collected(tail(emptied, job.id)) as lines, tenancy(emptied, identity) as here:
        await until(lambda: len(lines) == 1)
        await emptied.valkey.flushall()
        await reconcile(emptied, identity, here, grace_seconds=-1)
    assert (await AnalysisResult.get(job_id=job.id)).code == "audio_lost"


@pytest.mark.usefixtures("alone")
async def test_all_jobs_are_told_from_now_on(emptied: Deps, accept: Accept) -> None:
    before = await bring(emptied, await accept(), State.WAITING)
    await asyncio.sleep(0.01)  # "now" is a millisecond, and what happened within it is told
    async with collected(tail_all(emptied), endless=True) as seen:
        await until(lambda: listeners(emptied.valkey, keys.MOVED))
        new = await accept()
        await emptied.store.deliver(before.id, RESULT)
        await claimed(emptied, await read(emptied, new))
        await until(lambda: len(seen) == 3)
    told = [(line.job_id, line.event.target) for line in seen]
    assert sorted(told) == sorted([(new.id, "accepted"), (before.id, "received"), (new.id, "uploading")])
    assert [target for job_id, target in told if job_id == new.id] == ["accepted", "uploading"]
