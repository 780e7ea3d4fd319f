"""How a run ends is written once, by whoever writes first, and a newer run goes over an older one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from tortoise.exceptions import IntegrityError

from models.analysis_result import (
    AnalysisResult,
    Conclusion,
    find_ends,
    find_result,
    record_accepted,
    record_conclusion,
    unfinished_results,
)
from models.db import connected
from tests.factories import make_script
from tests.jobs.conftest import a_job
from yousync.job import Job, State, Status
from yousync.settings import Settings

GOOD = Conclusion(state=State.COMPLETED, result={"result": {"overall_score": 0.8}}, overall_score=0.8)
BAD = Conclusion(state=State.FAILED, code="no_speech", message="다시")


@pytest_asyncio.fixture(scope="module", autouse=True)
async def database(settings: Settings) -> AsyncIterator[None]:
    async with connected(settings):
        yield


@pytest_asyncio.fixture
async def job() -> Job:
    script = await make_script()
    now = datetime.now(UTC).timestamp() * 1000
    return a_job(token_id=script.token_id, script_id=script.id, version=1, created_ms=int(now))


async def row_of(job: Job) -> AnalysisResult:
    return await AnalysisResult.get(job_id=job.id)


async def test_the_row_is_there_as_soon_as_the_job_is(job: Job) -> None:
    await record_accepted(job)
    await record_accepted(job)
    found = (await find_ends([job.id]))[job.id]
    assert found is not None
    view = found.view
    assert (view.status, view.progress, view.version) == (Status.PROCESSING, 10, (1, 1))


async def test_an_outcome_needs_no_row_to_be_there(job: Job) -> None:
    assert await record_conclusion(job, GOOD, version=9, history=[{"move": "accept"}]) is State.COMPLETED
    row = await row_of(job)
    assert (row.status, row.overall_score, row.version) == ("completed", 0.8, 9)
    assert row.result == GOOD.result
    assert row.history == [{"move": "accept"}]


async def test_the_same_outcome_again_changes_nothing(job: Job) -> None:
    await record_accepted(job)
    await record_conclusion(job, GOOD, version=9, history=[])
    before = await row_of(job)
    assert await record_conclusion(job, GOOD, version=9, history=[]) is State.COMPLETED
    assert (await row_of(job)).updated_at == before.updated_at


async def test_the_first_outcome_of_a_run_stands(job: Job) -> None:
    await record_conclusion(job, GOOD, version=9, history=[])
    assert await record_conclusion(job, BAD, version=10, history=[]) is State.COMPLETED
    assert (await row_of(job)).result == GOOD.result


async def test_a_newer_run_goes_over_an_older_one_and_never_back(job: Job) -> None:
    await record_conclusion(job, BAD, version=9, history=[])
    assert await record_conclusion(replace(job, run=2), GOOD, version=12, history=[]) is State.COMPLETED
    assert await record_conclusion(job, BAD, version=13, history=[]) is State.COMPLETED
    assert ((await row_of(job)).run, (await row_of(job)).code) == (2, "")


async def test_a_deleted_result_is_not_written_back(job: Job) -> None:
    await record_accepted(job)
    await AnalysisResult.filter(job_id=job.id).update(deleted_at=datetime.now(UTC))
    assert await record_conclusion(job, GOOD, version=9, history=[]) is None
    assert await find_result(job.id) is None
    assert (await row_of(job)).result is None


async def test_a_clip_that_is_gone_takes_its_results_along(job: Job) -> None:
    with pytest.raises(IntegrityError):
        await record_conclusion(replace(job, token_id=10_000), GOOD, version=9, history=[])


async def test_unfinished_rows_are_found_in_batches_by_their_index(job: Job) -> None:
    made = [replace(job, id=f"{job.id[:-1]}{digit}") for digit in "012"]
    for each in made:
        await record_accepted(each)
    await record_conclusion(made[1], GOOD, version=3, history=[])
    later = datetime.now(UTC) + timedelta(minutes=1)
    first = await unfinished_results(before=later, after_id=0, limit=1000)
    ids = [row.job_id for row in first if row.job_id in {each.id for each in made}]
    assert ids == [made[0].id, made[2].id]
    assert len(await unfinished_results(before=later, after_id=0, limit=1)) == 1
    assert await unfinished_results(before=later, after_id=first[-1].id, limit=10) == []
    assert await unfinished_results(before=later - timedelta(hours=1), after_id=0, limit=10) == []
