"""Backup and restore as the page says: what was promised before the backup is kept after it, and done once."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from jobs.deps import open_deps
from jobs.identity import identify
from jobs.ops import By, Ops
from jobs.pipeline import Move
from models import db
from models.analysis_result import AnalysisResult
from tests.conftest import settings_for
from tests.docs.page import steps
from tests.docs.shell import Shell
from tests.factories import make_script
from tests.faults.ground import Ground, different, nothing_left, runs, unfinished
from tests.processes import running
from tests.standing_in import control
from tests.waiting import until
from yousync.job import Stage, State
from yousync.local.port import free_port
from yousync.local.postgres import Postgres
from yousync.local.s3 import ObjectStore
from yousync.local.stack import Stack, throwaway_folder
from yousync.local.valkey import Valkey

BY = By(who="tests", why="to be backed up like this")
AN_HOUR_AGO = "UPDATE analysis_results SET created_at = created_at - interval '1 hour' WHERE status = 'processing'"


@pytest_asyncio.fixture(scope="module")
async def ground() -> AsyncIterator[Ground]:
    """A stack of our own, to be destroyed; whoever waits for a result asks for it every few seconds."""
    stack = Stack(throwaway_folder(), public_port=free_port(), analysis="standin", durable=False)
    try:
        await stack.start(later=("issuer",))
        changes = {"lease_seconds": 1.0, "analysis_wait_seconds": 4.0, "analysis_asks": 100, "drain_seconds": 0.2}
        settings = settings_for(stack, **changes)
        await db.upgrade(settings)
        async with open_deps(settings, application="tests") as deps, control(stack.parts["standin"].url) as analysis:
            script = await make_script()
            yield Ground(stack=stack, settings=settings, deps=deps, script=script, analysis=analysis)
    finally:
        await stack.destroy()


@dataclass
class Promises:
    """What learners were promised before the backup was complete, and what those with a result were told."""

    ground: Ground
    audio: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    async def upload(self) -> str:
        """A recording is accepted."""
        recording = different(len(self.audio))
        job_id = await self.ground.upload(recording)
        self.audio[job_id] = recording
        return job_id

    async def waiting(self) -> str:
        """A recording is accepted, and the analysis server has been asked."""
        job_id = await self.upload()
        await until(lambda: self.at_rest(job_id))
        return job_id

    async def at_rest(self, *job_ids: str) -> bool:
        """Whether these wait for the analysis server, or for nothing any more."""
        found = await self.ground.deps.store.read_many(job_ids)
        return all(job.state is State.WAITING or job.state.final for job in found.values())


@dataclass(frozen=True, kw_only=True)
class Backup:
    """The promises that it keeps, and what became of some of them while it was made."""

    shell: Shell
    promises: Promises
    ended: str  # after Valkey was copied, before Postgres was
    accepted: str  # likewise; S3 has its audio
    unlucky: str  # likewise; its audio is in no copy
    late: str  # a job that ended after all was copied


@pytest_asyncio.fixture(scope="module")
async def backup(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Made while jobs are at every stage, and some go on between one store and the next."""
    folder = tmp_path_factory.mktemp("operator")
    shell = Shell.open(folder, ground.settings, BACKUP=str(folder / "backup"))
    copy_valkey, copy_postgres, copy_s3 = steps("Back up")
    promises = Promises(ground)
    async with running(ground.web()):
        for _ in range(2):
            job_id = await promises.upload()
            promises.told[job_id] = await ground.ended(job_id)
        await ground.analysis.behave("hold")
        ended, late, _ = [await promises.waiting() for _ in range(3)]
        await shut(ground)
        await promises.upload()  # its audio is in Valkey alone
        await shell.do(copy_valkey)
        await opened(ground)
        promises.told[ended] = await analysed(ground, ended)
        accepted = await promises.waiting()
        await shut(ground)
        unlucky = await promises.upload()
        await db.connection().execute_query(AN_HOUR_AGO)
        await shell.do(copy_postgres)
        await shell.do(copy_s3)
        await opened(ground)
        await analysed(ground, late)
        await until(lambda: promises.at_rest(*promises.audio))  # not stopped in the middle of a request
    return Backup(shell=shell, promises=promises, ended=ended, accepted=accepted, unlucky=unlucky, late=late)


async def shut(ground: Ground) -> None:
    """No audio goes from Valkey to S3."""
    ops = Ops(ground.deps, await identify(ground.deps.valkey, ground.settings))
    await ops.pause([Stage.UPLOAD], by=BY)


async def opened(ground: Ground) -> None:
    """It goes on."""
    ops = Ops(ground.deps, await identify(ground.deps.valkey, ground.settings))
    await ops.resume([Stage.UPLOAD], by=BY)


async def analysed(ground: Ground, job_id: str) -> dict[str, Any]:
    """The analysis server is done with this one: what the learner is told."""
    url = f"{ground.stack.parts['standin'].url}/release"
    async with aiohttp.ClientSession() as client, client.post(url, json={"job_ids": [job_id]}) as reply:
        assert reply.status == 200
    return await ground.ended(job_id)


@pytest.mark.timeout(120)
async def test_postgres_alone_is_restored(ground: Ground, backup: Backup) -> None:
    """Nothing of the backup is lost, not even what ended after it: Valkey has lived on."""
    _, restore_postgres, _ = steps("Restore")
    (recover,) = steps("Restore Postgres alone")
    await lose(ground, "postgres")
    await backup.shell.do(restore_postgres)
    async with running(ground.web()):
        await ground.ready()
        await ground.analysis.release()
        await until(lambda: only_unfinished(ground, backup.late))
        await backup.shell.do(recover)
        for job_id in backup.promises.audio:
            await until(lambda: written_down(job_id))  # noqa: B023  # awaited here
            await kept(ground, backup, job_id)
            assert await ground.analysis.asked(job_id) == 1


async def only_unfinished(ground: Ground, job_id: str) -> bool:
    """Whether Postgres believes this job alone to be under way, and nothing is."""
    rows = await AnalysisResult.filter(status="processing")
    return [row.job_id for row in rows] == [job_id] and not await unfinished(ground)


async def written_down(job_id: str) -> bool:
    return (await AnalysisResult.get(job_id=job_id)).result is not None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("valkey", ["restored", "empty"])
async def test_what_was_promised_before_the_backup_is_kept(ground: Ground, backup: Backup, valkey: str) -> None:
    restore_s3, restore_postgres, restore_valkey = steps("Restore")
    await lose(ground, "postgres", "valkey", "s3")
    await backup.shell.do(restore_s3)
    await backup.shell.do(restore_postgres)
    if valkey == "restored":
        await backup.shell.do(restore_valkey)
    await ground.stack.parts["valkey"].start()
    async with running(ground.web()):
        await ground.ready()
        await opened(ground)
        await ground.analysis.release()
        for job_id in backup.promises.audio:
            await ground.ended(job_id)
        assert (await ground.answer(backup.unlucky))["status"] == "failed"
        assert (await AnalysisResult.get(job_id=backup.unlucky)).code == "audio_lost"
        for job_id in backup.promises.audio.keys() - {backup.unlucky}:
            await kept(ground, backup, job_id)
        for job_id in backup.promises.told:
            assert await ground.analysis.asked(job_id) == 1, "done before the backup, and done again"
        assert Move.ADOPT in await moves(ground, backup.accepted)
        assert (Move.HEAL in await moves(ground, backup.ended)) is (valkey == "restored")
        await until(lambda: nothing_left(ground))
    assert not await unfinished(ground)
    assert await AnalysisResult.all().count() == len(backup.promises.audio)


async def kept(ground: Ground, backup: Backup, job_id: str) -> None:
    """The job has completed, its analysis was done once, and its audio is there."""
    answer = await ground.answer(job_id)
    assert answer["status"] == "completed"
    assert answer["result"]
    assert answer == backup.promises.told.get(job_id, answer)
    assert await runs(ground, job_id) == 1
    row = await AnalysisResult.get(job_id=job_id)
    assert row.state == State.COMPLETED
    client, bucket = ground.deps.storage._client, ground.deps.storage.bucket
    stored = await client.get_object(Bucket=bucket, Key=row.s3_key)
    async with stored["Body"] as body:
        assert await body.read() == backup.promises.audio[job_id]


async def moves(ground: Ground, job_id: str) -> set[str]:
    """What its record went through."""
    return {event.move for event in await ground.deps.store.events(job_id)}


async def lose(ground: Ground, *names: str) -> None:
    """These stores lose their data. Postgres and S3 are there again, and empty; Valkey is not started."""
    for name in names:
        part = ground.stack.parts[name]
        await part.stop()
        match part:
            case Postgres():
                shutil.rmtree(part.home / "data")
            case Valkey() | ObjectStore():
                shutil.rmtree(part.folder)
                await part.prepare()
        if name != "valkey":
            await part.start()
