"""What operators do to jobs: from which states, with what is left of them, each told in the log with who and why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from jobs.actors import run_stages
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.outcomes import Concluded
from jobs.pipeline import CHOICES, MOVES, RESTARTS, Move
from jobs.script import Fenced
from jobs.stages.persist import persist
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import bring, claimed, read
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import ended, moves, worker
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.errors import JobNotFound, OperationRefused
from yousync.failures import Down
from yousync.job import Job, Stage, State, message_of
from yousync.local.port import free_port
from yousync.storage import open_storage

ME = By(who="mina@desk", why="the server was moved")
ENDED = CHOICES[Move.RESTART][0]
LATE = b'{"result":{"overall_score":0.25,"word_analysis":[]}}'


@pytest.fixture
def ops(emptied: Deps, identity: Identity) -> Ops:
    return Ops(emptied, identity)


async def put(deps: Deps, job: Job) -> Job:
    """The job, with its audio in S3 as the upload stage leaves it."""
    if job.s3_key:
        await deps.storage.put(job.s3_key, b"x" * job.size, container="wav")
    return job


async def expire(deps: Deps, job: Job) -> None:
    """What time does to the record of a job that has ended."""
    keys = [f"yousync:{name}:{job.id}" for name in ("job", "events", "inbox", "late")]
    await deps.valkey.delete(*keys)
    await deps.valkey.zrem(f"yousync:state:{job.state}", job.id)


async def row_of(job: Job, state: State, *, run: int) -> AnalysisResult:
    """The job's row, once this run of it has ended so."""

    async def found() -> AnalysisResult | None:
        return await AnalysisResult.get_or_none(job_id=job.id, state=state.value, run=run)

    return await until(found)  # type: ignore[no-any-return]  # what found returned


async def completed(engine: Engine, job: Job, *, run: int) -> AnalysisResult:
    """The same for a run that ends with a result; clients are told of it."""
    row = await row_of(job, State.COMPLETED, run=run)
    assert (await ended(engine, job)).status == "completed"
    return row


async def told(deps: Deps, job: Job, move: Move) -> None:
    """The log's last line says that it was this operator, and why."""
    last = (await deps.store.events(job.id))[-1]
    assert (last.move, last.actor, last.cause) == (move, ME.who, ME.why)


class TestRestarting:
    @pytest.mark.parametrize("age", ["young", "old"])
    @pytest.mark.parametrize("stage", [None, Stage.UPLOAD, Stage.SUBMIT])
    async def test_an_ended_job_goes_on_as_a_new_run(
        self,
        emptied: Deps,
        engine: Engine,
        identity: Identity,
        ops: Ops,
        accept: Accept,
        analysis: Control,
        stage: Stage | None,
        age: str,
    ) -> None:
        await analysis.behave("inline")
        states = [state for state in ENDED if stage or state is not State.COMPLETED]
        jobs = {state: await put(emptied, await bring(emptied, await accept(towards=state), state)) for state in states}
        for state, job in jobs.items():
            if age == "old":
                await expire(emptied, job)
            again = await ops.restart(job.id, stage=stage, by=ME)
            assert (again.state, again.run, again.progress) == (RESTARTS[stage or Stage.SUBMIT], 2, again.progress)
            assert again.version > (await AnalysisResult.get(job_id=job.id)).version
            await told(emptied, job, Move.RESTART)
            row = await AnalysisResult.get(job_id=job.id)
            assert (row.state, row.run) == (state, 1), "it tells of the earlier run until the new one has ended"
            view = await engine.view(job.id)
            assert view is not None
            assert view.status == "processing"
        async with worker(emptied, identity):
            for job in jobs.values():
                row = await completed(engine, job, run=2)
                assert (row.attempts, row.code, row.stage) == (1, "", "")
                assert Move.RESTART in await moves(emptied, job)
                assert await analysis.asked(job.id) == 1
        assert await emptied.valkey.get("yousync:staged_bytes") == b"0"

    async def test_its_budgets_are_new(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        job = await put(emptied, await bring(emptied, await accept(), State.PARKED))
        spent = {"tries": 4, "holds": 9, "lapses": 10, "asks": 3, "asked_ms": 1}
        await command(
            emptied.valkey, "HSET", f"yousync:job:{job.id}", *(word for pair in spent.items() for word in pair)
        )
        again = await ops.restart(job.id, stage=None, by=ME)
        assert (again.tries, again.holds, again.lapses, again.asks, again.asked_ms) == (0, 0, 0, 0, 0)
        assert (again.code, again.message, again.stage, again.outcome) == ("", "", "", None)
        assert await emptied.valkey.ttl(f"yousync:job:{job.id}") == -1
        assert await emptied.valkey.ttl(f"yousync:events:{job.id}") == -1
        assert await command(emptied.valkey, "SCARD", f"yousync:owner:{job.owner}") == 1

    async def test_and_so_is_the_patience_with_what_it_depends_on(
        self, emptied: Deps, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        job = await put(emptied, await bring(emptied, await accept(), State.PARKED))
        await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "created_ms", 1, "began_ms", 1)
        again = await ops.restart(job.id, stage=None, by=ME)
        assert (again.created_ms, again.began_ms) == (1, again.updated_ms)
        await analysis.behave("http_503")
        await run_stages(emptied, again.id, again.version)
        held = await read(emptied, again)
        assert (held.state, held.holds) == (State.UPLOADED, 1)

    async def test_it_begins_where_it_had_got_to(
        self, emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        """Parked while S3 was away: what is staged is all there is of the audio."""
        await analysis.behave("inline")
        job = await bring(emptied, await accept(), State.UPLOADING)
        job = await emptied.store.move(job, Move.SETTLE, claim_next=True, outcome=State.PARKED, stage=Stage.UPLOAD)
        assert isinstance(await persist(emptied, job), Concluded)
        await emptied.store.conclude(job, State.PARKED, code="")
        assert (await ops.restart(job.id, stage=None, by=ME)).state is State.ACCEPTED
        async with worker(emptied, identity):
            await completed(engine, job, run=2)
        assert await emptied.storage.size(job.s3_key) == job.size

    async def test_a_result_that_is_kept_can_be_written_again(
        self, emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        job = await bring(emptied, await accept(), State.COMPLETED)
        await ops.restart(job.id, stage=Stage.PERSIST, by=ME)
        async with worker(emptied, identity):
            row = await completed(engine, job, run=2)
        assert row.overall_score == 0.8
        assert await analysis.asked(job.id) == 0

    async def test_of_many_who_press_the_button_one_succeeds(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        job = await put(emptied, await bring(emptied, await accept(), State.FAILED))
        answers = await asyncio.gather(
            *(ops.restart(job.id, stage=None, by=ME) for _ in range(10)), return_exceptions=True
        )
        assert sum(isinstance(answer, Job) for answer in answers) == 1
        refused = [answer for answer in answers if isinstance(answer, OperationRefused)]
        assert {answer.detail for answer in refused} == {"the job is uploaded"}
        assert len(refused) == 9
        assert (await read(emptied, job)).run == 2

    @pytest.mark.parametrize("state", [state for state in State if not state.final])
    async def test_a_job_that_is_under_way_is_left_alone(
        self, emptied: Deps, ops: Ops, accept: Accept, state: State
    ) -> None:
        job = await bring(emptied, await accept(towards=state), state)
        for stage in (None, *RESTARTS):
            await refused(f"the job is {state}", ops.restart(job.id, stage=stage, by=ME))
        assert await read(emptied, job) == job

    async def test_what_cannot_be_is_refused_with_the_reason(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        job = await bring(emptied, await accept(), State.COMPLETED)
        await refused("completed: name the stage to do again", ops.restart(job.id, stage=None, by=ME))
        await refused("no script job starts with clean", ops.restart(job.id, stage=Stage.CLEAN, by=ME))
        for stage in (Stage.UPLOAD, Stage.SUBMIT):
            sentence = f"its audio is not in S3, so it cannot start with {stage}"
            await refused(sentence, ops.restart(job.id, stage=stage, by=ME))
        await expire(emptied, job)
        no_result = "no result is kept that it could go on with"
        await refused(no_result, ops.restart(job.id, stage=Stage.PERSIST, by=ME))
        failed = await bring(emptied, await accept(), State.FAILED)
        await refused(no_result, ops.restart(failed.id, stage=Stage.PERSIST, by=ME))
        assert await read(emptied, failed) == failed

    async def test_a_job_whose_record_is_lost_is_the_reconcilers(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        job = await accept()
        await emptied.valkey.delete(f"yousync:job:{job.id}")
        lost = "its record is lost; the reconciler takes care of it within minutes"
        await refused(lost, ops.restart(job.id, stage=None, by=ME))
        await refused(lost, ops.cancel(job.id, by=ME))
        await refused(lost, ops.accept_late(job.id, by=ME))

    async def test_nothing_is_done_while_s3_is_away(self, emptied: Deps, identity: Identity, accept: Accept) -> None:
        job = await bring(emptied, await accept(), State.FAILED)
        away = emptied.settings.model_copy(update={"aws_endpoint_url_s3": f"http://127.0.0.1:{free_port()}"})
        async with open_storage(away) as storage:
            with pytest.raises(Down):
                await Ops(replace(emptied, storage=storage), identity).restart(job.id, stage=None, by=ME)
        assert await read(emptied, job) == job


async def refused(sentence: str, doing: Awaitable[Any]) -> None:
    """It is, in these words."""
    with pytest.raises(OperationRefused) as caught:
        await doing
    assert caught.value.detail == sentence


class TestReasons:
    async def test_what_cannot_be_stored_is_left_out(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        by = By(who="mi\0na", why="the \ud800 server\0 was moved")
        assert (by.who, by.why) == ("mina", "the ? server was moved")
        job = await bring(emptied, await accept(), State.WAITING)
        held = await claimed(emptied, await ops.cancel(job.id, by=by))
        assert await persist(emptied, held) == Concluded(State.CANCELLED, "cancelled")
        [event] = [event for event in (await AnalysisResult.get(job_id=job.id)).history if event["move"] == "cancel"]
        assert (event["actor"], event["cause"]) == (by.who, by.why)

    async def test_nor_does_it_keep_a_job_from_its_end_that_was_told_otherwise(
        self, emptied: Deps, accept: Accept
    ) -> None:
        job = await bring(emptied, await accept(), State.SUBMITTING)
        event = {"cause": "said\0 so"}
        job = await emptied.store.move(job, Move.SETTLE, claim_next=True, event=event, outcome=State.PARKED)
        assert isinstance(await persist(emptied, job), Concluded)
        [event] = [event for event in (await AnalysisResult.get(job_id=job.id)).history if event["move"] == "settle"]
        assert event["cause"] == "said so"


class TestCancelling:
    async def test_whatever_is_unfinished_or_parked_ends(
        self, emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        jobs = {state: await bring(emptied, await accept(towards=state), state) for state in MOVES[Move.CANCEL]}
        for job in jobs.values():
            cancelled = await ops.cancel(job.id, by=ME)
            assert (cancelled.state, cancelled.outcome, cancelled.claim) == (State.PERSISTING, State.CANCELLED, "")
            await told(emptied, job, Move.CANCEL)
        async with worker(emptied, identity):
            for state, job in jobs.items():
                row = await row_of(job, State.CANCELLED, run=1 + state.final)
                assert (row.code, row.message) == ("cancelled", message_of(job.kind, State.CANCELLED))
                view = await ended(engine, job)
                assert (view.status, view.result) == ("failed", None)
                assert Move.CANCEL in await moves(emptied, job)
                assert await analysis.asked(job.id) == 0
        assert await emptied.valkey.get("yousync:staged_bytes") == b"0"
        assert (await AnalysisResult.get(job_id=jobs[State.WAITING].id)).stage == Stage.SUBMIT

    @pytest.mark.parametrize("state", [State.UPLOADING, State.SUBMITTING])
    async def test_a_worker_that_is_at_it_cannot_write_any_more(
        self, emptied: Deps, ops: Ops, accept: Accept, state: State
    ) -> None:
        held = await bring(emptied, await accept(towards=state), state)
        await ops.cancel(held.id, by=ME)
        for write in (
            emptied.store.renew(held),
            emptied.store.move(held, Move.FINISH, claim_next=True),
            emptied.store.move(held, Move.RELEASE),
            emptied.store.conclude(held, State.COMPLETED, code=""),
        ):
            with pytest.raises(Fenced):
                await write
        assert await emptied.store.deliver(held.id, LATE) == "late"

    async def test_a_running_worker_lets_go(
        self, emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("inline", reply_delay_s=30)
        async with worker(emptied, identity, lease_seconds=0.6):
            job = await accept()
            await until(lambda: analysis.asked(job.id))
            await ops.cancel(job.id, by=ME)
            assert (await ended(engine, job)).status == "failed"
        assert (await AnalysisResult.get(job_id=job.id)).state == "cancelled"

    async def test_one_that_stands_in_line_leaves_it(self, emptied: Deps, ops: Ops, accept: Accept) -> None:
        await ops.pause([Stage.UPLOAD], by=ME)
        job = await accept()
        assert await emptied.store.claim(job.id, job.version) is None
        cancelled = await ops.cancel(job.id, by=ME)
        assert await emptied.valkey.exists(f"yousync:line:{Stage.UPLOAD}") == 0
        assert (await claimed(emptied, cancelled)).state is State.PERSISTING

    @pytest.mark.parametrize(
        "state", [State.PERSISTING, State.COMPLETED, State.FAILED, State.CANCELLED, State.CLEANING]
    )
    async def test_what_has_ended_or_is_about_to_stays_as_it_is(
        self, emptied: Deps, ops: Ops, accept: Accept, state: State
    ) -> None:
        job = await bring(emptied, await accept(towards=state), state)
        await refused(f"the job is {state}", ops.cancel(job.id, by=ME))
        assert await read(emptied, job) == job

    async def test_one_that_is_parked_with_its_record_gone_is_over(
        self, emptied: Deps, ops: Ops, accept: Accept
    ) -> None:
        job = await bring(emptied, await accept(), State.PARKED)
        await expire(emptied, job)
        await refused("the job is over: its record is gone", ops.cancel(job.id, by=ME))


class TestAcceptingLateResults:
    async def test_what_came_after_the_end_becomes_the_result(
        self, emptied: Deps, engine: Engine, identity: Identity, ops: Ops, accept: Accept, analysis: Control
    ) -> None:
        jobs = [await bring(emptied, await accept(towards=state), state) for state in MOVES[Move.ACCEPT_LATE]]
        for job in jobs:
            assert await emptied.store.deliver(job.id, LATE) == "late"
            taken = await ops.accept_late(job.id, by=ME)
            assert (taken.state, taken.run, taken.inbox, taken.late) == (State.RECEIVED, 2, True, False)
            assert await emptied.valkey.ttl(f"yousync:inbox:{job.id}") == -1
            await told(emptied, job, Move.ACCEPT_LATE)
        async with worker(emptied, identity):
            for job in jobs:
                assert (await completed(engine, job, run=2)).overall_score == 0.25
                assert await analysis.asked(job.id) == 0

    @pytest.mark.parametrize("state", list(State))
    async def test_there_must_be_one_and_the_job_must_have_ended(
        self, emptied: Deps, ops: Ops, accept: Accept, state: State
    ) -> None:
        job = await bring(emptied, await accept(towards=state), state)
        ended_already = state in MOVES[Move.ACCEPT_LATE]
        sentence = "no result is kept that it could go on with" if ended_already else f"the job is {state}"
        await refused(sentence, ops.accept_late(job.id, by=ME))
        assert await read(emptied, job) == job


@pytest.mark.parametrize("do", ["restart", "cancel", "accept_late", "delete"])
async def test_nobody_knows_the_job(ops: Ops, emptied: Deps, accept: Accept, do: str) -> None:
    deleted = await bring(emptied, await accept(), State.FAILED)
    await ops.delete(deleted.id, by=ME)
    options = {"stage": None} if do == "restart" else {}
    for job_id in ("0" * 32, deleted.id):
        with pytest.raises(JobNotFound):
            await getattr(ops, do)(job_id, by=ME, **options)
