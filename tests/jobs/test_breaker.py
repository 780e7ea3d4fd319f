"""A stage that fails for everybody is shut for everybody: nothing is counted, one at a time tries, then all go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobs.actors import LONGEST_PAUSE, run_stages
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.pipeline import Move
from jobs.script import Fenced
from jobs.store import Due
from models.analysis_result import AnalysisResult
from models.token import Token
from tests.factories import make_script
from tests.jobs.bringing import bring, claimed, read
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import ended, worker
from tests.jobs.test_lines import gate, having, in_line, line, next_in_line, on_the_clock
from tests.jobs.test_store import accepted
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.job import Job, Stage, State

SUBMIT = Stage.SUBMIT


async def submitting(deps: Deps) -> Job:
    return await bring(deps, await accepted(deps), State.SUBMITTING)


async def fails(deps: Deps, job: Job, *, counted: bool = True, spent: bool = False, pause: float = 0.0) -> bool:
    """An attempt fails; whether the job was given back."""
    event = {"attempt": job.tries + 1, "code": "analysis_error"}
    move = await deps.store.stumble(
        job, event=event, counted=counted, spent=spent, due=Due(seconds=7), pause_seconds=pause
    )
    return move is not None


async def works(deps: Deps, job: Job) -> None:
    await deps.store.move(job, Move.WAIT, due=Due(seconds=600), works=True)


async def shut(deps: Deps, *, pause: float = 0.0) -> list[Job]:
    """The jobs that failed in a row until the stage was shut."""
    jobs = [await submitting(deps) for _ in range(deps.settings.breaker_jobs)]
    for job in jobs:
        assert await fails(deps, job, pause=pause)
    assert (await gate(deps, SUBMIT)).open_until_ms > 0
    return [await read(deps, job) for job in jobs]


async def pause_passes(deps: Deps, stage: Stage = SUBMIT) -> None:
    await command(deps.valkey, "HSET", f"yousync:breaker:{stage}", "until_ms", 1)


async def shut_for(deps: Deps, job: Job) -> int:
    """Milliseconds between this failure and the next trial, both by Valkey's clock."""
    return (await gate(deps, SUBMIT)).open_until_ms - (await read(deps, job)).updated_ms


class TestOpening:
    async def test_several_different_jobs_in_a_row_open_it(self, emptied: Deps) -> None:
        jobs = [await submitting(emptied) for _ in range(4)]
        for number, job in enumerate(jobs[:3], start=1):
            opened = await gate(emptied, SUBMIT)
            assert (opened.open_until_ms, opened.downs) == (0, number - 1)
            await fails(emptied, job)
        opened = await gate(emptied, SUBMIT)
        assert (opened.open_until_ms > 0, opened.code, opened.downs) == (True, "analysis_error", 3)
        first, second, third = [await read(emptied, job) for job in jobs[:3]]
        assert [(job.tries, job.holds) for job in (first, second, third)] == [(1, 0), (1, 0), (0, 1)]
        assert await line(emptied, SUBMIT) == [third.id]
        assert not await on_the_clock(emptied, third.id)
        events = [await emptied.store.events(job.id) for job in (first, second, third)]
        assert [log[-1].move for log in events] == [Move.RETRY, Move.RETRY, Move.HOLD]

    async def test_one_job_that_fails_again_and_again_does_not(self, emptied: Deps) -> None:
        job = await submitting(emptied)
        for tries in range(1, 8):
            await fails(emptied, job)
            job = await read(emptied, job)
            assert (job.tries, await emptied.valkey.zscore("yousync:due", job.id)) == (tries, job.updated_ms + 7000)
            job = await claimed(emptied, job)
        assert (await gate(emptied, SUBMIT)).open_until_ms == 0

    async def test_a_job_alone_is_held_by_its_own_backoff(self, emptied: Deps) -> None:
        job = await submitting(emptied)
        for holds in range(1, 8):
            assert await fails(emptied, job, counted=False, spent=True)
            job = await read(emptied, job)
            assert (job.tries, job.holds, job.state) == (0, holds, State.UPLOADED)
            assert await emptied.valkey.zscore("yousync:due", job.id) == job.updated_ms + 7000
            job = await claimed(emptied, job)
        assert (await gate(emptied, SUBMIT)).open_until_ms == 0

    async def test_whoever_gets_through_in_between_speaks_for_the_stage(self, emptied: Deps) -> None:
        for _ in range(5):
            for _ in range(2):
                await fails(emptied, await submitting(emptied))
            assert (await gate(emptied, SUBMIT)).downs == 2
            await works(emptied, await submitting(emptied))
            assert (await gate(emptied, SUBMIT)).downs == 0

    async def test_a_result_in_reply_to_the_request_does_too(self, emptied: Deps) -> None:
        for _ in range(2):
            await fails(emptied, await submitting(emptied))
        assert await emptied.store.deliver((await submitting(emptied)).id, b"{}") == "delivered"
        assert (await gate(emptied, SUBMIT)).downs == 0

    async def test_each_stage_has_its_own(self, emptied: Deps) -> None:
        for _ in range(3):
            await fails(emptied, await bring(emptied, await accepted(emptied), State.UPLOADING))
        assert (await gate(emptied, Stage.UPLOAD)).open_until_ms > 0
        assert (await gate(emptied, SUBMIT)).open_until_ms == 0
        assert await emptied.store.claim((waiting := await accepted(emptied)).id, waiting.version) is None
        assert waiting.id in await line(emptied, Stage.UPLOAD)

    async def test_a_poison_job_among_good_ones_spends_its_own_budget(self, emptied: Deps) -> None:
        poison = await submitting(emptied)
        for _ in range(4):
            await works(emptied, await submitting(emptied))
            assert await fails(emptied, poison)
            poison = await claimed(emptied, await read(emptied, poison))
        await works(emptied, await submitting(emptied))
        assert not await fails(emptied, poison, spent=True), "the next move is to park it"
        after = await read(emptied, poison)
        assert (after.claim, after.tries) == (poison.claim, 4)

    async def test_a_failure_that_comes_back_fenced_says_nothing(self, emptied: Deps) -> None:
        job = await submitting(emptied)
        await emptied.store.deliver(job.id, b"{}")
        with pytest.raises(Fenced):
            await fails(emptied, job)
        assert (await gate(emptied, SUBMIT)).downs == 0


class TestShut:
    async def test_nothing_is_counted_against_anybody(self, emptied: Deps) -> None:
        late = [await submitting(emptied) for _ in range(3)]
        await shut(emptied)
        for job in late:
            assert await fails(emptied, job, counted=True, spent=True)
            after = await read(emptied, job)
            assert (after.tries, after.holds, after.state) == (0, 1, State.UPLOADED)
            assert not await on_the_clock(emptied, job.id)
        assert (await gate(emptied, SUBMIT)).held == 4

    async def test_nobody_tries_before_the_pause_is_over(self, emptied: Deps) -> None:
        await shut(emptied, pause=500)
        job = await in_line(emptied, SUBMIT)
        assert await emptied.store.sweep() == 0
        assert await emptied.store.claim(job.id, job.version) is None

    async def test_one_at_a_time_tries(self, emptied: Deps) -> None:
        await shut(emptied, pause=500)
        jobs = [await in_line(emptied, SUBMIT) for _ in range(5)]
        await pause_passes(emptied)
        for _ in range(3):
            await emptied.store.sweep()
        [first] = await next_in_line(emptied, SUBMIT)
        claims = await asyncio.gather(*(emptied.store.claim(job.id, job.version) for job in [*jobs, first]))
        assert [claim.id for claim in claims if claim is not None] == [first.id]
        await emptied.store.sweep()
        assert await next_in_line(emptied, SUBMIT) == []

    async def test_who_fails_goes_to_the_end_and_the_next_one_tries(self, emptied: Deps) -> None:
        failed = (await shut(emptied, pause=500))[-1]
        jobs = [await in_line(emptied, SUBMIT) for _ in range(3)]
        order = await line(emptied, SUBMIT)
        assert order == [failed.id, *(job.id for job in jobs)]
        for _ in range(len(order)):
            await pause_passes(emptied)
            await emptied.store.sweep()
            [trial] = await next_in_line(emptied, SUBMIT)
            assert trial.id == order[0]
            await fails(emptied, await claimed(emptied, trial), pause=500)
            order = [*order[1:], order[0]]
            assert await line(emptied, SUBMIT) == order
        assert {(await read(emptied, job)).tries for job in jobs} == {0}

    async def test_who_opened_it_stands_behind_those_that_came_before(self, emptied: Deps) -> None:
        jobs = [await submitting(emptied) for _ in range(3)]
        for job in jobs:
            await fails(emptied, job, pause=500)
        for job in jobs[:2]:  # their backoff is over
            assert await emptied.store.claim(job.id, (await read(emptied, job)).version) is None
        assert await line(emptied, SUBMIT) == [job.id for job in jobs]

    async def test_pauses_grow_up_to_a_quarter_of_a_minute(self, emptied: Deps) -> None:
        failed = (await shut(emptied))[-1]
        pauses = [await shut_for(emptied, failed)]
        for _ in range(6):
            await pause_passes(emptied)
            await fails(emptied, await claimed(emptied, await read(emptied, failed)))
            pauses.append(await shut_for(emptied, failed))
        assert pauses == [1000, 2000, 4000, 8000, 15000, 15000, 15000]

    async def test_a_longer_pause_that_the_server_asks_for_is_kept(self, emptied: Deps) -> None:
        failed = (await shut(emptied, pause=40))[-1]
        assert await shut_for(emptied, failed) == 40_000
        await pause_passes(emptied)
        await fails(emptied, await claimed(emptied, await read(emptied, failed)), pause=LONGEST_PAUSE)
        assert await shut_for(emptied, failed) == 1000 * LONGEST_PAUSE
        assert await emptied.valkey.pttl(f"yousync:breaker:{SUBMIT}") > 1000 * LONGEST_PAUSE

    async def test_a_trial_whose_worker_dies_keeps_others_only_for_a_while(self, emptied: Deps) -> None:
        await shut(emptied, pause=500)
        await in_line(emptied, SUBMIT)
        await pause_passes(emptied)
        await emptied.store.sweep()
        [dead] = await next_in_line(emptied, SUBMIT)
        await claimed(emptied, dead)
        lease = 1000 * emptied.settings.lease_seconds
        [until_ms] = await command(emptied.valkey, "HMGET", f"yousync:breaker:{SUBMIT}", "trial_ms")
        assert int(until_ms) == (await read(emptied, dead)).updated_ms + 2 * lease
        await command(emptied.valkey, "HSET", f"yousync:breaker:{SUBMIT}", "trial_ms", 1)
        await emptied.store.sweep()
        assert len(await next_in_line(emptied, SUBMIT)) == 1

    @pytest.mark.parametrize("ends", ["release", "settle", "cancel", "delete"])
    async def test_a_trial_that_tells_nothing_gives_the_turn_to_the_next(
        self, emptied: Deps, identity: Identity, accept: Accept, ends: str
    ) -> None:
        """A deploy, a budget that was spent before, an operator: none of them says whether the stage works."""
        ops, me = Ops(emptied, identity), By(who="mina", why="test")
        jobs = [await bring(emptied, await accept(), State.UPLOADED) for _ in range(2)]
        await shut(emptied, pause=500)
        for job in jobs:
            assert await emptied.store.claim(job.id, job.version) is None
        await pause_passes(emptied)
        await emptied.store.sweep()
        [trial] = await next_in_line(emptied, SUBMIT)
        assert trial.id == jobs[0].id
        trial = await claimed(emptied, trial)
        match ends:
            case "release":
                await emptied.store.move(trial, Move.RELEASE)
            case "settle":
                kept = await emptied.store.move(trial, Move.SETTLE, claim_next=True, outcome=State.PARKED)
                await emptied.store.conclude(kept, State.PARKED, code="analysis_timeout")
            case "cancel":
                await ops.cancel(trial.id, by=me)
            case _:
                await ops.delete(trial.id, by=me)
        assert (await gate(emptied, SUBMIT)).open_until_ms > 0, "it is still to be found out"
        await emptied.store.sweep()
        assert [job.id for job in await next_in_line(emptied, SUBMIT)] == [jobs[1].id]
        await claimed(emptied, jobs[1])

    async def test_when_one_gets_through_all_go_on(self, emptied: Deps) -> None:
        await shut(emptied, pause=500)
        for _ in range(4):
            await in_line(emptied, SUBMIT)
        order = await line(emptied, SUBMIT)
        await pause_passes(emptied)
        await emptied.store.sweep()
        [trial] = await next_in_line(emptied, SUBMIT)
        await works(emptied, await claimed(emptied, trial))
        opened = await gate(emptied, SUBMIT)
        assert (opened.open_until_ms, opened.downs, opened.code) == (0, 0, "")
        assert [job.id for job in await next_in_line(emptied, SUBMIT)] == order[1:]

    async def test_a_refusal_of_one_recording_shows_that_it_works(self, emptied: Deps) -> None:
        failed = (await shut(emptied, pause=500))[-1]
        await pause_passes(emptied)
        trial = await claimed(emptied, failed)
        await emptied.store.move(trial, Move.SETTLE, claim_next=True, works=True, outcome=State.FAILED)
        assert (await gate(emptied, SUBMIT)).open_until_ms == 0


def worker_with(deps: Deps, identity: Identity, **changes: Any) -> Any:
    return worker(deps, identity, breaker_jobs=3, submit_tries=2, **changes)


class TestWithWorkers:
    async def test_an_analysis_server_that_breaks_for_a_while_costs_nobody_a_job(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("http_500")
        jobs = [await accept(address=f"192.0.2.{number}") for number in range(8)]
        async with worker_with(emptied, identity) as deps:
            await until(lambda: _opened_twice(deps))
            await analysis.behave("inline")
            views = await asyncio.gather(*(ended(engine, job) for job in jobs))
        assert {view.status for view in views} == {"completed"}
        assert max([event.attempt for job in jobs for event in await deps.store.events(job.id)]) <= 2
        assert sum([await _counted(deps, job) for job in jobs]) <= 2 * 2, "only before it was known to be shut"

    async def test_patience_with_a_server_that_stays_broken_has_an_end(
        self, emptied: Deps, accept: Accept, analysis: Control
    ) -> None:
        jobs = [await bring(emptied, await accept(), State.SUBMITTING) for _ in range(emptied.settings.breaker_jobs)]
        for job in jobs:
            await fails(emptied, job, pause=500)
        await pause_passes(emptied)
        await command(emptied.valkey, "HSET", f"yousync:job:{jobs[-1].id}", "began_ms", 1)
        await analysis.behave("http_500")
        await run_stages(emptied, jobs[-1].id, (await read(emptied, jobs[-1])).version)
        row = await AnalysisResult.get(job_id=jobs[-1].id)
        assert (row.state, row.code) == ("parked", "analysis_error")

    async def test_only_what_was_answered_speaks_for_the_server(
        self, emptied: Deps, accept: Accept, analysis: Control
    ) -> None:
        """A request that broke off does not, nor an open one that is left alone, nor what Postgres said."""
        deps = having(emptied, analysis_idempotent=False, analysis_status_url=None)
        for _ in range(2):
            await fails(deps, await submitting(deps))
        await analysis.behave("drop")
        cut = await bring(deps, await accept(), State.UPLOADED)
        await run_stages(deps, cut.id, cut.version)
        assert (await read(deps, cut)).state is State.WAITING
        left = await bring(deps, await accept(), State.SUBMITTING)
        left = await deps.store.move(left, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)
        left = await deps.store.move(left, Move.RELEASE)
        await run_stages(deps, left.id, left.version)
        assert (await read(deps, left)).state is State.WAITING
        script = await make_script()
        gone = await bring(deps, await accept(token_id=script.token_id, script_id=script.id), State.UPLOADED)
        await Token.filter(id=script.token_id).delete()
        await run_stages(deps, gone.id, gone.version)
        assert (await read(deps, gone)).state is State.CLEANING
        assert await analysis.asked(left.id) == 0
        assert (await gate(deps, SUBMIT)).downs == 2
        await analysis.behave("hold")
        answered = await bring(deps, await accept(), State.UPLOADED)
        await run_stages(deps, answered.id, answered.version)
        assert (await gate(deps, SUBMIT)).downs == 0

    async def test_a_broken_recording_among_good_ones_is_parked(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("inline")
        poison = await bring(emptied, await accept(), State.RECEIVED)
        await emptied.valkey.delete(f"yousync:inbox:{poison.id}")
        async with worker_with(emptied, identity) as deps:
            for _ in range(3):
                assert (await ended(engine, await accept())).status == "completed"
            assert (await ended(engine, poison)).status == "failed"
            assert await _counted(deps, poison) == 1
        row = await AnalysisResult.get(job_id=poison.id)
        assert (row.state, row.stage, row.code) == ("parked", "persist", "result_lost")


async def _opened_twice(deps: Deps) -> bool:
    opens = await command(deps.valkey, "HGET", f"yousync:breaker:{SUBMIT}", "opens")
    return int(opens or 0) >= 2


async def _counted(deps: Deps, job: Job) -> int:
    return sum(event.move == Move.RETRY for event in await deps.store.events(job.id))
