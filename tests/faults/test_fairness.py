"""Somebody queues hundreds of jobs: whoever comes with a single one hardly waits for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL
from tests.faults.ground import Ground, different, nothing_left, say
from tests.processes import running
from tests.waiting import until
from yousync.job import State

JOBS = 500 if ALL else 60
AT_ONCE = 8
"""How many the analysis server works on, and how many the one who queues hundreds sends at a time."""


async def send(ground: Ground, number: int, address: str) -> str:
    return await ground.upload(different(number), headers={"X-Forwarded-For": address})


async def alone(ground: Ground, number: int) -> tuple[str, float]:
    """One learner's job, and the seconds from the recording to its scores."""
    began = time.monotonic()
    job_id = await send(ground, number, "192.0.2.2")
    assert (await ground.ended(job_id))["status"] == "completed"
    return job_id, time.monotonic() - began


async def flood(ground: Ground) -> None:
    """Another one's recordings, as fast as they are taken."""
    numbers = iter(range(13_000, 13_000 + JOBS))

    async def one_after_the_other() -> None:
        for number in numbers:
            await send(ground, number, "192.0.2.1")

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


@pytest.mark.timeout(180 if ALL else 90)
async def test_one_owners_hundreds_do_not_make_another_wait(ground: Ground) -> None:
    changes = {"trusted_proxies": ["127.0.0.1"], "analysis_max_in_flight": AT_ONCE, "analysis_wait_seconds": 60.0}
    ground = replace(ground, settings=ground.settings.model_copy(update=changes))
    await ground.clear()
    await ground.analysis.behave("normal", delay_s=1.0)
    async with running(ground.web(with_worker=False), ground.worker()):
        await alone(ground, 12_000)  # what is slow the first time only
        _, solo = await alone(ground, 12_001)
        # Its places get free one after the other, as a server's do; all at once would make everybody wait in rounds.
        first = [{"mode": "normal", "delay_s": (place + 1) / AT_ONCE, "count": 1} for place in range(AT_ONCE)]
        await ground.analysis.plan(*first, {"mode": "normal", "delay_s": 1.0})
        await flood(ground)
        single, took = await alone(ground, 12_002)
        ahead = await AnalysisResult.exclude(state=State.COMPLETED).count()
        say(f"alone {solo:.2f} s, beside {JOBS} jobs of another {took:.2f} s, when {ahead} of those had not ended")
        assert ahead > 2 * AT_ONCE, "there was no queue to pass"
        # By order and not by the clock: once its audio is stored, only those whose turn had come already go before it.
        assert await overtaken_by(ground, single) <= AT_ONCE
        await ground.analysis.behave("normal")
        await until(lambda: _all_completed(JOBS + 3), seconds=90)
        await until(lambda: nothing_left(ground))
    assert {row.attempts for row in await AnalysisResult.all()} == {1}


async def overtaken_by(ground: Ground, job_id: str) -> int:
    """About how many jobs the analysis server was asked while this one stood in line."""
    own = {event.move: event.at_ms for event in await ground.deps.store.events(job_id)}
    logs = [await ground.deps.store.events(job.id) for job in await ground.records() if job.id != job_id]
    asked = [event.at_ms for log in logs for event in log if event.move == Move.ASK]
    return sum(own[Move.FINISH] < at_ms < own[Move.ASK] for at_ms in asked)


async def _all_completed(jobs: int) -> bool:
    return await AnalysisResult.filter(state=State.COMPLETED).count() == jobs
