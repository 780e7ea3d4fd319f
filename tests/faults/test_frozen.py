"""A worker freezes at any point of its work, another ends the job, and what the first does on waking changes nothing.

FAULTS=all freezes it at every point; else it is a sample, chosen by FAULTS_SEED or by chance.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.chance import some
from tests.faults.ground import Ground, all_ended, check, different, say
from tests.faults.killing import OF_WORKER
from tests.processes import frozen, running, thaw
from tests.waiting import until

POINTS = [f"{effect}.{moment}" for effect in OF_WORKER for moment in ("before", "after")]


@pytest.mark.parametrize("point", some("frozen", POINTS, 2))
async def test_a_worker_that_wakes_after_the_end_changes_nothing(ground: Ground, point: str) -> None:
    await ground.clear()
    await ground.analysis.behave("normal", delay_s=0.2)
    sleeper, other = ground.worker(failpoints=f"stop:{point}:1"), ground.worker("worker-2")
    try:
        async with running(ground.web(with_worker=False)):
            await sleeper.start()
            first = different(8000)
            job_id = await ground.upload(first)
            await until(lambda: frozen(sleeper))
            (before,) = await ground.records()
            async with running(other):
                assert (await ground.ended(job_id))["status"] == "completed"
                await until(lambda: all_ended(ground))  # the row may have told it before the record
                (ended,) = await ground.records()
                thaw(sleeper)
            # The next job is its own: by then it has done whatever it was about to do.
            second = different(8001)
            next_id = await ground.upload(second)
            assert (await ground.ended(next_id))["status"] == "completed"
            assert await ground.deps.store.read(job_id) == ended
            await check(ground, {job_id: first, next_id: second})
            say(f"{point:<24}{before.state:<12} ended by another at version {ended.version}")
    finally:
        await asyncio.gather(sleeper.kill(), other.kill())
