"""Who lives on which Valkey, told by a lock in Postgres; and what a Valkey is called that was emptied meanwhile."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from pydantic import SecretStr

from jobs import keys
from jobs.deps import Deps
from jobs.identity import Identity, WrongValkey, identify, recognised
from jobs.reconciler import reconcile
from jobs.tenancy import live, resident, tenancy
from models.analysis_result import AnalysisResult
from models.db import connection
from tests.jobs.bringing import lose
from tests.jobs.conftest import Accept
from tests.waiting import until
from yousync.job import Job
from yousync.local.port import free_port
from yousync.tasks import cancel
from yousync.valkey import connect


class TestTenancy:
    """Postgres may have been started anew while nobody had anything to say to it."""

    async def test_whoever_reconciles_is_present_again_before_it_adopts_anything(
        self, emptied: Deps, identity: Identity, accept: Accept
    ) -> None:
        """Also when the next round is a minute away; and others get the time to be so as well."""
        looked = asyncio.Event()

        async def look(connection: asyncpg.Connection) -> None:
            await reconcile(emptied, identity, connection, grace_seconds=60)
            looked.set()

        reconciling = asyncio.create_task(live(emptied, identity, look))
        await looked.wait()
        first = await _present()
        job = await accept()
        await AnalysisResult.filter(job_id=job.id).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
        await lose(emptied, job)
        await _cut_off(first)
        await until(lambda: _others(first))
        assert (await AnalysisResult.get(job_id=job.id)).status == "processing"
        await until(lambda: _failed(job))
        await cancel(reconciling)

    async def test_a_process_that_does_not_is_present_all_the_same(self, emptied: Deps, identity: Identity) -> None:
        async with resident(emptied, identity):
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
        async with resident(emptied, identity):
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
        async with resident(often(emptied), veteran), tenancy(emptied, fresh) as here:
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
            async with resident(emptied, identity):
                await asyncio.wait_for(told_to_go.wait(), 10)
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

    async def test_one_that_is_only_away_is_waited_for(self, emptied: Deps, identity: Identity) -> None:
        """Its jobs are nobody else's meanwhile."""
        away = emptied.settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}")})
        async with connect(away.redis_url.get_secret_value()) as nobody:
            deps = often(replace(emptied, valkey=nobody))
            async with resident(deps, identity):
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
