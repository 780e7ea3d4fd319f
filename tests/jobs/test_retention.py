"""What is kept, for how long, and what of it goes: real rows, real objects, a worker that cleans."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import time_machine

from jobs import retention
from jobs.actors import run_stages
from jobs.deps import Deps
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.retention import remove_orphans, retain, retain_forever
from models.analysis_result import AnalysisResult
from models.session import Session, SpentToken, exchange, open_session
from tests.factories import make_user
from tests.faults.proxy import proxied
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import Accept
from tests.waiting import until
from yousync.job import Job, State
from yousync.tasks import cancel
from yousync.valkey import connect

LONG_AGO = datetime.now(UTC) - timedelta(days=400)
ENDS = (State.COMPLETED, State.FAILED, State.PARKED, State.CANCELLED)


async def kept(deps: Deps, accept: Accept, state: State, *, user_id: int | None) -> Job:
    """A job that ended so 400 days ago, with its recording in S3."""
    job = await bring(deps, await accept(user_id=user_id), state)
    await deps.storage.put(job.s3_key, b"sound", container="wav")
    await AnalysisResult.filter(job_id=job.id).update(updated_at=LONG_AGO)
    return job


async def row_of(job: Job) -> AnalysisResult:
    return await AnalysisResult.get(job_id=job.id)


def keeping(deps: Deps, **days: float) -> Deps:
    """The same engine, whose settings keep everything for ever but for what is said."""
    fields = {f"retain_{state}_days": 0.0 for state in ENDS} | {
        "retain_history_days": 0.0,
        "anonymous_result_hours": 0.0,
    }
    return Deps(
        settings=deps.settings.model_copy(update=fields | days),
        valkey=deps.valkey,
        store=deps.store,
        storage=deps.storage,
        analysis=deps.analysis,
        preprocessing=deps.preprocessing,
    )


@pytest.mark.parametrize("state", ENDS)
async def test_each_end_has_its_own_time(emptied: Deps, identity: Identity, accept: Accept, state: State) -> None:
    user = await make_user()
    job = await kept(emptied, accept, state, user_id=user.id)
    assert await retain(keeping(emptied), identity) == 0, "0 is for ever"
    assert await retain(keeping(emptied, **{f"retain_{state}_days": 500.0}), identity) == 0
    assert await retain(keeping(emptied, **{f"retain_{state}_days": 300.0}), identity) == 1
    row = await row_of(job)
    assert row.deleted_at is not None
    assert row.result is None
    assert [event["actor"] for event in row.history] == ["retention"]
    cleaning = await read(emptied, job)
    assert cleaning.state is State.CLEANING
    await run_stages(emptied, job.id, cleaning.version)
    assert await emptied.storage.size(job.s3_key) is None
    assert await emptied.store.read(job.id) is None
    assert (await row_of(job)).s3_key == ""


async def test_results_of_nobody_go_sooner_but_never_while_they_run(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    user = await make_user()
    named = await kept(emptied, accept, State.COMPLETED, user_id=user.id)
    nobodys = await kept(emptied, accept, State.COMPLETED, user_id=None)
    running = await bring(emptied, await accept(), State.WAITING)
    again = await kept(emptied, accept, State.FAILED, user_id=None)
    await Ops(emptied, identity).restart(again.id, stage=None, by=By(who="mina", why="once more"))
    await AnalysisResult.filter(job_id__in=[running.id, again.id]).update(updated_at=LONG_AGO)
    assert await retain(keeping(emptied, anonymous_result_hours=24.0), identity) == 1
    assert (await row_of(nobodys)).deleted_at is not None
    for job in (named, running, again):
        assert (await row_of(job)).deleted_at is None


async def test_a_round_goes_on_until_nothing_is_left_that_is_too_old(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    """Whatever is made in a minute may have to go in one."""
    jobs = [await kept(emptied, accept, State.FAILED, user_id=None) for _ in range(5)]
    assert await retain(keeping(emptied, retain_history_days=300.0), identity, batch=2) == 5
    assert {(await row_of(job)).history for job in jobs} == {None}
    assert await retain(keeping(emptied, anonymous_result_hours=24.0), identity, batch=2) == 5
    assert not await AnalysisResult.filter(deleted_at=None).exists()


@pytest.mark.parametrize("state", [State.ACCEPTED, State.WAITING, State.PERSISTING])
async def test_a_job_that_goes_on_just_then_is_left_alone(
    emptied: Deps, identity: Identity, accept: Accept, state: State
) -> None:
    ops, me = Ops(emptied, identity), By(who="mina", why="no longer kept")
    running = await bring(emptied, await accept(), state)
    assert not await ops.expire(running.id, by=me)
    assert await read(emptied, running) == running
    assert (await row_of(running)).deleted_at is None
    ended = await bring(emptied, await accept(), State.FAILED)
    assert await ops.expire(ended.id, by=me)
    assert (await read(emptied, ended)).state is State.CLEANING
    assert (await row_of(ended)).deleted_at is not None


async def test_a_host_whose_clock_is_ahead_removes_nothing_early(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    ended = await bring(emptied, await accept(), State.FAILED)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=400)):
        removed = await retain(keeping(emptied, retain_failed_days=300.0, retain_history_days=300.0), identity)
    assert removed == 0
    assert (await row_of(ended)).deleted_at is None


async def test_a_tombstone_whose_cleaning_was_lost_is_found_and_dropped_at_last(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    user = await make_user()
    job = await kept(emptied, accept, State.COMPLETED, user_id=user.id)
    await Ops(emptied, identity).delete(job.id, by=By(who="mina", why="asked to"))
    await emptied.valkey.delete(f"yousync:job:{job.id}")
    await AnalysisResult.filter(job_id=job.id).update(deleted_at=datetime.now(UTC) - timedelta(minutes=5))
    assert await retain(keeping(emptied), identity) == 1
    await run_stages(emptied, job.id, (await read(emptied, job)).version)
    assert await emptied.storage.size(job.s3_key) is None
    assert await retain(keeping(emptied), identity) == 0, "it stays for a week, so that nothing is written back"
    await AnalysisResult.filter(job_id=job.id).update(deleted_at=LONG_AGO)
    assert await retain(keeping(emptied), identity) == 1
    assert not await AnalysisResult.filter(job_id=job.id).exists()


async def test_logs_may_go_before_results(emptied: Deps, identity: Identity, accept: Accept) -> None:
    user = await make_user()
    job = await kept(emptied, accept, State.COMPLETED, user_id=user.id)
    assert await retain(keeping(emptied, retain_history_days=300.0), identity) == 1
    row = await row_of(job)
    assert row.history is None
    assert row.result is not None


async def test_who_is_to_look_for_it_today_looks_though_they_were_told_so_twice(
    emptied: Deps, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Deps] = []

    async def look(deps: Deps) -> int:
        looks.append(deps)
        return await remove_orphans(deps)

    monkeypatch.setattr(retention, "remove_orphans", look)
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.05)
    url = emptied.settings.redis_url.get_secret_value()
    async with proxied(urlsplit(url).port or 0) as proxy, connect(proxy.instead(url)) as client:
        await client.ping()
        proxy.cut(rb"orphans")
        retaining = asyncio.create_task(retain_forever(replace(emptied, valkey=client), identity))
        try:
            await until(lambda: looks, seconds=5)
            await asyncio.sleep(0.2)
        finally:
            await cancel(retaining)
        assert (proxy.cuts, len(looks)) == (1, 1)


async def test_audio_that_belongs_to_nobody_goes_and_nothing_else(emptied: Deps, accept: Accept) -> None:
    known = await kept(emptied, accept, State.COMPLETED, user_id=None)
    live = await accept()
    await AnalysisResult.filter(job_id=live.id).delete()
    orphan, strange = f"audio/{uuid.uuid4().hex}.wav", "audio/0f_old recording.wav"
    for key in (orphan, strange, live.s3_key):
        await emptied.storage.put(key, b"sound", container="wav")
    await remove_orphans(emptied)
    assert await emptied.storage.size(orphan) is not None, "it may be on its way to a row"
    assert await remove_orphans(emptied, older_than=timedelta(seconds=-5)) >= 1
    assert await emptied.storage.size(orphan) is None
    for key in (strange, live.s3_key, known.s3_key):
        assert await emptied.storage.size(key) is not None, key


async def test_sessions_go_when_no_token_of_theirs_is_good_for_anything(emptied: Deps, identity: Identity) -> None:
    user = await make_user()
    old, young = await open_session(user.id), await open_session(user.id)
    for session_id in (old, young):
        await exchange(f"of-{session_id}"[:32], session_id, iat=0)
    usable = timedelta(hours=12, days=14)
    now = datetime.now(UTC)
    await Session.filter(id=old).update(renewed_at=now - usable - timedelta(days=1, minutes=1))
    await Session.filter(id=young).update(renewed_at=now - usable)
    assert await retain(keeping(emptied), identity) == 1
    assert [session.id for session in await Session.filter(user_id=user.id)] == [young]
    assert await SpentToken.filter(session__user_id=user.id).count() == 1
    await SpentToken.filter(session_id=young).update(spent_at=LONG_AGO)
    assert await retain(keeping(emptied), identity) == 1
