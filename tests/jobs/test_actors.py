"""A worker and what fails around it: what is tried again, what waits, what ends, how often is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from jobs import actors
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.pipeline import Move, legal
from jobs.script import Fenced
from jobs.store import Store
from jobs.worker import working
from models.analysis_result import AnalysisResult
from models.token import Token
from tests.factories import make_script
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import Accept
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync.analysis import open_analysis
from yousync.job import Job, State, View
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.preprocessing import open_preprocessing
from yousync.storage import open_storage


@asynccontextmanager
async def worker(deps: Deps, identity: Identity, **changes: Any) -> AsyncIterator[Deps]:
    """A worker with other settings; short waits unless told otherwise."""
    quick: dict[str, Any] = {
        "analysis_wait_seconds": 60.0,
        "analysis_status_url": None,
        "analysis_idempotent": False,
        "drain_seconds": 0.2,
    }
    settings = deps.settings.model_copy(update=quick | changes)
    async with AsyncExitStack() as stack:
        own = replace(
            deps,
            settings=settings,
            store=Store(deps.valkey, deps.valkey, settings),
            analysis=await stack.enter_async_context(open_analysis(settings)),
            preprocessing=await stack.enter_async_context(open_preprocessing(settings)),
            storage=await stack.enter_async_context(open_storage(settings)),
        )
        async with working(own, identity):
            yield own


async def ended(engine: Engine, job: Job) -> View:
    """The job's last view."""

    async def final() -> View | None:
        view = await engine.view(job.id)
        return view if view is not None and view.final else None

    return await until(final)  # type: ignore[no-any-return]  # what final returned


async def concluded(deps: Deps, job: Job) -> bool:
    """Whether the record says that the job has ended, too; clients learn it from the row, a moment earlier."""
    record = await deps.store.read(job.id)
    return record is not None and record.state.final


async def moves(deps: Deps, job: Job) -> list[Move]:
    """What moved the job so far; every step of it legal."""
    events = await deps.store.events(job.id)
    for event in events:
        assert legal(Move(event.move), State(event.source) if event.source else None, State(event.target)), event
    return [Move(event.move) for event in events]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come quickly: the clock's second is what is left."""
    monkeypatch.setattr(actors, "backoff", lambda _: 0.01)
    monkeypatch.setattr(actors, "hold_time", lambda _: 0.01)


async def test_the_straight_way(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    async with worker(emptied, identity) as deps:
        job = await accept()
        view = await ended(engine, job)
        assert view.status == "completed"
        assert await analysis.asked(job.id) == 1
        await until(lambda: concluded(deps, job))
        assert [move for move in await moves(deps, job) if move != "wait"] == [
            "accept",
            "claim",
            "finish",
            "claim",
            "ask",
            "deliver",
            "claim",
            "conclude",
        ]
        assert await deps.storage.size(job.s3_key) == job.size
        assert await deps.store.staged(job) is None
        row = await AnalysisResult.get(job_id=job.id)
        assert [entry["version"] for entry in row.history] == list(range(1, row.version + 1))


async def test_nobody_is_told_before_postgres_has_the_result(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("hold")
    async with worker(emptied, identity) as deps:
        job = await accept()
        await until(lambda: _waits(deps, job))
        async with in_transaction() as ahead:
            await AnalysisResult.select_for_update().using_db(ahead).get(job_id=job.id)
            await analysis.release()
            await until(lambda: _somebody_behind(ahead))
            view = await engine.view(job.id)
            assert view is not None
            assert view.status == "processing"
        assert (await ended(engine, job)).status == "completed"


async def _waits(deps: Deps, job: Job) -> bool:
    return (await moves(deps, job))[-1] == Move.WAIT


async def _somebody_behind(ahead: BaseDBAsyncClient) -> bool:
    """Whether another statement waits for a row that this transaction has locked."""
    blocked = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return bool(await ahead.execute_query_dict(blocked))


async def test_a_reply_that_holds_the_result_needs_no_webhook(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("inline")
    async with worker(emptied, identity):
        assert (await ended(engine, await accept())).status == "completed"


async def test_an_error_of_the_server_is_tried_again_and_counted(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("http_500", count=2)
    async with worker(emptied, identity) as deps:
        job = await accept()
        assert (await ended(engine, job)).status == "completed"
        assert (await moves(deps, job)).count(Move.RETRY) == 2
        tried = [event for event in await deps.store.events(job.id) if event.move == "retry"]
        assert [(event.attempt, event.code) for event in tried] == [(1, "analysis_error"), (2, "analysis_error")]


async def test_a_spent_budget_parks_the_job_with_its_reason(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("http_500", count=99)
    async with worker(emptied, identity, submit_tries=3) as deps:
        job = await accept()
        view = await ended(engine, job)
        assert (view.status, view.progress) == ("failed", 0)
        row = await AnalysisResult.get(job_id=job.id)
        assert (row.state, row.code) == ("parked", "analysis_error")
        assert await analysis.asked(job.id) == 3
        await until(lambda: concluded(deps, job))
        assert await deps.valkey.ttl(f"yousync:job:{job.id}") > 86_400


@pytest.mark.parametrize("mode", ["http_503", "http_429"])
async def test_a_server_that_asks_for_patience_gets_it_and_nothing_is_counted(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control, mode: str
) -> None:
    await analysis.behave(mode, count=3)
    async with worker(emptied, identity, submit_tries=1) as deps:
        job = await accept()
        assert (await ended(engine, job)).status == "completed"
        assert (await moves(deps, job)).count(Move.HOLD) == 3


async def test_a_refusal_is_final(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("http_400")
    async with worker(emptied, identity):
        job = await accept()
        assert (await ended(engine, job)).status == "failed"
        row = await AnalysisResult.get(job_id=job.id)
        assert (row.state, row.code) == ("failed", "analysis_rejected")
        assert await analysis.asked(job.id) == 1


async def test_a_server_that_is_not_there_is_waited_for(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/"
    job = await accept()
    async with worker(emptied, identity, target_server_url=nowhere, submit_tries=1) as deps:
        await until(lambda: _held_often(deps, job))
    async with worker(emptied, identity):
        assert (await ended(engine, job)).status == "completed"


async def test_a_postgres_that_can_only_be_read_is_waited_for(emptied: Deps, accept: Accept) -> None:
    """As while it fails over: the learner's result is not counted against the job that brings it."""
    job = await bring(emptied, await accept(), State.RECEIVED)
    async with in_transaction() as standby:
        await standby.execute_script("SET TRANSACTION READ ONLY")
        await actors.run_stages(emptied, job.id, job.version)
    held = await read(emptied, job)
    assert (held.state, held.code, held.holds, held.tries) == (State.PERSISTING, "database_down", 1, 0)


async def _held_often(deps: Deps, job: Job) -> bool:
    return (await moves(deps, job)).count(Move.HOLD) >= 2


async def test_uploads_are_accepted_while_s3_is_away_and_stored_when_it_is_back(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with worker(emptied, identity, aws_endpoint_url_s3=away, upload_tries=1) as deps:
        job = await accept()
        await until(lambda: _held_often(deps, job))
        view = await engine.view(job.id)
        assert view is not None
        assert view.status == "processing"
    async with worker(emptied, identity):
        assert (await ended(engine, job)).status == "completed"


class TestResultsThatDoNotCome:
    async def test_it_is_asked_for_so_often_and_then_parked(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("never", honour_idempotency=False)
        async with worker(emptied, identity, analysis_wait_seconds=0.1, analysis_asks=3):
            job = await accept()
            view = await ended(engine, job)
            assert view.status == "failed"
            assert "지연" in (view.message or "")
            row = await AnalysisResult.get(job_id=job.id)
            assert (row.state, row.code, row.attempts) == ("parked", "analysis_timeout", 3)
            assert await analysis.asked(job.id) == 3

    async def test_a_video_s_has_a_deadline_of_its_own(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control, standin: Standin
    ) -> None:
        await analysis.behave("never", honour_idempotency=False)
        urls = {"preprocess_server_url": standin.url, "youtube_webhook_url": "http://127.0.0.1:9/"}
        async with worker(emptied, identity, **urls, preprocess_wait_seconds=0.1, preprocess_asks=2):
            job = await accept(towards=State.PREPARING)
            view = await ended(engine, job)
            assert (view.status, "지연" in (view.message or "")) == ("failed", True)
            row = await AnalysisResult.get(job_id=job.id)
            assert (row.state, row.code, row.attempts) == ("parked", "preprocess_timeout", 2)
            assert await analysis.asked(job.id) == 2

    async def test_one_that_comes_after_all_is_taken(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("never")
        async with worker(emptied, identity, analysis_wait_seconds=0.1, analysis_asks=1):
            job = await accept()
            assert (await ended(engine, job)).status == "failed"
            await engine.deliver(job.id, b'{"result":{"overall_score":0.5,"word_analysis":[]}}')

            async def completed() -> bool:
                view = await engine.view(job.id)
                return view is not None and view.status == "completed"

            await until(completed)
            row = await AnalysisResult.get(job_id=job.id)
            assert (row.state, row.run, row.code) == ("completed", 2, "")

    async def test_a_lost_webhook_is_found_through_the_status_url(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control, standin: Standin
    ) -> None:
        await analysis.behave("lost")
        status = f"{standin.url}/analyses/{{job_id}}"
        async with worker(emptied, identity, analysis_wait_seconds=0.1, analysis_status_url=status):
            job = await accept()
            assert (await ended(engine, job)).status == "completed"
            assert await analysis.asked(job.id) == 1


class TestCutConnections:
    async def test_what_may_have_been_taken_is_not_asked_again(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("drop_after", delay_s=2.0, count=1)  # later than a second request would be
        async with worker(emptied, identity):
            job = await accept()
            assert (await ended(engine, job)).status == "completed"
            assert await analysis.asked(job.id) == 1

    async def test_a_server_declared_idempotent_is_asked_again(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("drop", count=1)
        async with worker(emptied, identity, analysis_idempotent=True):
            job = await accept()
            assert (await ended(engine, job)).status == "completed"

    async def test_a_refusal_to_be_asked_again_says_nothing_of_the_earlier_request(
        self, emptied: Deps, accept: Accept, analysis: Control
    ) -> None:
        job = await bring(emptied, await accept(), State.SUBMITTING)
        asked = await emptied.store.move(job, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)
        job = await emptied.store.move(asked, Move.RELEASE)
        await analysis.behave("http_503")
        settings = emptied.settings.model_copy(update={"analysis_idempotent": True, "analysis_status_url": None})
        await actors.run_stages(replace(emptied, settings=settings), job.id, job.version)
        held = await read(emptied, job)
        assert (held.holds, held.asks, held.asked_ms) == (1, 1, asked.asked_ms)


class TestThingsThatAreGone:
    async def test_a_sentence_deleted_meanwhile_ends_its_jobs(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        script = await make_script()
        job = await accept(token_id=script.token_id, script_id=script.id)
        await Token.filter(id=script.token_id).delete()
        async with worker(emptied, identity):
            view = await ended(engine, job)
        assert view.status == "failed"
        assert await AnalysisResult.filter(job_id=job.id).count() == 0

    async def test_lost_audio_asks_to_record_again(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        job = await accept()
        await emptied.store.unstage(job.id)
        async with worker(emptied, identity):
            view = await ended(engine, job)
        assert view.status == "failed"
        assert "다시 녹음" in (view.message or "")
        assert await analysis.asked(job.id) == 0


class TestDeploys:
    async def test_a_worker_that_goes_hands_its_job_back_and_burns_nothing(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("normal", reply_delay_s=30, count=1)
        async with worker(emptied, identity, drain_seconds=0.05) as deps:
            job = await accept()
            await until(lambda: analysis.asked(job.id))
        left = await deps.store.read(job.id)
        assert left is not None
        assert (left.claim, left.tries, left.lapses) == ("", 0, 0)
        assert (await moves(deps, job))[-1] in {"release", "deliver"}
        async with worker(emptied, identity, analysis_idempotent=True):
            assert (await ended(engine, job)).status == "completed"

    async def test_a_worker_that_goes_in_the_middle_of_a_request_leaves_word_of_it(
        self, emptied: Deps, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        """Who comes after it does not ask again a server that may know the job."""
        await analysis.plan({"mode": "hold", "reply_delay_s": 30, "count": 1}, {"mode": "hold"})
        async with worker(emptied, identity, drain_seconds=0.05):
            job = await accept()
            await until(lambda: analysis.asked(job.id))
        async with worker(emptied, identity) as deps:
            await until(lambda: _waits(deps, job))
            assert await analysis.asked(job.id) == 1

    async def test_many_jobs_survive_many_restarts(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        jobs: list[Job] = []
        for _ in range(6):
            async with worker(emptied, identity, drain_seconds=0.01, analysis_idempotent=True):
                jobs += await asyncio.gather(*(accept(address=f"192.0.2.{n}") for n in range(6)))
        async with worker(emptied, identity, analysis_idempotent=True) as deps:
            views = await asyncio.gather(*(ended(engine, job) for job in jobs))
            assert {view.status for view in views} == {"completed"}
            for job in jobs:
                assert Move.RETRY not in await moves(deps, job)
                assert await analysis.asked(job.id) >= 1


class TestLeases:
    async def test_a_frozen_worker_is_overtaken_and_fenced(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        job = await accept()
        frozen = await emptied.store.claim(job.id, 1)
        assert frozen is not None
        await emptied.valkey.zadd("yousync:due", {job.id: 1})
        async with worker(emptied, identity) as deps:
            assert (await ended(engine, job)).status == "completed"
            with pytest.raises(Fenced):
                await deps.store.renew(frozen)

    async def test_a_long_stage_keeps_its_lease(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        await analysis.behave("normal", reply_delay_s=2.0, delay_s=3.0, count=1)
        async with worker(emptied, identity, lease_seconds=0.6) as deps:
            job = await accept()
            assert (await ended(engine, job)).status == "completed"
            assert await analysis.asked(job.id) == 1
            assert (await moves(deps, job)).count(Move.CLAIM) == 3, "one for each stage"

    async def test_a_job_that_kills_its_workers_is_parked(
        self, emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
    ) -> None:
        job = await accept()
        await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "claim", "dead", "lapses", actors.MAX_LAPSES)
        async with worker(emptied, identity):
            assert (await ended(engine, job)).status == "failed"
        row = await AnalysisResult.get(job_id=job.id)
        assert (row.state, row.code) == ("parked", "worker_lost")

    async def test_but_what_was_deleted_is_cleaned_all_the_same(self, emptied: Deps, accept: Accept) -> None:
        job = await bring(emptied, await accept(), State.CLEANING)
        await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "claim", "dead", "lapses", actors.MAX_LAPSES)
        await actors.run_stages(emptied, job.id, job.version)
        assert await emptied.store.read(job.id) is None


def test_waits_between_tries_are_bounded_and_spread() -> None:
    for tries in range(1, 12):
        waits = {actors_backoff(tries) for _ in range(50)}
        assert all(0 < wait <= 256 for wait in waits)
        assert len(waits) > 40


actors_backoff = actors.backoff
