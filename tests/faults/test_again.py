"""Killed twice, killed by the clock's own work, killed while leaving, killed while mending: still nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from jobs.identity import identify
from jobs.ops import By, Ops
from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import some
from tests.faults.ground import Ground, check, different, launch, moved, runs, unfinished
from tests.faults.proxy import proxied
from tests.processes import WebProcess, died, running, terminate
from tests.waiting import until
from yousync.job import Stage, State

AUDIO = different(1000)
MOMENTS = ("before", "after")


def doomed(ground: Ground, point: str) -> WebProcess:
    """Web and engine in one process that dies at `point`, which is name:number."""
    return ground.web(failpoints=f"kill:{point}")


async def die(ground: Ground, point: str) -> None:
    """A process starts, dies at `point`, and an unfinished job is there before and after."""
    assert await unfinished(ground)
    victim = doomed(ground, point)
    await launch(victim)
    try:
        assert await died(victim) == -9
    finally:
        await victim.kill()
    assert await unfinished(ground)


async def finish(ground: Ground, job_id: str) -> dict[str, Any]:
    """A process that lives ends the job: what it tells about it then."""
    survivor = ground.web()
    try:
        await survivor.start()
        told = await ground.ended(job_id)
        if await ground.deps.store.read(job_id):
            await check(ground, {job_id: AUDIO})
            assert await runs(ground, job_id) == 1
        return told
    finally:
        await survivor.stop()


async def left_behind(ground: Ground, point: str, **behaviour: Any) -> str:
    """The job that a worker leaves when it dies at `point`; the web process that answered 202 is killed with it."""
    await ground.clear()
    await ground.analysis.behave("normal", **({"delay_s": 0.5} | behaviour))
    web, victim = ground.web(with_worker=False), ground.worker(failpoints=f"kill:{point}")
    try:
        await asyncio.gather(web.start(), victim.start())
        job_id = await ground.upload(AUDIO)
        assert await died(victim) == -9
    finally:
        await asyncio.gather(web.kill(), victim.kill())
    return job_id


@pytest.mark.parametrize(
    ("first", "second"),
    some(
        "twice",
        [
            ("storage.put.after:1", "record.claim.after:1"),
            ("record.ask.after:1", "analysis.ask.before:1"),
            ("record.wait.after:1", "record.deliver.after:1"),
            ("row.conclude.after:1", "row.conclude.before:1"),
            ("record.claim.after:1", "record.sweep.before:1"),
            ("record.claim.after:1", "record.sweep.after:1"),
            ("record.claim.after:1", "record.prune.before:1"),
            ("record.claim.after:1", "record.prune.after:1"),
        ],
        2,
    ),
)
async def test_killed_twice(ground: Ground, first: str, second: str) -> None:
    job_id = await left_behind(ground, first)
    await die(ground, second)
    assert (await finish(ground, job_id))["status"] == "completed"


@pytest.mark.parametrize("moment", some("renewed", MOMENTS, 1))
async def test_killed_while_a_lease_is_renewed(ground: Ground, moment: str) -> None:
    job_id = await left_behind(ground, f"record.renew.{moment}:1", reply_delay_s=1.5, count=1)
    assert (await finish(ground, job_id))["status"] == "completed"


@pytest.mark.parametrize("moment", some("handed back", MOMENTS, 1))
async def test_killed_while_a_deploy_hands_a_job_back(ground: Ground, moment: str) -> None:
    await ground.clear()
    await ground.analysis.behave("normal", reply_delay_s=3, count=1)
    victim = doomed(ground, f"record.release.{moment}:1")
    try:
        await victim.start()
        job_id = await ground.upload(AUDIO)
        await until(lambda: ground.analysis.asked(job_id))
        terminate(victim)
        assert await died(victim) == -9
    finally:
        await victim.kill()
    assert await unfinished(ground)
    assert (await finish(ground, job_id))["status"] == "completed"


@pytest.mark.parametrize("moment", some("healed", MOMENTS, 1))
async def test_killed_while_a_record_is_healed(ground: Ground, moment: str) -> None:
    """Its row says how it ended, and the Valkey server is another one, as after a restore."""
    job_id = await left_behind(ground, "record.conclude.before:1")
    assert (await AnalysisResult.get(job_id=job_id)).state == State.COMPLETED
    await ground.deps.valkey.delete("yousync:server")
    victim = doomed(ground, f"record.heal.{moment}:1")
    await launch(victim)
    assert await died(victim) == -9
    assert (await finish(ground, job_id))["status"] == "completed"
    assert (await ground.deps.store.events(job_id))[-1].move == Move.HEAL


@pytest.mark.parametrize("moment", some("handed over", MOMENTS, 1))
async def test_killed_while_a_deploy_hands_over_what_stands_in_line(ground: Ground, moment: str) -> None:
    """Told to go between the end of a stage and hearing that the job has to stand in line for the next one."""
    await ground.clear()
    await ground.analysis.plan({"mode": "normal", "reply_delay_s": 30, "count": 1})
    (port,) = [part.port for name, part in ground.stack.parts.items() if name == "valkey"]  # type: ignore[attr-defined]
    async with proxied(port) as proxy, running(ground.web(with_worker=False)):
        url = SecretStr(proxy.instead(ground.settings.redis_url.get_secret_value()))
        roundabout = replace(ground, settings=ground.settings.model_copy(update={"redis_url": url}))
        victim = roundabout.worker(failpoints=f"kill:record.hand_over.{moment}:1")
        await victim.start()
        try:
            other = await ground.upload(different(1001))
            await until(lambda: ground.analysis.asked(other))
            operators = Ops(ground.deps, await identify(ground.deps.valkey, ground.settings))
            by = By(who="mina", why="a test")
            await operators.pause([Stage.SUBMIT], by=by)
            async with proxy.late(rb'"move":"finish"') as there:
                job_id = await ground.upload(AUDIO)
                await there.wait()
                terminate(victim)
                await until(lambda: moved(ground, "release", 1))  # both were told
            assert await died(victim) == -9
        finally:
            await victim.kill()
        await operators.resume([Stage.SUBMIT], by=by)
        async with running(ground.worker()):
            for each in (job_id, other):
                assert (await ground.ended(each))["status"] == "completed"
            await check(ground, {job_id: AUDIO, other: different(1001)})


class TestValkeyWiped:
    """The reconciler's own crashes: a row that says unfinished and nothing else."""

    @pytest.mark.parametrize(
        "point",
        some(
            "in S3",
            ["storage.size.before:1", "storage.size.after:1", "record.adopt.before:1", "record.adopt.after:1"],
            1,
        ),
    )
    async def test_audio_in_s3_is_enough(self, ground: Ground, point: str) -> None:
        job_id = await left_behind(ground, "record.ask.before:1")
        await self.wipe(ground, job_id)
        victim = doomed(ground, point)
        await launch(victim)
        assert await died(victim) == -9
        assert (await finish(ground, job_id))["status"] == "completed"
        assert (await AnalysisResult.get(job_id=job_id)).history[0]["move"] == "adopt"

    @pytest.mark.parametrize("moment", some("without audio", MOMENTS, 1))
    async def test_without_audio_the_learner_is_asked_to_record_again(self, ground: Ground, moment: str) -> None:
        job_id = await left_behind(ground, "storage.put.before:1")
        await self.wipe(ground, job_id)
        victim = doomed(ground, f"row.conclude.{moment}:1")
        await launch(victim)
        assert await died(victim) == -9
        told = await finish(ground, job_id)
        assert told["status"] == "failed"
        assert "다시 녹음" in told["message"]
        assert await AnalysisResult.all().count() == 1

    @pytest.mark.parametrize("moment", some("kept", MOMENTS, 1))
    async def test_a_result_for_a_lost_record_is_kept(self, ground: Ground, moment: str) -> None:
        await ground.clear()
        await ground.analysis.behave("normal", delay_s=0.5)
        victim = doomed(ground, f"inbox.keep.{moment}:1")
        try:
            await victim.start()
            job_id = await ground.upload(AUDIO)
            await until(lambda: moved(ground, "wait", 1))
            await self.wipe(ground, job_id)
            assert await died(victim) == -9
        finally:
            await victim.kill()
        assert (await finish(ground, job_id))["status"] == "completed"

    @staticmethod
    async def wipe(ground: Ground, job_id: str) -> None:
        """Valkey is empty, and the row is old enough for the reconciler to wonder."""
        await ground.deps.valkey.flushall()
        row = await AnalysisResult.get(job_id=job_id)
        assert row.status == "processing"
        await AnalysisResult.filter(job_id=job_id).update(created_at=row.created_at.replace(year=2020))
