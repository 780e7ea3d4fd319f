"""The worker and the wire of changes through whatever Valkey does to them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr
from redis.exceptions import ReadOnlyError

from jobs import keys
from jobs.changes import Hint, open_changes
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.keys import WAKE
from jobs.pipeline import Move
from jobs.worker import working
from models.analysis_result import Conclusion, record_conclusion
from tests.failing_over import failing_over
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import ended
from tests.processes import WorkerProcess, died
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from yousync import ear
from yousync.job import State
from yousync.local.port import free_port
from yousync.local.valkey import Valkey
from yousync.settings import Settings
from yousync.tasks import cancel
from yousync.valkey import connect


async def test_a_worker_outlives_a_valkey_that_takes_no_writes(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    async with working(emptied, identity):
        await emptied.valkey.config_set("min-replicas-to-write", "1")
        try:
            await command(emptied.valkey, "CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda: _deaf(emptied), seconds=10)
        finally:
            await emptied.valkey.config_set("min-replicas-to-write", "0")
        job = await accept()
        assert (await ended(engine, job)).status == "completed"


async def _pushed_on(deps: Deps, job_id: str, beyond_ms: float) -> bool:
    """Whether the lease has been renewed until after this moment."""
    return (await deps.valkey.zscore("yousync:due", job_id) or 0.0) > beyond_ms


async def _deaf(deps: Deps) -> bool:
    return dict(await deps.valkey.pubsub_numsub(WAKE)) == {WAKE.encode(): 0}


async def test_leaving_waits_for_stages_that_last_longer_than_a_lease(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    """Arq must not lose sight of a run: what it does not know of, it cannot drain."""
    await analysis.behave("normal", reply_delay_s=3.0, count=1)
    settings = emptied.settings.model_copy(update={"lease_seconds": 0.6, "drain_seconds": 6.0})
    deps = Deps(
        settings=settings,
        valkey=emptied.valkey,
        store=type(emptied.store)(emptied.valkey, emptied.valkey, settings),
        storage=emptied.storage,
        analysis=emptied.analysis,
        preprocessing=emptied.preprocessing,
    )
    async with working(deps, identity):
        job = await accept()
        await until(lambda: analysis.asked(job.id))
        begun = await emptied.valkey.zscore("yousync:due", job.id) or 0.0
        await until(lambda: _pushed_on(emptied, job.id, begun + 2000))
    moves = [event.move for event in await deps.store.events(job.id)]
    assert "release" not in moves
    assert moves[-1] in {"wait", "deliver"}
    assert await analysis.asked(job.id) == 1


async def test_what_has_ended_in_postgres_is_not_done_again_by_an_older_memory(
    emptied: Deps, identity: Identity, accept: Accept, analysis: Control
) -> None:
    """As after Valkey was restored from a copy: records are held against their rows before any job is taken."""
    job = await accept()
    await record_conclusion(job, Conclusion(state=State.COMPLETED, result={}), version=9, history=[])
    async with working(emptied, identity):
        await until(lambda: _over(emptied, job.id))
    assert [event.move for event in await emptied.store.events(job.id)] == [Move.ACCEPT, Move.HEAL]
    assert await analysis.asked(job.id) == 0


async def _over(deps: Deps, job_id: str) -> bool:
    job = await deps.store.read(job_id)
    return job is not None and job.state.final


async def test_a_worker_that_waits_for_its_valkey_still_ends_when_told_to(settings: Settings, tmp_path: Path) -> None:
    away = WorkerProcess(settings, logs=tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    await away.process.spawn(away.command())
    try:
        await until(lambda: away.process.log.exists() and b"not_ready" in away.process.log.read_bytes())
        assert away.process.pid is not None
        os.kill(away.process.pid, signal.SIGTERM)
        assert await died(away, seconds=10) == 0
    finally:
        await away.kill()


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.hints: list[str] = []
        self.begun = 0

    def hint(self, hint: Hint) -> None:
        self.hints.append(hint.job_id)

    def began(self) -> None:
        self.begun += 1


class TestChanges:
    @pytest_asyncio.fixture(params=[keys.CHANGED, keys.MOVED])
    async def heard(self, emptied: Deps, request: pytest.FixtureRequest) -> AsyncIterator[Heard]:
        heard = Heard()
        async with open_changes(emptied.settings, request.param) as changes:
            listening = asyncio.create_task(changes.listen(heard.hint, heard.began))
            await until(lambda: heard.begun)
            yield heard
            await cancel(listening)

    async def test_a_hint_comes_with_every_change(self, emptied: Deps, heard: Heard, accept: Accept) -> None:
        job = await accept()
        await until(lambda: heard.hints == [job.id])
        await emptied.store.claim(job.id, 1)
        await until(lambda: heard.hints == [job.id] * 2)

    async def test_listening_begins_again_after_every_cut_and_says_so(self, emptied: Deps, heard: Heard) -> None:
        for _ in range(4):
            begun = heard.begun
            await command(emptied.valkey, "CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda: heard.begun > begun)  # noqa: B023  # awaited within the round
        await command(emptied.valkey, "PUBLISH", keys.CHANGED, "a")
        await command(emptied.valkey, "PUBLISH", keys.MOVED, "a")
        await until(lambda: heard.hints == ["a"])


async def test_who_listens_goes_where_commands_go(
    emptied: Deps, another_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A primary that has become a replica goes on answering, and says nothing any more."""
    monkeypatch.setattr(ear, "_PING_SECONDS", 0.1)
    heard = Heard()
    async with failing_over(another_valkey, emptied.settings.redis_url.get_secret_value()) as (name, fail_over):
        settings = emptied.settings.model_copy(update={"redis_url": SecretStr(name)})
        async with connect(name) as client, open_changes(settings, beside=client) as changes:
            await client.set("a", "b")
            listening = asyncio.create_task(changes.listen(heard.hint, heard.began))
            await until(lambda: heard.begun)
            await fail_over()

            async def told() -> bool:
                with suppress(ReadOnlyError):
                    await client.set("a", "b")
                    await command(client, "PUBLISH", keys.CHANGED, "a")
                return bool(heard.hints)

            await until(told, seconds=5)
            assert heard.begun == 2
            await cancel(listening)


async def test_what_shows_nothing_is_hinted_at_to_operators_only(emptied: Deps, accept: Accept) -> None:
    shown, all_of_it = Heard(), Heard()
    settings = emptied.settings
    async with open_changes(settings) as changes, open_changes(settings, keys.MOVED) as moves:
        listening = [
            asyncio.create_task(changes.listen(shown.hint, shown.began)),
            asyncio.create_task(moves.listen(all_of_it.hint, all_of_it.began)),
        ]
        await until(lambda: shown.begun and all_of_it.begun)
        job = await emptied.store.claim((await accept()).id, 1)
        assert job is not None
        job = await emptied.store.move(job, Move.FINISH, claim_next=True)
        await emptied.store.move(job, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)
        await until(lambda: len(all_of_it.hints) == 5)
        assert len(shown.hints) == 3, "accepted, uploading, submitting: uploaded looks as before, and so does asked"
        await cancel(*listening)
