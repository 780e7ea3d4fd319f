"""Rows without a record: resumed where their audio is in S3, ended with a plea to record again where it is not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from typing_extensions import override

from jobs import keys
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity, WrongValkey, identify, recognised
from jobs.reconciler import presence, present, reconcile, reconcile_forever
from jobs.store import Store
from jobs.worker import working
from models.analysis_result import AnalysisResult
from models.db import connection
from tests.jobs.conftest import Accept
from tests.standing_in import Control
from tests.waiting import until
from yousync.failures import Down
from yousync.job import Job, State
from yousync.local.port import free_port
from yousync.storage import open_storage
from yousync.tasks import cancel
from yousync.valkey import connect


@pytest_asyncio.fixture
async def here(deps: Deps, identity: Identity) -> AsyncIterator[asyncpg.Connection]:
    await AnalysisResult.all().delete()
    async with presence(deps, identity) as connection:
        yield connection


async def lose(deps: Deps, job: Job) -> None:
    """What a wiped Valkey does to a job."""
    await deps.valkey.delete(f"yousync:job:{job.id}", f"yousync:events:{job.id}", f"yousync:audio:{job.id}")


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
            await self.adopt(job)
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
    async with presence(emptied, elsewhere) as other:
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


class TestPresence:
    """Postgres may have been started anew while nobody had anything to say to it."""

    async def test_whoever_reconciles_is_present_again_before_it_adopts_anything(
        self, emptied: Deps, identity: Identity, accept: Accept
    ) -> None:
        """Also when the next round is a minute away; and others get the time to be so as well."""
        reconciling = asyncio.create_task(reconcile_forever(emptied, identity))
        first = await until(_present)
        job = await accept()
        await AnalysisResult.filter(job_id=job.id).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
        await lose(emptied, job)
        await _cut_off(first)
        await until(lambda: _others(first))
        assert (await AnalysisResult.get(job_id=job.id)).status == "processing"
        await until(lambda: _failed(job))
        await cancel(reconciling)

    async def test_a_process_that_does_not_is_present_all_the_same(self, emptied: Deps, identity: Identity) -> None:
        async with present(emptied, identity):
            first = await until(_present)
            await _cut_off(first)
            await until(lambda: _others(first))

        async def nobody() -> bool:
            return not await _present()

        await until(nobody)


class TestForgetful:
    """Valkey is emptied under those who live on it."""

    async def test_it_gets_its_names_back(self, emptied: Deps, identity: Identity) -> None:
        await emptied.valkey.flushall()
        async with present(emptied, identity):
            await until(lambda: emptied.valkey.exists(keys.INCARNATION))
        assert await identify(emptied.valkey, emptied.settings) == identity

    async def test_where_somebody_new_was_faster_its_name_holds_for_all(
        self, emptied: Deps, identity: Identity, accept: Accept
    ) -> None:
        """Else the new one would wait for ever for the old one to leave its lost jobs."""
        job, veteran = await accept(), replace(identity)
        await emptied.valkey.flushall()
        fresh = await identify(emptied.valkey, emptied.settings)
        assert fresh != veteran
        async with present(often(emptied), veteran), presence(emptied, fresh) as here:
            await until(lambda: veteran == fresh)

            async def adopted() -> bool:
                return await reconcile(emptied, fresh, here, grace_seconds=-1) == 1

            await until(adopted)
        assert (await AnalysisResult.get(job_id=job.id)).code == "audio_lost"

    async def test_nobody_goes_on_with_one_that_is_another_deployment_s_now(
        self, emptied: Deps, identity: Identity
    ) -> None:
        await emptied.valkey.set(keys.DEPLOYMENT, "another")
        with pytest.raises(WrongValkey):
            await recognised(emptied.valkey, identity)
        told_to_go = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_go.set)
        try:
            async with present(emptied, identity):
                await asyncio.wait_for(told_to_go.wait(), 10)
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

    async def test_one_that_is_only_away_is_waited_for(self, emptied: Deps, identity: Identity) -> None:
        """Its jobs are nobody else's meanwhile."""
        away = emptied.settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}")})
        async with connect(away.redis_url.get_secret_value()) as nobody:
            deps = often(replace(emptied, valkey=nobody))
            async with present(deps, identity):
                first = await until(_present)
                await asyncio.sleep(0.3)
                assert await _present() == first


def often(deps: Deps) -> Deps:
    return replace(deps, settings=deps.settings.model_copy(update={"reconcile_seconds": 0.05}))


async def _present() -> set[int]:
    """The server processes behind all connections that say somebody uses a Valkey."""
    query = """
        SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE datname = current_database() AND locktype = 'advisory' AND classid = $1 AND granted"""
    return {row["pid"] for row in await connection().execute_query_dict(query, [0x594F5359])}


async def _others(first: set[int]) -> bool:
    return bool(await _present() - first)


async def _failed(job: Job) -> bool:
    return (await AnalysisResult.get(job_id=job.id)).status == "failed"


async def _cut_off(processes: set[int]) -> None:
    query = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid"
    await connection().execute_query(query, [list(processes)])


class TestIdentity:
    async def test_a_valkey_keeps_its_name_while_it_keeps_its_data(self, emptied: Deps) -> None:
        first = await identify(emptied.valkey, emptied.settings)
        assert await identify(emptied.valkey, emptied.settings) == first
        await emptied.valkey.flushall()
        assert await identify(emptied.valkey, emptied.settings) != first

    async def test_the_valkey_of_another_deployment_is_refused(self, emptied: Deps) -> None:
        await emptied.valkey.set("yousync:deployment", "another")
        with pytest.raises(WrongValkey, match="another deployment"):
            await identify(emptied.valkey, emptied.settings)

    @pytest.mark.parametrize(
        ("name", "bad", "good"),
        [
            ("maxmemory-policy", "volatile-lru", "noeviction"),
            ("appendonly", "no", "yes"),
            ("maxmemory", "100mb", "1gb"),
        ],
    )
    async def test_a_valkey_that_would_lose_uploads_is_refused_unless_that_is_acknowledged(
        self, emptied: Deps, name: str, bad: str, good: str
    ) -> None:
        await emptied.valkey.config_set(name, bad)
        try:
            with pytest.raises(WrongValkey):
                await identify(emptied.valkey, emptied.settings)
            known = emptied.settings.model_copy(update={"valkey_durability": "acknowledged"})
            assert (await identify(emptied.valkey, known)).incarnation
        finally:
            await emptied.valkey.config_set(name, good)
