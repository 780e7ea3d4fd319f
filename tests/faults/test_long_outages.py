"""S3 or the analysis server is away for a while, with many jobs: all are accepted, all complete, nobody pays for it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL, some
from tests.faults.ground import Ground, check, different, say
from tests.processes import freeze, running, thaw
from tests.waiting import until
from yousync.job import State
from yousync.local.part import Part

LASTS = 30.0 if ALL else 3.0
JOBS = 60 if ALL else 8

Outage = Callable[[Ground], AbstractAsyncContextManager[None]]


def gone(name: str) -> Outage:
    """Nobody listens at this part's port."""

    @asynccontextmanager
    async def outage(ground: Ground) -> AsyncIterator[None]:
        part: Part = ground.stack.parts[name]
        await part.kill()
        try:
            yield
        finally:
            await part.start()

    return outage


def frozen(name: str) -> Outage:
    """The part takes connections, and nothing more."""

    @asynccontextmanager
    async def outage(ground: Ground) -> AsyncIterator[None]:
        part: Part = ground.stack.parts[name]
        freeze(part)
        try:
            yield
        finally:
            thaw(part)

    return outage


def answering(status: int) -> Outage:
    """The analysis server answers every request with this."""

    @asynccontextmanager
    async def outage(ground: Ground) -> AsyncIterator[None]:
        await ground.analysis.behave(f"http_{status}")
        try:
            yield
        finally:
            await ground.analysis.behave("normal")

    return outage


OUTAGES: dict[str, Outage] = {
    "S3 gone": gone("s3"),
    "S3 frozen": frozen("s3"),
    "analysis gone": gone("standin"),
    "analysis frozen": frozen("standin"),
    "analysis answers 500": answering(500),
    "analysis answers 503": answering(503),
}


@pytest.mark.timeout(240 if ALL else 90)
@pytest.mark.parametrize("name", some("outages", list(OUTAGES), 1))
async def test_an_outage_costs_time_and_nothing_else(ground: Ground, name: str) -> None:
    await ground.clear()
    async with running(ground.web()):
        async with OUTAGES[name](ground):
            back = time.monotonic() + LASTS
            recordings = [different(10_000 + number) for number in range(JOBS)]
            audio = {await ground.upload(recording, tries=1): recording for recording in recordings}
            await until(lambda: time.monotonic() > back, seconds=LASTS + 1)
            assert not await AnalysisResult.filter(state=State.COMPLETED).exists()
        began = time.monotonic()
        await asyncio.gather(*(ground.ended(job_id, seconds=60) for job_id in audio))
        seconds = time.monotonic() - began
        await check(ground, audio, retries=1)
    moves = Counter(event["move"] for row in await AnalysisResult.all() for event in row.history)
    say(f"{name} for {LASTS:.0f} s: all {JOBS} completed {seconds:.1f} s after it, {moves}")
    assert moves[Move.RETRY] < ground.settings.breaker_jobs, "more than it takes to see that it is not the jobs' fault"
