"""Deploys under load: each process told to go again and again costs no job a try, and no browser anything."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from itertools import count, cycle

import pytest

from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL, some
from tests.faults.follower import Follower
from tests.faults.ground import Ground, check, different, runs, say
from tests.processes import died, running, terminate
from tests.waiting import until
from yousync.job import State
from yousync.local.part import Part
from yousync.local.port import free_port

DEPLOYS = 24 if ALL else 3
LEARNERS = 6 if ALL else 4
LONG = 20.0 if ALL else 3.0
"""Seconds a request to the analysis server takes, where that is more than a process may take to end."""
PATIENCE = 15.0
"""Seconds a process manager gives a process to end."""


@dataclass
class Deploys:
    """Ends processes and starts them again until there were enough of that; how each of them left."""

    ground: Ground
    wanted: int
    exits: list[tuple[str, int, float]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether that was it."""
        return len(self.exits) >= self.wanted

    async def roll(self, *parts: Part) -> None:
        """One after the other, round and round, each in the middle of a request to the analysis server."""
        for part in cycle(parts):
            await until(lambda: self.over or _submitting(self.ground))
            if self.over:
                return
            await self.deploy(part)

    async def deploy(self, part: Part) -> None:
        """A process is told to go, and another takes its place."""
        began = time.monotonic()
        terminate(part)
        code = await died(part, seconds=PATIENCE)
        self.exits.append((part.name, code, time.monotonic() - began))
        await part.start()


async def _submitting(ground: Ground) -> bool:
    return any(job.state is State.SUBMITTING for job in await ground.records())


@dataclass
class Load:
    """Learners who record, send and watch, one recording after the other, until the deploys are over."""

    deploys: Deploys
    audio: dict[str, bytes] = field(default_factory=dict)
    followers: list[Follower] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(8000))

    async def learn(self, ground: Ground) -> None:
        """What one of them does."""
        while not self.deploys.over:
            audio = different(next(self.numbers))
            job_id = await ground.upload(audio)
            self.audio[job_id] = audio
            self.followers.append(await Follower(job_id).follow(ground))


@pytest.mark.timeout(300 if ALL else 90)
async def test_deploys_cost_nothing(ground: Ground) -> None:
    port = free_port()
    calm = {"lease_seconds": 5.0, "analysis_wait_seconds": 40.0}  # whatever is late is late for a reason
    ground = replace(ground, settings=ground.settings.model_copy(update=calm))
    webs = (ground.web(with_worker=False), ground.web("web-2", port=port, with_worker=False))
    worker = ground.worker()
    await ground.clear()
    await ground.analysis.behave("normal", reply_delay_s=0.8)
    async with running(*webs, worker):
        deploys = Deploys(ground, DEPLOYS)
        load = Load(deploys)
        async with asyncio.TaskGroup() as tasks:
            for number in range(LEARNERS):
                urls = (webs[number % 2].url, webs[1 - number % 2].url)
                tasks.create_task(load.learn(replace(ground, urls=urls)))
            tasks.create_task(deploys.roll(worker))
            tasks.create_task(deploys.roll(*webs))
        for follower in load.followers:
            follower.check()
        await check(ground, load.audio)
    await untouched(ground, load)
    assert {code for _, code, _ in deploys.exits} == {0}, deploys.exits
    assert any(follower.connections > 1 for follower in load.followers), "no stream was open during a deploy"
    slowest = max(seconds for _, _, seconds in deploys.exits)
    say(f"{len(deploys.exits)} deploys, the slowest exit {slowest:.1f} s: all {len(load.audio)} jobs untouched")


async def untouched(ground: Ground, load: Load) -> None:
    """Jobs were handed back, and nothing was counted; nobody had to wait for a lease to run out."""
    released = 0
    for job_id in load.audio:
        row = await AnalysisResult.get(job_id=job_id)
        assert row.attempts == 1
        assert await runs(ground, job_id) == 1
        before = ""
        for event in row.history:
            resumed = event["move"] == Move.CLAIM and event["source"] == event["target"]
            assert not resumed or before == Move.RELEASE, f"left behind: {row.history}"
            released += event["move"] == Move.RELEASE
            before = event["move"]
    assert released, "no job was under way during a deploy"


VARIANTS = {
    "asks again": {},
    "asks once": {"analysis_status_url": None, "analysis_idempotent": False},
}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("variant", some("deploys", list(VARIANTS), 1))
async def test_a_deploy_in_the_middle_of_a_long_request(ground: Ground, variant: str) -> None:
    changes = {"analysis_wait_seconds": 40.0, "drain_seconds": 5.0 if ALL else 0.2} | VARIANTS[variant]
    ground = replace(ground, settings=ground.settings.model_copy(update=changes))
    worker = ground.worker()
    await ground.clear()
    await ground.analysis.plan({"mode": "normal", "reply_delay_s": LONG, "count": 1})
    async with running(ground.web(with_worker=False), worker):
        audio = different(8999)
        job_id = await ground.upload(audio)
        await until(lambda: ground.analysis.asked(job_id))
        deploys = Deploys(ground, 1)
        await deploys.deploy(worker)
        (_, code, _) = deploys.exits[0]
        assert code == 0
        assert (await ground.ended(job_id, seconds=60))["status"] == "completed"
        await check(ground, {job_id: audio})
    row = await AnalysisResult.get(job_id=job_id)
    assert row.attempts == 1
    assert [event["move"] for event in row.history].count(Move.RELEASE) == 1
    assert await runs(ground, job_id) == 1
    assert await ground.analysis.asked(job_id) == (2 if variant == "asks again" else 1)
