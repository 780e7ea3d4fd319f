"""What the service stands on goes away and comes back, or a worker sleeps through its lease: every job completes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL
from tests.faults.ground import Ground, check, different, moved, say, unfinished
from tests.processes import WebProcess, WorkerProcess, freeze, running, thaw
from tests.waiting import until
from yousync.job import State

JOBS = 8
STAGES = (State.WAITING, State.SUBMITTING, State.UPLOADING, State.PERSISTING)
DEATHS = 12 if ALL else 2


@pytest_asyncio.fixture
async def web(ground: Ground) -> AsyncIterator[WebProcess]:
    await ground.clear()
    part = ground.web(with_worker=False)
    await part.start()
    yield part
    await part.stop()


@pytest_asyncio.fixture
async def worker(ground: Ground, web: WebProcess) -> AsyncIterator[WorkerProcess]:
    part = ground.worker()
    await part.start()
    yield part
    await part.stop()


async def completed(ground: Ground, audio: dict[str, bytes]) -> None:
    """Every job completes, and nothing is left of it but its result."""
    for job_id in audio:
        assert (await ground.ended(job_id, seconds=45))["status"] == "completed"
    await check(ground, audio)


async def uploaded(ground: Ground, number: int) -> tuple[str, bytes]:
    audio = different(number)
    return await ground.upload(audio), audio


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["valkey", "postgres"])
async def test_a_store_dies_again_and_again_with_jobs_at_every_stage(
    ground: Ground, web: WebProcess, worker: WorkerProcess, name: str
) -> None:
    part = ground.stack.parts[name]
    await ground.analysis.behave("normal", delay_s=0.5)
    audio: dict[str, bytes] = {}
    for round_ in range(DEATHS):
        uploading = [asyncio.create_task(uploaded(ground, 2000 + 100 * round_ + number)) for number in range(JOBS)]
        reached = STAGES[round_ % len(STAGES)]
        await until(lambda: _reached(ground, reached, uploading))  # noqa: B023  # awaited here
        await part.kill()
        await part.start()
        assert await unfinished(ground) or not all(task.done() for task in uploading)
        audio |= dict(await asyncio.gather(*uploading))
    began = time.monotonic()
    await completed(ground, audio)
    say(f"{name} killed {DEATHS} times: all {len(audio)} completed {time.monotonic() - began:.1f} s after the last")


async def _reached(ground: Ground, state: State, uploading: list[asyncio.Task[tuple[str, bytes]]]) -> bool:
    """Whether a job was seen in this state; some pass too quickly, then it is enough that all are on their way."""
    return any(job.state is state for job in await ground.records()) or all(task.done() for task in uploading)


async def test_uploads_are_taken_while_s3_is_down(ground: Ground, web: WebProcess, worker: WorkerProcess) -> None:
    s3 = ground.stack.parts["s3"]
    await s3.kill()
    try:
        audio = dict([await uploaded(ground, 3000 + number) for number in range(3)])
        await until(lambda: moved(ground, "hold", 3))
        assert {row.state for row in await AnalysisResult.all()} == {State.ACCEPTED}
    finally:
        await s3.start()
    await completed(ground, audio)


async def test_an_analysis_server_that_was_away_is_asked_when_it_is_back(
    ground: Ground, web: WebProcess, worker: WorkerProcess
) -> None:
    standin = ground.stack.parts["standin"]
    await standin.kill()
    try:
        audio = dict([await uploaded(ground, 4000 + number) for number in range(3)])
        await until(lambda: moved(ground, "hold", 3))
    finally:
        await standin.start()
    await completed(ground, audio)


async def test_an_analysis_server_that_forgot_everything_is_asked_again(
    ground: Ground, web: WebProcess, worker: WorkerProcess
) -> None:
    await ground.analysis.behave("never")
    job_id, audio = await uploaded(ground, 5000)
    await until(lambda: moved(ground, "wait", 1))
    await ground.stack.parts["standin"].kill()
    await ground.stack.parts["standin"].start()
    await completed(ground, {job_id: audio})
    assert (await AnalysisResult.get(job_id=job_id)).attempts == 2


@pytest.mark.parametrize("worker_is", ["the same", "a new one"])
async def test_a_valkey_that_is_emptied_under_live_processes(ground: Ground, worker_is: str) -> None:
    """What is in S3 is analysed, who recorded the rest is asked to record again, and the next upload is like any."""
    watchful = replace(ground, settings=ground.settings.model_copy(update={"reconcile_seconds": 1.0}))
    web, worker, s3 = watchful.web(with_worker=False), watchful.worker(), ground.stack.parts["s3"]
    await ground.clear()
    async with running(web, worker):
        await ground.analysis.behave("hold")
        stored = dict([await uploaded(ground, 7000 + number) for number in range(JOBS // 2)])
        await until(lambda: moved(ground, "wait", len(stored)))
        await s3.kill()
        try:
            staged = dict([await uploaded(ground, 7100 + number) for number in range(JOBS // 2)])
            await until(lambda: moved(ground, "hold", 1))  # whoever is quick shuts the stage for the others
            if worker_is == "a new one":
                await worker.kill()
            await ground.deps.valkey.flushall()
            if worker_is == "a new one":
                await worker.start()
        finally:
            await s3.start()
        await ground.analysis.behave("normal")
        await ground.analysis.release()
        for job_id in staged:
            end = await ground.ended(job_id)
            assert (end["status"], "다시 녹음" in end["message"]) == ("failed", True)
        audio = dict([*stored.items(), await uploaded(ground, 7200)])
        for job_id in audio:
            assert (await ground.ended(job_id))["status"] == "completed"
        await AnalysisResult.filter(job_id__in=list(staged)).delete()
        await check(ground, audio)


async def test_a_worker_that_slept_through_its_lease_can_do_no_harm(ground: Ground, web: WebProcess) -> None:
    """It wakes while another is at the very same stage: a write of its own would be legal, but for its claim."""
    alike = replace(ground, settings=ground.settings.model_copy(update={"analysis_status_url": None}))
    sleeper, other = alike.worker(), alike.worker("worker-2")
    await ground.analysis.plan(
        {"mode": "hold", "reply_delay_s": 0.3, "count": 1}, {"mode": "hold", "reply_delay_s": 2.0, "count": 1}
    )
    try:
        await sleeper.start()
        slept_from = sleeper.process.log.stat().st_size
        job_id, audio = await uploaded(ground, 6000)
        await until(lambda: ground.analysis.asked(job_id))
        freeze(sleeper)
        await other.start()
        await until(lambda: _asked_twice(ground, job_id))
        before = await ground.deps.store.read(job_id)
        thaw(sleeper)
        await until(lambda: b"job_moved_on" in sleeper.process.log.read_bytes()[slept_from:])
        assert await ground.deps.store.read(job_id) == before
        await until(lambda: moved(ground, "wait", 1))
        await ground.analysis.release()
        assert (await ground.ended(job_id))["status"] == "completed"
        await check(ground, {job_id: audio})
        # It is awake for good: the next job is its own.
        await other.stop()
        job_id, _ = await uploaded(ground, 6001)
        assert (await ground.ended(job_id))["status"] == "completed"
    finally:
        await asyncio.gather(sleeper.kill(), other.kill())


async def _asked_twice(ground: Ground, job_id: str) -> bool:
    return await ground.analysis.asked(job_id) == 2
