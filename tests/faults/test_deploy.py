"""Deploys under load: each process told to go again and again costs no job a try, and no browser anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from itertools import count, cycle
from typing import Any

import pytest

from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL, some
from tests.faults.follower import Follower
from tests.faults.ground import Ground, check, different, runs, say
from tests.processes import WebProcess, died, running, terminate
from tests.waiting import until
from yousync.job import State
from yousync.local.part import Part
from yousync.local.port import free_port
from yousync.settings import Settings

DEPLOYS = 24 if ALL else 3
LEARNERS = 6 if ALL else 4
LONG = 20.0 if ALL else 8.0
"""Seconds a request to the analysis server takes: more than a process may take to end and another to begin."""
PATIENCE = 15.0
"""Seconds a process manager gives a process to end."""


@dataclass
class Deploys:
    """Ends processes and starts them again until there were enough of that; how each of them left."""

    ground: Ground
    wanted: int = 0
    until: float = 0.0
    exits: list[tuple[str, int, float]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether that was it: so many, or so late."""
        return len(self.exits) >= self.wanted and time.monotonic() >= self.until

    async def roll(self, *parts: Part) -> None:
        """One after the other, round and round, each in the middle of a request to the analysis server."""
        for part in cycle(parts):
            await until(lambda: self.over or _submitting(self.ground))
            if self.over:
                return
            await self.deploy(part)

    async def hurry(self, *parts: Part) -> None:
        """One after the other, round and round, each as soon as the one before is back; one a second at most."""
        for part in cycle(parts):
            if self.over:
                return
            following = time.monotonic() + 1.0
            await self.deploy(part)
            await until(lambda: time.monotonic() >= following)  # noqa: B023  # awaited here

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
    ground = calm(ground)
    webs, worker = two_webs(ground), ground.worker()
    await ground.clear()
    await ground.analysis.behave("normal", reply_delay_s=0.8)
    async with running(*webs, worker):
        deploys = Deploys(ground, DEPLOYS)
        load = await loaded(deploys, webs, deploys.roll(worker), deploys.roll(*webs))
    assert await released(ground, load), "no job was under way during a deploy"


if ALL:

    @pytest.mark.timeout(300)
    async def test_a_minute_of_deploys_every_second(ground: Ground) -> None:
        """With the time to drain that a process has where nobody sets one."""
        ground = calm(ground, drain_seconds=Settings.model_fields["drain_seconds"].default)
        webs, workers = two_webs(ground), (ground.worker(), ground.worker("worker-2"))
        await ground.clear()
        await ground.analysis.behave("normal", reply_delay_s=0.8)
        async with running(*webs, *workers):
            deploys = Deploys(ground, until=time.monotonic() + 60)
            load = await loaded(deploys, webs, deploys.hurry(*workers), deploys.hurry(*webs))
        await released(ground, load)


def calm(ground: Ground, **changes: float) -> Ground:
    """Whatever is late is late for a reason."""
    patient = {"lease_seconds": 5.0, "analysis_wait_seconds": 40.0} | changes
    return replace(ground, settings=ground.settings.model_copy(update=patient))


def two_webs(ground: Ground) -> tuple[WebProcess, WebProcess]:
    return ground.web(with_worker=False), ground.web("web-2", port=free_port(), with_worker=False)


async def loaded(deploys: Deploys, webs: tuple[WebProcess, WebProcess], *rolls: Coroutine[Any, Any, None]) -> Load:
    """Learners at both web processes while these deploys go on: every process left as it should, nobody noticed."""
    load = Load(deploys)
    async with asyncio.TaskGroup() as tasks:
        for number in range(LEARNERS):
            urls = (webs[number % 2].url, webs[1 - number % 2].url)
            tasks.create_task(load.learn(replace(deploys.ground, urls=urls)))
        for roll in rolls:
            tasks.create_task(roll)
    for follower in load.followers:
        follower.check()
    await check(deploys.ground, load.audio)
    assert {code for _, code, _ in deploys.exits} == {0}, deploys.exits
    assert any(follower.connections > 1 for follower in load.followers), "no stream was open during a deploy"
    slowest = max(seconds for _, _, seconds in deploys.exits)
    say(f"{len(deploys.exits)} deploys, the slowest exit {slowest:.1f} s: all {len(load.audio)} jobs untouched")
    return load


async def released(ground: Ground, load: Load) -> int:
    """How often jobs were handed back: nothing was counted, and nobody had to wait for a lease to run out."""
    found = 0
    for job_id in load.audio:
        row = await AnalysisResult.get(job_id=job_id)
        assert row.attempts == 1
        assert await runs(ground, job_id) == 1
        before = ""
        for event in row.history:
            resumed = event["move"] == Move.CLAIM and event["source"] == event["target"]
            assert not resumed or before == Move.RELEASE, f"left behind: {row.history}"
            found += event["move"] == Move.RELEASE
            before = event["move"]
    return found


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
