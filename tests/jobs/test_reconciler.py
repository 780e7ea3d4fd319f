"""Rows without a record: resumed where their audio is in S3, ended with a plea to record again where it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio
from typing_extensions import override

from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.reconciler import reconcile
from jobs.store import Store
from jobs.tenancy import tenancy
from jobs.worker import working
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import lose
from tests.jobs.conftest import Accept
from tests.standing_in import Control
from tests.waiting import until
from yousync.failures import Down
from yousync.job import State
from yousync.local.port import free_port
from yousync.storage import open_storage


@pytest_asyncio.fixture
async def here(deps: Deps, identity: Identity) -> AsyncIterator[asyncpg.Connection]:
    await AnalysisResult.all().delete()
    async with tenancy(deps, identity) as connection:
        yield connection


async def test_a_job_whose_audio_is_stored_goes_on(
    emptied: Deps,
    engine: Engine,
    identity: Identity,
    accept: Accept,
    here: asyncpg.Connection,
    analysis: Control,
) -> None:
    job = await accept()
    await emptied.storage.put(job.s3_key, b"audio", container="wav")
    await lose(emptied, job)
    assert await reconcile(emptied, identity, here, grace_seconds=-1) == 1
    record = await emptied.store.read(job.id)
    assert record is not None
    assert (record.state, record.run) == (State.UPLOADED, 2)
    assert record.began_ms == record.updated_ms > record.created_ms
    assert (record.run, record.version) > (job.run, job.version), "streams see it as news"
    async with working(emptied, identity):

        async def completed() -> bool:
            view = await engine.view(job.id)
            return view is not None and view.status == "completed"

        await until(completed)


async def test_a_job_whose_audio_is_lost_ends_with_a_plea(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, here: asyncpg.Connection
) -> None:
    job = await accept()
    await lose(emptied, job)
    await reconcile(emptied, identity, here, grace_seconds=-1)
    view = await engine.view(job.id)
    assert view is not None
    assert view.status == "failed"
    assert "다시 녹음" in (view.message or "")
    row = await AnalysisResult.get(job_id=job.id)
    assert (row.state, row.code) == ("failed", "audio_lost")


async def test_a_result_that_was_kept_is_used(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, here: asyncpg.Connection, analysis: Control
) -> None:
    job = await accept()
    await emptied.storage.put(job.s3_key, b"audio", container="wav")
    await lose(emptied, job)
    assert await engine.deliver(job.id, b'{"result":{"overall_score":0.25,"word_analysis":[]}}') == "kept"
    await reconcile(emptied, identity, here, grace_seconds=-1)
    async with working(emptied, identity):

        async def completed() -> bool:
            view = await engine.view(job.id)
            return view is not None and view.status == "completed"

        await until(completed)
        assert await analysis.asked(job.id) == 0
    assert (await AnalysisResult.get(job_id=job.id)).overall_score == 0.25


async def test_a_result_that_is_kept_just_when_the_record_is_made_is_used_too(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept
) -> None:
    job = await accept()
    await lose(emptied, job)

    class Late(Store):
        @override
        async def keep_for_lost(self, job_id: str, body: bytes) -> None:
            await self.adopt(replace(job, state=State.UPLOADED))
            await super().keep_for_lost(job_id, body)

    late = replace(emptied, store=Late(emptied.valkey, emptied.valkey, emptied.settings))
    assert await Engine(late, identity).deliver(job.id, b'{"result":{}}') == "delivered"
    record = await emptied.store.read(job.id)
    assert record is not None
    assert (record.state, record.inbox) == (State.RECEIVED, True)


async def test_running_and_young_jobs_are_left_alone(
    emptied: Deps, identity: Identity, accept: Accept, here: asyncpg.Connection
) -> None:
    running, young = await accept(), await accept()
    await lose(emptied, young)
    assert await reconcile(emptied, identity, here, grace_seconds=60) == 0
    await AnalysisResult.filter(job_id=young.id).delete()
    assert await reconcile(emptied, identity, here, grace_seconds=-1) == 0
    assert await emptied.store.read(running.id) is not None


async def test_an_s3_that_does_not_answer_means_unknown(
    emptied: Deps, identity: Identity, accept: Accept, here: asyncpg.Connection
) -> None:
    job = await accept()
    await lose(emptied, job)
    away = emptied.settings.model_copy(update={"aws_endpoint_url_s3": f"http://127.0.0.1:{free_port()}"})
    async with open_storage(away) as storage:
        with pytest.raises(Down):
            await storage.size("x")
        await reconcile(replace(emptied, storage=storage), identity, here, grace_seconds=-1)
    assert (await AnalysisResult.get(job_id=job.id)).status == "processing"


async def test_rows_of_another_valkey_are_its_own_while_somebody_lives_there(
    emptied: Deps, identity: Identity, accept: Accept, here: asyncpg.Connection
) -> None:
    job = await accept()
    await lose(emptied, job)
    elsewhere = replace(identity, incarnation="ab" * 16)
    async with tenancy(emptied, elsewhere) as other:
        assert await reconcile(emptied, elsewhere, other, grace_seconds=-1) == 0
        assert (await AnalysisResult.get(job_id=job.id)).status == "processing"


async def test_and_are_adopted_when_nobody_does(
    emptied: Deps, identity: Identity, accept: Accept, here: asyncpg.Connection
) -> None:
    job = await accept()
    await AnalysisResult.filter(job_id=job.id).update(incarnation="cd" * 16)
    await lose(emptied, job)
    assert await reconcile(emptied, identity, here, grace_seconds=-1) == 1
    assert (await AnalysisResult.get(job_id=job.id)).state == "failed"
