"""Staged audio in a Valkey of its own: an upload goes through it, and nothing is accepted that it would lose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr

from jobs.deps import Deps, open_deps
from jobs.identity import WrongValkey, identify
from jobs.keys import audio
from jobs.ops import By, Ops
from jobs.pipeline import Move
from jobs.room import Room
from jobs.store import STAGING_MS, Store
from tests.factories import make_script
from tests.jobs.conftest import a_job
from tests.processes import WebProcess, running
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import follow
from yousync.errors import StagingFull
from yousync.job import Job, Stage
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.local.valkey import Valkey
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, connect

AUDIO = b"x" * 800

BY = By(who="tests", why="to look at the audio while it lies there")


@pytest_asyncio.fixture
async def deps(settings: Settings, another_valkey: Valkey) -> AsyncIterator[Deps]:
    apart = settings.model_copy(update={"staging_redis_url": SecretStr(another_valkey.url)})
    async with open_deps(apart, application="tests") as opened:
        await opened.valkey.flushall()
        yield opened


async def test_from_upload_to_scores(deps: Deps, another_valkey: Valkey, standin: Standin, tmp_path: Path) -> None:
    assert deps.staging is not None
    script, web = await make_script(), WebProcess(deps.settings, logs=tmp_path, with_worker=True)
    ops = Ops(deps, await identify(deps.valkey, deps.settings, staging=deps.staging))
    await ops.pause([Stage.UPLOAD], by=BY)
    async with running(web), aiohttp.ClientSession(web.url) as client:
        async with client.post(f"/scripts/{script.id}/upload-audio", data=form(recording())) as reply:
            assert reply.status == 202
            job_id = (await reply.json())["job_id"]
        assert await deps.staging.exists(audio(job_id))
        assert not await deps.valkey.exists(audio(job_id))
        await ops.resume([Stage.UPLOAD], by=BY)
        assert (await follow(client, job_id)).statuses[-1] == "completed"
        assert not await deps.staging.exists(audio(job_id))

        await deps.staging.config_set("appendonly", "no")
        assert await ready(client) == 503
        await deps.staging.config_set("appendonly", "yes")
        assert await ready(client) == 200
        await another_valkey.kill()
        assert await ready(client) == 503
        await another_valkey.start()
        await until(lambda: ready_again(client))


async def test_what_is_staged_lasts_from_the_last_claim(deps: Deps, tmp_path: Path) -> None:
    assert deps.staging is not None
    script, web = await make_script(), WebProcess(deps.settings, logs=tmp_path)
    async with running(web), aiohttp.ClientSession(web.url) as client:
        async with client.post(f"/scripts/{script.id}/upload-audio", data=form(recording())) as reply:
            job_id = (await reply.json())["job_id"]
        await deps.staging.pexpire(audio(job_id), 60_000)
        assert await deps.store.claim(job_id, 1)
        assert await deps.staging.pttl(audio(job_id)) > 86_400_000


async def test_what_nobody_accepted_goes_by_itself(deps: Deps) -> None:
    """Else uploads that are refused while the other Valkey is away would fill this one for days."""
    assert deps.staging is not None
    jobs = [a_job() for _ in range(2)]
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as away:
        store = Store(away, deps.staging, deps.settings)
        store._room = Room(deps.valkey)  # it was there when it was last asked for room
        with pytest.raises(VALKEY_DOWN):
            await store.accept(jobs[0], AUDIO, owner_limit=20)
        with pytest.raises(VALKEY_DOWN):
            await store.accept_all([(jobs[1], AUDIO)], owner_limit=20)
    for job in jobs:
        assert 0 < await deps.staging.pttl(audio(job.id)) <= STAGING_MS


async def test_a_job_is_promised_to_nobody_whose_audio_went_before_it_was_kept(deps: Deps) -> None:
    """A process died between the two, and the client sends the same again."""
    assert deps.staging is not None

    async def accept() -> Job:
        return await deps.store.accept(a_job(dedupe="same"), AUDIO, owner_limit=20)

    job = await accept()
    await deps.staging.pexpire(audio(job.id), STAGING_MS)
    assert (await accept()).id == job.id
    assert await deps.staging.pttl(audio(job.id)) > 86_400_000
    await deps.staging.delete(audio(job.id))
    with pytest.raises(StagingFull):
        await accept()
    held = await deps.store.claim(job.id, 1)
    assert held is not None
    await deps.store.move(held, Move.FINISH, unstage=True)
    assert (await accept()).id == job.id, "S3 has it"
    (left,) = await deps.store.accept_all([(a_job(dedupe="same"), AUDIO)], owner_limit=20)
    assert left.id == job.id
    assert not await deps.staging.keys("*")


async def ready(client: aiohttp.ClientSession) -> int:
    async with client.get("/readyz") as reply:
        return reply.status


async def ready_again(client: aiohttp.ClientSession) -> bool:
    return await ready(client) == 200


@pytest.mark.parametrize(
    ("name", "bad"), [("maxmemory-policy", "volatile-lru"), ("appendonly", "no"), ("maxmemory", "100mb")]
)
async def test_one_that_would_lose_uploads_is_refused_unless_that_is_acknowledged(
    deps: Deps, name: str, bad: str
) -> None:
    assert deps.staging is not None
    await deps.staging.config_set(name, bad)
    with pytest.raises(WrongValkey, match=r"^STAGING_REDIS_URL: "):
        await identify(deps.valkey, deps.settings, staging=deps.staging)
    known = deps.settings.model_copy(update={"valkey_durability": "acknowledged"})
    assert (await identify(deps.valkey, known, staging=deps.staging)).incarnation


async def test_where_the_audio_is_elsewhere_the_first_needs_no_room_for_it(deps: Deps) -> None:
    await deps.valkey.config_set("maxmemory", "100mb")
    try:
        assert (await identify(deps.valkey, deps.settings, staging=deps.staging)).incarnation
    finally:
        await deps.valkey.config_set("maxmemory", "1gb")
