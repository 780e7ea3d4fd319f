"""Deleting: whatever its job is doing, nothing of a recording is left, and nothing brings it back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from jobs.deps import Deps
from jobs.engine import Delivery, Engine
from jobs.identity import Identity
from jobs.ops import Ops
from jobs.outcomes import Deleted
from jobs.pipeline import MOVES, Move
from jobs.script import Fenced
from jobs.stages.persist import persist
from models.analysis_result import AnalysisResult, Conclusion, record_conclusion
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import worker
from tests.jobs.test_ops import LATE, ME, expire, put, told
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.job import Job, Stage, State


@pytest.fixture
def ops(emptied: Deps, identity: Identity) -> Ops:
    return Ops(emptied, identity)


@pytest_asyncio.fixture
async def cleaned(emptied: Deps, identity: Identity, analysis: Control) -> AsyncIterator[Deps]:
    """After the test's own story: workers run until every record is gone."""
    yield emptied
    async with worker(emptied, identity):
        await until(lambda: _no_records(emptied))


async def _no_records(deps: Deps) -> bool:
    return not await deps.valkey.keys("yousync:job:*")


async def nothing_left(deps: Deps, engine: Engine, job: Job) -> None:
    """Neither a word of the learner's, nor the audio, nor a key; the tombstone says only who did that and why."""
    row = await AnalysisResult.get(job_id=job.id)
    assert row.deleted_at is not None
    assert [row.request, row.result, row.overall_score, row.message, row.s3_key] == [None, None, None, None, ""]
    assert [(event["move"], event["actor"], event["cause"]) for event in row.history] == [(Move.ERASE, ME.who, ME.why)]
    assert not job.s3_key or await deps.storage.size(job.s3_key) is None
    assert [key async for key in deps.valkey.scan_iter(match=f"*{job.id}*") if not key.startswith(b"arq:")] == []
    assert await deps.valkey.zscore("yousync:due", job.id) is None
    assert await engine.view(job.id) is None


async def until_gone(deps: Deps, job: Job) -> None:
    async def gone() -> bool:
        return await deps.store.read(job.id) is None

    await until(gone)


async def test_in_every_state_it_goes_with_all_it_has(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    jobs = {
        state: await put(emptied, await bring(emptied, await accept(towards=state), state))
        for state in MOVES[Move.ERASE]
    }
    for state, job in jobs.items():
        await ops.delete(job.id, by=ME)
        assert (await read(emptied, job)).state is State.CLEANING
        assert await engine.view(job.id) is None, "it is gone for clients at once"
        await told(emptied, job, Move.ERASE)
        assert (await AnalysisResult.get(job_id=job.id)).status == "failed"
        if state in {State.UPLOADING, State.MIXING}:
            await command(emptied.valkey, "ZADD", "yousync:due", 1, job.id)  # see below: it is waited for
    async with worker(emptied, identity):
        for job in jobs.values():
            await until_gone(emptied, job)
            await nothing_left(emptied, engine, job)
            assert await analysis.asked(job.id) == 0
    assert await emptied.valkey.get("yousync:staged_bytes") == b"0"
    assert await command(emptied.valkey, "KEYS", "yousync:owner:*") == []


async def test_long_after_its_record_is_gone(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    jobs = [
        await put(emptied, await bring(emptied, await accept(towards=state), state))
        for state in (State.COMPLETED, State.FAILED)
    ]
    for job in jobs:
        await expire(emptied, job)
        await ops.delete(job.id, by=ME)
        await told(emptied, job, Move.ERASE)
    async with worker(emptied, identity):
        for job in jobs:
            await until_gone(emptied, job)
            await nothing_left(emptied, engine, job)


async def test_an_upload_that_may_be_writing_to_s3_at_this_moment_is_waited_for(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    held = await bring(emptied, await accept(), State.UPLOADING)
    await ops.delete(held.id, by=ME)
    erased = await read(emptied, held)
    grace = emptied.settings.lease_seconds + emptied.settings.upload_timeout_seconds
    assert await emptied.valkey.zscore("yousync:due", held.id) == erased.updated_ms + 1000 * grace
    assert await emptied.store.sweep() == 0
    assert await emptied.store.staged(held) is None
    await put(emptied, held)  # it was
    with pytest.raises(Fenced):
        await emptied.store.move(held, Move.FINISH, claim_next=True, unstage=True)
    await command(emptied.valkey, "ZADD", "yousync:due", 1, held.id)
    async with worker(emptied, identity):
        await until_gone(emptied, held)
    await nothing_left(emptied, engine, held)


async def test_a_running_worker_lets_go(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("inline", reply_delay_s=30)
    async with worker(emptied, identity, lease_seconds=0.6):
        job = await accept()
        await until(lambda: analysis.asked(job.id))
        await ops.delete(job.id, by=ME)
        await until_gone(emptied, job)
        await nothing_left(emptied, engine, job)


@pytest.mark.parametrize("state", [State.WAITING, State.COMPLETED, State.FAILED, State.PARKED])
async def test_a_result_that_comes_late_is_dropped(
    cleaned: Deps, engine: Engine, ops: Ops, accept: Accept, state: State
) -> None:
    job = await bring(cleaned, await accept(towards=state), state)
    await ops.delete(job.id, by=ME)
    assert await engine.deliver(job.id, LATE) is Delivery.DUPLICATE
    assert (await read(cleaned, job)).state is State.CLEANING
    assert (await cleaned.store.evidence(job.id))[0] is None
    assert not await cleaned.valkey.exists(f"yousync:late:{job.id}")


async def test_also_when_the_record_is_gone(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    job = await bring(emptied, await accept(), State.WAITING)
    await ops.delete(job.id, by=ME)
    async with worker(emptied, identity):
        await until_gone(emptied, job)
    assert await engine.deliver(job.id, LATE) is Delivery.DROPPED
    await nothing_left(emptied, engine, job)


async def test_a_worker_that_writes_its_result_down_writes_nothing_back(
    cleaned: Deps, ops: Ops, accept: Accept
) -> None:
    held = await bring(cleaned, await accept(), State.PERSISTING)
    await ops.delete(held.id, by=ME)
    for end in (Conclusion(state=State.COMPLETED, result={"result": {}}), Conclusion(state=State.FAILED)):
        for run in (1, 2):
            assert await record_conclusion(replace(held, run=run), end, version=99, history=[]) is None
    assert await persist(cleaned, replace(held, outcome=State.PARKED)) == Deleted("deleted")
    row = await AnalysisResult.get(job_id=held.id)
    assert [row.result, len(row.history), row.status, row.run] == [None, 1, "failed", 1]
    with pytest.raises(Fenced):
        await cleaned.store.conclude(held, State.COMPLETED, code="")
    await cleaned.store.erase(held, code="deleted")
    assert (await read(cleaned, held)).version == held.version + 1, "whoever finds that out changes nothing more"


async def test_one_that_runs_again_does_not_come_back(
    emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
) -> None:
    job = await put(emptied, await bring(emptied, await accept(), State.FAILED))
    await ops.restart(job.id, stage=Stage.SUBMIT, by=ME)
    await ops.delete(job.id, by=ME)
    async with worker(emptied, identity):
        await until_gone(emptied, job)
    await nothing_left(emptied, engine, job)


async def test_the_same_recording_sent_again_is_a_new_job(cleaned: Deps, ops: Ops, accept: Accept) -> None:
    audio = b"the same" * 100
    first = await accept(audio=audio)
    await ops.delete(first.id, by=ME)
    second = await accept(audio=audio)
    assert second.id != first.id
    await ops.delete(second.id, by=ME)


async def test_one_in_line_leaves_it_and_waits_where_deleting_is_paused(
    cleaned: Deps, ops: Ops, accept: Accept
) -> None:
    await ops.pause([Stage.UPLOAD, Stage.CLEAN], by=ME)
    job = await accept()
    assert await cleaned.store.claim(job.id, job.version) is None
    await ops.delete(job.id, by=ME)
    assert not await cleaned.valkey.exists(f"yousync:line:{Stage.UPLOAD}")
    erased = await read(cleaned, job)
    assert await cleaned.store.claim(job.id, erased.version) is None
    await ops.resume([Stage.UPLOAD, Stage.CLEAN], by=ME)


async def test_the_clip_of_a_running_job_was_deleted_its_record_tells_for_a_while(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    job = await put(emptied, await bring(emptied, await accept(), State.RECEIVED))
    await emptied.store.erase(job, code="catalogue_gone")
    async with worker(emptied, identity):

        async def forgotten() -> bool:
            return bool(await emptied.valkey.ttl(f"yousync:job:{job.id}") > 0)

        await until(forgotten)
    told_last = await emptied.store.read(job.id)
    assert told_last is not None
    assert (told_last.state, told_last.claim, told_last.message) == (
        State.CLEANING,
        "",
        "이 문장은 더 이상 제공되지 않습니다",
    )
    assert await emptied.storage.size(job.s3_key) is None
    assert await emptied.valkey.zscore("yousync:due", job.id) is None
    assert await emptied.valkey.zscore(f"yousync:state:{State.CLEANING}", job.id) is None
