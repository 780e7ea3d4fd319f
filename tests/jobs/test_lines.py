"""Who goes next: fair places in arq's queue and in the lines that form before stages that are shut or full."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from jobs.actors import run_stages
from jobs.deps import Deps
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.pipeline import Move
from jobs.records import Gate
from jobs.store import Due, Store
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import bring, claimed, read
from tests.jobs.conftest import Accept, a_job
from tests.jobs.test_actors import worker
from tests.jobs.test_store import accepted, queued
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.job import BEGINS, Job, Kind, Stage, State

ME = By(who="mina@desk", why="the server is being moved")
READY = {
    Stage.UPLOAD: State.ACCEPTED,
    Stage.SUBMIT: State.UPLOADED,
    Stage.PREPROCESS: State.ORDERED,
    Stage.MIX: State.REQUESTED,
    Stage.PERSIST: State.RECEIVED,
    Stage.CLEAN: State.CLEANING,
}
"""The state in which a job stands before each stage."""


def having(deps: Deps, **changes: object) -> Deps:
    """The same with other settings."""
    settings = deps.settings.model_copy(update=changes)
    return replace(deps, settings=settings, store=Store(deps.valkey, deps.valkey, settings))


async def line(deps: Deps, stage: Stage) -> list[str]:
    """Who stands before this stage, the next one first."""
    return [name.decode() for name in await deps.valkey.zrange(f"yousync:line:{stage}", 0, -1)]


async def on_the_clock(deps: Deps, job_id: str) -> bool:
    return await deps.valkey.zscore("yousync:due", job_id) is not None


async def next_in_line(deps: Deps, stage: Stage) -> list[Job]:
    """Those in this line that were handed over."""
    standing = await line(deps, stage)
    jobs = await deps.store.read_many([job_id for job_id in standing if await on_the_clock(deps, job_id)])
    assert {(job.id, job.version) for job in jobs.values()} <= set(await queued(deps))
    return [jobs[job_id] for job_id in standing if job_id in jobs]


async def gate(deps: Deps, stage: Stage) -> Gate:
    return next(gate for gate in (await deps.store.stats()).gates if gate.stage is stage)


def going_to(stage: Stage) -> dict[str, object]:
    """What makes a job one that gets to this stage."""
    kind = {Stage.PREPROCESS: Kind.YOUTUBE, Stage.MIX: Kind.SYNTHESIS}.get(stage, Kind.SCRIPT)
    return {"kind": kind, "state": BEGINS[kind]}


async def in_line(deps: Deps, stage: Stage, job: Job | None = None, **changes: object) -> Job:
    """A job, this one just accepted or a new one, that found this stage shut or full."""
    job = await bring(deps, job or await accepted(deps, **going_to(stage), **changes), READY[stage])
    assert await deps.store.claim(job.id, job.version) is None
    assert job.id in await line(deps, stage)
    return job


@pytest.fixture
def ops(emptied: Deps, identity: Identity) -> Ops:
    return Ops(emptied, identity)


class TestPlaces:
    async def test_who_queues_hundreds_is_overtaken_by_who_queues_one(self, emptied: Deps) -> None:
        many = [await _accepted_of(emptied, "user:1") for _ in range(200)]
        one = await _accepted_of(emptied, "user:2")
        order = [job_id for job_id, _ in await queued(emptied)]
        assert order.index(one.id) <= 1
        order.remove(one.id)
        assert order == [job.id for job in many], "one owner's jobs keep their order"

    async def test_whenever_the_one_comes(self, emptied: Deps) -> None:
        many = [await _accepted_of(emptied, "user:1") for _ in range(20)]
        for job in many[:10]:
            await bring(emptied, job, State.SUBMITTING)
        one = await _accepted_of(emptied, "user:2")
        order = [job_id for job_id, _ in await queued(emptied) if job_id not in {job.id for job in many[:10]}]
        assert order.index(one.id) <= 1

    async def test_a_recording_that_is_stored_out_of_turn_does_not_take_the_others_along(self, emptied: Deps) -> None:
        *many, last = [await _accepted_of(emptied, "user:1") for _ in range(20)]
        await bring(emptied, last, State.SUBMITTING)
        one = await _accepted_of(emptied, "user:2")
        order = [job_id for job_id, _ in await queued(emptied) if job_id != last.id]
        assert order.index(one.id) <= 2
        order.remove(one.id)
        assert order == [job.id for job in many]

    async def test_several_who_queue_many_take_turns(self, emptied: Deps) -> None:
        owners = {}
        for owner in ("user:1", "user:2", "user:3"):
            for _ in range(5):
                owners[(await _accepted_of(emptied, owner)).id] = owner
        order = [owners[job_id] for job_id, _ in await queued(emptied)]
        for turn in range(5):
            assert set(order[3 * turn : 3 * turn + 3]) == {"user:1", "user:2", "user:3"}

    async def test_what_was_served_is_not_held_against_who_comes_back(self, emptied: Deps) -> None:
        for _ in range(10):
            job = await bring(emptied, await _accepted_of(emptied, "user:1"), State.PERSISTING)
            await emptied.store.conclude(job, State.COMPLETED, code="")
        assert await emptied.valkey.zcard("yousync:fair") == 0
        others = [await _accepted_of(emptied, "user:2") for _ in range(5)]
        again = await _accepted_of(emptied, "user:1")
        order = [job_id for job_id, _ in await queued(emptied)]
        assert order.index(again.id) <= 1
        assert [job_id for job_id in order if job_id != again.id] == [job.id for job in others]

    async def test_in_the_line_before_the_analysis_server_too(self, emptied: Deps) -> None:
        """Uploads are quick: it is there that the many wait."""
        deps = having(emptied, analysis_max_in_flight=1)
        out = await bring(deps, await accepted(deps, owner="user:0"), State.WAITING)
        many = [await in_line(deps, Stage.SUBMIT, owner="user:1") for _ in range(12)]
        order = [await _make_room(deps, out)]
        order.append(await _make_room(deps, order[-1]))
        one = await in_line(deps, Stage.SUBMIT, owner="user:2")
        while await line(deps, Stage.SUBMIT):
            order.append(await _make_room(deps, order[-1]))
        ids = [job.id for job in order]
        assert ids.index(one.id) <= 3
        ids.remove(one.id)
        assert ids == [job.id for job in many]

    async def test_workers_keep_to_it(
        self, emptied: Deps, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("inline")
        many = [await accept(address="192.0.2.1") for _ in range(12)]
        one = await accept(address="192.0.2.2")
        jobs = [*many, one]
        async with worker(emptied, identity, worker_slots=1):
            await until(lambda: _all_ended(emptied, jobs))
        numbers = {job.id: (await analysis.requests(job.id))[0]["number"] for job in jobs}
        order = sorted(numbers, key=numbers.__getitem__)
        assert order.index(one.id) <= 1
        order.remove(one.id)
        assert order == [job.id for job in many]


async def _accepted_of(deps: Deps, owner: str) -> Job:
    job = a_job(owner=owner)
    await deps.store.stage(job.id, b"audio")
    return await deps.store.accept(job, owner_limit=1000)


async def _make_room(deps: Deps, out: Job) -> Job:
    """The result of the one that is out comes; who is out then."""
    await deps.store.deliver(out.id, b"{}")
    [following] = await next_in_line(deps, Stage.SUBMIT)
    return await deps.store.move(await claimed(deps, following), Move.WAIT, due=Due(seconds=600), works=True)


async def _all_ended(deps: Deps, jobs: list[Job]) -> bool:
    found = await deps.store.read_many([job.id for job in jobs])
    return all(job.state.final for job in found.values())


class TestPausing:
    @pytest.mark.parametrize("stage", list(Stage))
    async def test_nobody_starts_a_paused_stage_until_it_is_resumed(
        self, emptied: Deps, ops: Ops, stage: Stage
    ) -> None:
        await ops.pause([stage], by=ME)
        waiting = [await accepted(emptied, **going_to(stage)) for _ in range(3)]
        jobs = [await in_line(emptied, stage, job) for job in waiting]
        assert await emptied.store.sweep() == 0
        assert await next_in_line(emptied, stage) == [], "those in line are off the clock"
        shut = await gate(emptied, stage)
        assert (shut.paused, shut.who, shut.why, shut.held) == (True, ME.who, ME.why, 3)
        await ops.resume([stage], by=ME)
        assert [job.id for job in await next_in_line(emptied, stage)] == [job.id for job in jobs]
        for job in jobs:
            await claimed(emptied, job)
        assert await line(emptied, stage) == []
        opened = await gate(emptied, stage)
        assert (opened.paused, opened.who, opened.since_ms, opened.held) == (False, "", 0, 0)

    async def test_other_stages_go_on(self, emptied: Deps, ops: Ops) -> None:
        await ops.pause([Stage.SUBMIT], by=ME)
        job = await bring(emptied, await accepted(emptied), State.UPLOADING)
        done = await emptied.store.move(job, Move.FINISH, claim_next=True, unstage=True)
        assert (done.state, done.claim) == (State.UPLOADED, "")
        assert await line(emptied, Stage.SUBMIT) == [job.id]

    async def test_those_that_are_at_it_finish(self, emptied: Deps, ops: Ops) -> None:
        job = await bring(emptied, await accepted(emptied), State.SUBMITTING)
        await ops.pause([Stage.SUBMIT], by=ME)
        assert (await emptied.store.move(job, Move.WAIT, due=Due(seconds=60))).state is State.WAITING

    async def test_pausing_again_tells_who_did_last_and_since_when_it_is_shut(self, emptied: Deps, ops: Ops) -> None:
        await ops.pause([Stage.UPLOAD], by=By(who="first", why="a"))
        first = await gate(emptied, Stage.UPLOAD)
        await ops.pause([Stage.UPLOAD], by=By(who="second", why="b"))
        second = await gate(emptied, Stage.UPLOAD)
        assert (second.who, second.why, second.since_ms) == ("second", "b", first.since_ms)
        await ops.resume([Stage.UPLOAD], by=ME)
        await ops.resume([Stage.UPLOAD], by=ME)
        assert not (await gate(emptied, Stage.UPLOAD)).paused

    async def test_only_as_many_go_on_as_there_is_room_for(self, emptied: Deps, identity: Identity) -> None:
        deps = having(emptied, analysis_max_in_flight=2)
        ops = Ops(deps, identity)
        await ops.pause([Stage.SUBMIT], by=ME)
        jobs = [await in_line(deps, Stage.SUBMIT) for _ in range(5)]
        await ops.resume([Stage.SUBMIT], by=ME)
        assert [job.id for job in await next_in_line(deps, Stage.SUBMIT)] == [job.id for job in jobs[:2]]
        claims = await asyncio.gather(*(deps.store.claim(job.id, job.version) for job in jobs))
        assert [claim is not None for claim in claims] == [True, True, False, False, False]

    async def test_a_job_whose_result_is_here_needs_no_analysis_server(self, emptied: Deps, ops: Ops) -> None:
        await ops.pause([Stage.SUBMIT], by=ME)
        kept = await bring(emptied, await accepted(emptied), State.UPLOADING)
        assert await emptied.store.deliver(kept.id, b"{}") == "kept"
        done = await emptied.store.move(kept, Move.FINISH, claim_next=True, unstage=True)
        assert (done.state, done.inbox) == (State.SUBMITTING, True)

    async def test_a_result_takes_its_job_out_of_the_line(self, emptied: Deps, ops: Ops) -> None:
        await ops.pause([Stage.SUBMIT], by=ME)
        job = await in_line(emptied, Stage.SUBMIT)
        assert await emptied.store.deliver(job.id, b"{}") == "delivered"
        assert await line(emptied, Stage.SUBMIT) == []
        assert ((await read(emptied, job)).state, await on_the_clock(emptied, job.id)) == (State.RECEIVED, True)

    async def test_a_deadline_that_passes_in_a_pause_is_seen_to_after_it(self, emptied: Deps, ops: Ops) -> None:
        job = await bring(emptied, await accepted(emptied), State.WAITING)
        await ops.pause([Stage.SUBMIT], by=ME)
        assert await emptied.store.claim(job.id, job.version) is None
        assert await line(emptied, Stage.SUBMIT) == [job.id]
        await ops.resume([Stage.SUBMIT], by=ME)
        assert (await claimed(emptied, job)).state is State.SUBMITTING

    async def test_those_out_already_go_on_although_there_is_no_room_for_others(
        self, emptied: Deps, identity: Identity
    ) -> None:
        """Only what becomes of them makes room for those that came earlier."""
        deps = having(emptied, analysis_max_in_flight=1)
        ops = Ops(deps, identity)
        earlier = await bring(deps, await accepted(deps), State.UPLOADED)
        out = await bring(deps, await accepted(deps), State.WAITING)
        await ops.pause([Stage.SUBMIT], by=ME)
        for job in (earlier, out):
            assert await deps.store.claim(job.id, job.version) is None
        await ops.resume([Stage.SUBMIT], by=ME)
        assert [job.id for job in await next_in_line(deps, Stage.SUBMIT)] == [out.id]
        assert await deps.store.claim(earlier.id, earlier.version) is None
        asking = await claimed(deps, out)
        assert await deps.store.deliver(asking.id, b"{}") == "delivered"
        assert [job.id for job in await next_in_line(deps, Stage.SUBMIT)] == [earlier.id]
        assert (await claimed(deps, earlier)).state is State.SUBMITTING

    async def test_also_when_fewer_may_be_out_than_are(self, emptied: Deps, identity: Identity) -> None:
        out = [await bring(emptied, await accepted(emptied), State.WAITING) for _ in range(3)]
        deps = having(emptied, analysis_max_in_flight=1)
        ops = Ops(deps, identity)
        await ops.pause([Stage.SUBMIT], by=ME)
        for job in out:
            assert await deps.store.claim(job.id, job.version) is None
        await ops.resume([Stage.SUBMIT], by=ME)
        assert [job.id for job in await next_in_line(deps, Stage.SUBMIT)] == [job.id for job in out]
        for job in out:
            await claimed(deps, job)

    async def test_they_are_in_nobody_s_way_either(self, emptied: Deps, identity: Identity) -> None:
        deps = having(emptied, analysis_max_in_flight=2)
        ops = Ops(deps, identity)
        out = await bring(deps, await accepted(deps), State.WAITING)
        following = await bring(deps, await accepted(deps), State.UPLOADED)
        await ops.pause([Stage.SUBMIT], by=ME)
        for job in (out, following):
            assert await deps.store.claim(job.id, job.version) is None
        await ops.resume([Stage.SUBMIT], by=ME)
        await claimed(deps, following)
        await claimed(deps, out)

    async def test_a_worker_that_was_believed_dead_takes_its_job_along(self, emptied: Deps, ops: Ops) -> None:
        """Frozen for longer than its lease while its stage was shut: nobody else has the job, so it may go on."""
        frozen = await bring(emptied, await accepted(emptied), State.SUBMITTING)
        await ops.pause([Stage.SUBMIT], by=ME)
        assert await emptied.store.claim(frozen.id, frozen.version) is None
        assert await line(emptied, Stage.SUBMIT) == [frozen.id]
        await emptied.store.renew(frozen)
        await emptied.store.move(frozen, Move.WAIT, due=Due(seconds=60))
        assert await line(emptied, Stage.SUBMIT) == []

    async def test_a_result_that_comes_early_for_such_a_job_does_not_lose_it(self, emptied: Deps, ops: Ops) -> None:
        frozen = await bring(emptied, await accepted(emptied), State.UPLOADING)
        await ops.pause([Stage.UPLOAD], by=ME)
        assert await emptied.store.claim(frozen.id, frozen.version) is None
        assert await emptied.store.deliver(frozen.id, b"{}") == "kept"
        await ops.resume([Stage.UPLOAD], by=ME)
        assert await on_the_clock(emptied, frozen.id)
        assert (await claimed(emptied, await read(emptied, frozen))).inbox

    async def test_an_end_that_is_decided_is_not_written_down_before_that_is_open_again(
        self, emptied: Deps, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("http_400")
        job = await bring(emptied, await accept(), State.UPLOADED)
        await ops.pause([Stage.PERSIST], by=ME)
        await run_stages(emptied, job.id, job.version)
        decided = await read(emptied, job)
        assert (decided.state, decided.outcome, decided.claim) == (State.PERSISTING, State.FAILED, "")
        assert await line(emptied, Stage.PERSIST) == [job.id]
        await ops.resume([Stage.PERSIST], by=ME)
        await run_stages(emptied, job.id, decided.version)
        assert (await AnalysisResult.get(job_id=job.id)).code == "analysis_rejected"

    async def test_uploads_are_accepted_and_end_once_it_is_over(
        self, emptied: Deps, ops: Ops, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("inline")
        await ops.pause(list(Stage), by=ME)
        async with worker(emptied, identity):
            jobs = [await accept() for _ in range(5)]
            await until(lambda: _standing(emptied, 5))
            await ops.resume(list(Stage), by=ME)
            await until(lambda: _all_ended(emptied, jobs))
        assert {job.state for job in (await emptied.store.read_many([job.id for job in jobs])).values()} == {
            State.COMPLETED
        }


async def _standing(deps: Deps, jobs: int) -> bool:
    return len(await line(deps, Stage.UPLOAD)) == jobs


async def test_a_job_that_is_no_more_leaves_its_line_as_well(emptied: Deps, ops: Ops) -> None:
    """As when its keys were removed by hand: the line does not wait for it."""
    await ops.pause([Stage.UPLOAD], by=ME)
    gone, job = await in_line(emptied, Stage.UPLOAD), await in_line(emptied, Stage.UPLOAD)
    await command(emptied.valkey, "DEL", f"yousync:job:{gone.id}")
    await ops.resume([Stage.UPLOAD], by=ME)
    assert await line(emptied, Stage.UPLOAD) == [job.id]
