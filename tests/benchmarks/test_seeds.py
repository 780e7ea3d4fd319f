"""Steps of many jobs in one go are the steps the store would have taken one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.seeds import in_batches, uploaded_job
from jobs.deps import open_deps
from jobs.pipeline import Move
from jobs.store import Due, Store
from yousync.job import Job, State, new_job_id
from yousync.settings import Settings


@pytest.mark.usefixtures("empty_valkey")
async def test_jobs_are_adopted_claimed_moved_and_delivered_in_batches(settings: Settings) -> None:
    first = uploaded_job(1, 1)
    jobs = [replace(first, id=job_id, dedupe=job_id) for job_id in (new_job_id(first.kind) for _ in range(3))]

    async def claim(store: Store, job: Job) -> None:
        await store.claim(job.id, job.version + 1)

    async def wait(store: Store, job: Job) -> None:
        await store.move(job, Move.WAIT, due=Due(seconds=60))

    async def deliver(store: Store, job: Job) -> None:
        await store.deliver(job.id, b"{}")

    async with open_deps(settings, application="test") as deps:

        async def take(step: Any, jobs: list[Job]) -> list[dict[str, Any]]:
            batch = await in_batches(settings, jobs, step)
            await batch.send(deps.valkey)
            return batch.arguments

        async def states() -> set[State]:
            found = [await deps.store.read(job.id) for job in jobs]
            return {job.state for job in found if job is not None}

        await take(Store.adopt, jobs)
        assert await states() == {State.UPLOADED}
        given = await take(claim, jobs)
        assert await states() == {State.SUBMITTING}
        await take(wait, [replace(job, claim=sent["claim"]) for job, sent in zip(jobs, given, strict=True)])
        assert await states() == {State.WAITING}
        await take(deliver, jobs)
        assert await states() == {State.RECEIVED}
