"""A learner deletes what they did in a clip: all of it goes, and nobody else's, also when a process dies halfway."""

from __future__ import annotations

from datetime import timedelta

import pytest_asyncio

from jobs.deps import Deps
from jobs.engine import Delivery, Engine
from jobs.erasure import burial
from jobs.identity import Identity
from jobs.retention import retain
from models.analysis_result import AnalysisResult
from models.db import now
from models.deletion import attempts_of, bury_many
from models.script import Script
from models.user import User
from tests.counting import statements
from tests.factories import make_attempt, make_script, make_user
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import worker
from tests.jobs.test_ops import LATE, put
from tests.standing_in import Control
from tests.waiting import until
from yousync.job import Job, State


@pytest_asyncio.fixture
async def user(emptied: Deps) -> User:
    return await make_user()


async def nothing_left(deps: Deps, engine: Engine, job: Job) -> None:
    """Neither record, nor result, nor audio; the tombstone says who did it and why."""

    async def gone() -> bool:
        return await deps.store.read(job.id) is None

    await until(gone)
    row = await AnalysisResult.get(job_id=job.id)
    assert row.deleted_at is not None
    assert [row.result, row.overall_score, row.message, row.s3_key, row.status] == [None, None, None, "", "failed"]
    [event] = row.history
    assert [event["actor"], event["cause"]] == [f"user:{job.user_id}", "the learner deleted their results"]
    assert await deps.storage.size(job.s3_key) is None
    assert await engine.view(job.id) is None


async def test_all_of_it_goes_whatever_it_is_doing_and_nobody_elses(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control, script: Script, user: User
) -> None:
    states = (State.ACCEPTED, State.WAITING, State.COMPLETED, State.PARKED)
    jobs = [await put(emptied, await bring(emptied, await accept(user_id=user.id), state)) for state in states]
    clip = await script.token
    other = await make_script()
    kept = [
        await make_attempt(await make_user(), script),
        await make_attempt(user, other),
        await make_attempt(user, script, kind="synthesis"),
    ]
    whole = await make_attempt(user, token=clip)  # its record is long gone
    assert await engine.delete_results(user.id, clip.id) == len(jobs) + 1
    for job in jobs:
        assert (await read(emptied, job)).state is State.CLEANING
        assert await engine.view(job.id) is None
        assert await engine.deliver(job.id, LATE) is Delivery.DUPLICATE
    assert await engine.delete_results(user.id, clip.id) == 0
    async with worker(emptied, identity):
        for job in jobs:
            await nothing_left(emptied, engine, job)

        async def cleaned() -> bool:
            return (await AnalysisResult.get(job_id=whole)).s3_key == ""

        await until(cleaned)
    assert await AnalysisResult.filter(job_id__in=kept, deleted_at=None).count() == len(kept)


async def test_a_process_that_dies_halfway_leaves_it_to_retention(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control, user: User
) -> None:
    """Its tombstones are written, and no record knows of it: one job waits for its result, another has ended."""
    states = (State.WAITING, State.COMPLETED)
    jobs = [await put(emptied, await bring(emptied, await accept(user_id=user.id), state)) for state in states]
    rows = await attempts_of(user.id, jobs[0].token_id or 0, limit=10)
    at = await now()
    who = f"user:{user.id}"
    events = {
        row.job_id: burial(job, row.version, at=at, who=who, why="the learner deleted their results")
        for job, row in zip(jobs, rows, strict=True)
    }
    assert await bury_many(events) == 2
    assert await bury_many(events) == 0, "the first deletion stands"
    assert await engine.deliver(jobs[0].id, LATE) is Delivery.DELIVERED
    async with worker(emptied, identity):
        await nothing_left(emptied, engine, jobs[0])
        await AnalysisResult.filter(job_id=jobs[1].id).update(deleted_at=at - timedelta(minutes=5))
        await retain(emptied, identity)
        await nothing_left(emptied, engine, jobs[1])


async def test_a_hundred_take_no_more_statements_than_one(
    emptied: Deps, engine: Engine, script: Script, user: User
) -> None:
    taken = []
    for attempts in (1, 30):
        for _ in range(attempts):
            await make_attempt(user, script)
        taken.append(await statements(engine.delete_results(user.id, script.token_id)))
    assert taken == [3, 3], "those that are there, their tombstones, and that no more are there"
