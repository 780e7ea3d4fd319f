"""While versions change, processes meet records of a later one: they leave them to those that understand them."""

from __future__ import annotations

import pytest

from jobs.actors import run_stages
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.reconciler import reconcile
from jobs.retention import retain
from jobs.tenancy import tenancy
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import bring, lose, read
from tests.jobs.conftest import Accept
from tests.jobs.test_lines import in_line, line, on_the_clock
from tests.jobs.test_retention import LONG_AGO, keeping
from tests.jobs.test_store import queued
from tests.valkey_command import command
from yousync.errors import DependencyDown
from yousync.job import Job, Stage, State

ME = By(who="mina", why="a deploy")


async def foreign(deps: Deps, job: Job) -> Job:
    """The job, in a state that this version has never heard of."""
    await command(deps.valkey, "HSET", f"yousync:job:{job.id}", "state", "x")
    return job


async def as_it_stands(deps: Deps, job: Job) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await command(deps.valkey, "HGETALL", f"yousync:job:{job.id}")
    return found


async def test_it_is_in_no_other_s_way(emptied: Deps, engine: Engine, accept: Accept) -> None:
    job, other = await foreign(emptied, await accept()), await accept()
    assert (await emptied.store.read_many([job.id, other.id])).keys() == {other.id}
    views = await engine.live_views([job.id, other.id], unseen=set())
    assert {view.status for view in views.known.values()} == {"processing"}
    assert views.known.keys() == {job.id, other.id}, "its row tells as much"


async def test_workers_leave_it_on_the_clock(emptied: Deps, accept: Accept) -> None:
    job = await foreign(emptied, await accept())
    before = await as_it_stands(emptied, job)
    await run_stages(emptied, job.id, job.version)
    assert await as_it_stands(emptied, job) == before
    assert await on_the_clock(emptied, job.id)
    await command(emptied.valkey, "ZREM", "yousync:queue", before[b"handed"])  # as arq does after a run
    await command(emptied.valkey, "ZADD", "yousync:due", 1, job.id)
    assert await emptied.store.sweep() == 1
    assert await queued(emptied) == [(job.id, job.version)]


async def test_a_worker_that_cannot_read_what_it_took_puts_it_back(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "kind", "x")
    await run_stages(emptied, job.id, job.version)
    after = await as_it_stands(emptied, job)
    assert (after[b"state"], after[b"claim"]) == (b"accepted", b"")
    assert (job.id, int(after[b"version"])) not in await queued(emptied), "at once it would come to the same worker"
    assert await on_the_clock(emptied, job.id)


async def test_nobody_takes_it_out_of_its_line(emptied: Deps, identity: Identity) -> None:
    ops = Ops(emptied, identity)
    await ops.pause([Stage.SUBMIT], by=ME)
    job, other = await foreign(emptied, await in_line(emptied, Stage.SUBMIT)), await in_line(emptied, Stage.SUBMIT)
    await ops.resume([Stage.SUBMIT], by=ME)
    assert await line(emptied, Stage.SUBMIT) == [job.id, other.id]
    assert await on_the_clock(emptied, other.id)


async def test_its_row_is_not_taken_for_lost(emptied: Deps, identity: Identity, accept: Accept) -> None:
    job = await foreign(emptied, await accept())
    async with tenancy(emptied, identity) as here:
        assert await reconcile(emptied, identity, here, grace_seconds=-1) == 0
    assert (await AnalysisResult.get(job_id=job.id)).status == "processing"


async def test_its_earlier_end_is_not_deleted(emptied: Deps, identity: Identity, accept: Accept) -> None:
    job = await foreign(emptied, await bring(emptied, await accept(), State.FAILED))
    await AnalysisResult.filter(job_id=job.id).update(updated_at=LONG_AGO)
    assert await retain(keeping(emptied, retain_failed_days=300.0), identity) == 0
    assert (await AnalysisResult.get(job_id=job.id)).deleted_at is None


async def test_its_result_is_to_be_sent_again(emptied: Deps, engine: Engine, accept: Accept) -> None:
    job = await foreign(emptied, await bring(emptied, await accept(), State.WAITING))
    with pytest.raises(DependencyDown):
        await engine.deliver(job.id, b"{}")
    assert (await emptied.store.evidence(job.id))[0] is None


async def test_its_row_keeps_nobody_from_theirs(emptied: Deps, engine: Engine, accept: Accept) -> None:
    job, other = await accept(), await accept()
    await AnalysisResult.filter(job_id=job.id).update(state="x")
    views = await engine.live_views([job.id, other.id], unseen={job.id, other.id})
    assert (set(views.known), views.unsure) == ({other.id}, {job.id})


async def test_who_deletes_it_may(emptied: Deps, identity: Identity, accept: Accept) -> None:
    job = await foreign(emptied, await bring(emptied, await accept(), State.WAITING))
    await Ops(emptied, identity).delete(job.id, by=ME)
    assert (await read(emptied, job)).state is State.CLEANING


async def test_who_restarts_it_is_told(emptied: Deps, identity: Identity, accept: Accept) -> None:
    job = await foreign(emptied, await bring(emptied, await accept(), State.PARKED))
    with pytest.raises(DependencyDown):
        await Ops(emptied, identity).restart(job.id, stage=None, by=ME)


async def test_who_uploads_the_same_again_is_to_come_back(emptied: Deps, accept: Accept) -> None:
    await foreign(emptied, await accept(audio=b"the same"))
    with pytest.raises(DependencyDown):
        await accept(audio=b"the same")


async def test_a_row_of_a_kind_that_nobody_knows_is_in_no_other_s_way(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    foreign_row, ours = await accept(), await accept()
    await AnalysisResult.filter(job_id=foreign_row.id).update(kind="x")
    for job in (foreign_row, ours):
        await lose(emptied, job)
    async with tenancy(emptied, identity) as connection:
        await reconcile(emptied, identity, connection, grace_seconds=-1)
    assert (await AnalysisResult.get(job_id=foreign_row.id)).status == "processing"
    assert (await AnalysisResult.get(job_id=ours.id)).status == "failed"
