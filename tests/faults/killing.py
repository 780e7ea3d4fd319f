"""One trial: a process dies at a chosen point with a job under way, another takes over, nothing is lost."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import SecretStr
from typing_extensions import override

from jobs.store import STAGING_MS
from tests.faults.ground import Ground, lasting, recorded, runs, unfinished
from tests.faults.plays import Batch, Play, Recording, Video
from tests.processes import died
from tests.waiting import until
from yousync.job import State
from yousync.local.part import Part
from yousync.local.process import StackError
from yousync.valkey import connect


class Point(NamedTuple):
    """The n-th time a failpoint is passed."""

    name: str
    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How the analysis server behaves, how the job then ends, and the effects at which a process is killed in it.

    With `staged_apart` recordings are staged in another database than the one for jobs.
    """

    name: str
    behaviour: Mapping[str, Any]
    play: Play = field(default_factory=Recording)
    outcome: State = State.COMPLETED
    retries: int = 0
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    staged_apart: bool = False
    effects: tuple[str, ...]

    def on(self, ground: Ground) -> Ground:
        """The ground with this scenario's settings."""
        changes = dict(self.settings)
        if self.staged_apart:
            changes["staging_redis_url"] = SecretStr(f"{ground.settings.redis_url.get_secret_value()[:-1]}1")
        return replace(ground, settings=ground.settings.model_copy(update=changes))


_ASKING = ("record.ask", "analysis.ask")
_STRAIGHT = (
    *("upload.accept", "record.accept", "row.accept", "record.claim", "audio.read", "storage.put", "record.finish"),
    *(*_ASKING, "record.wait", "webhook.deliver", "record.deliver", "evidence.read"),
    *("row.conclude", "record.conclude"),
)
SCENARIOS = (
    Scenario(name="straight", behaviour={"mode": "normal", "delay_s": 0.2}, effects=_STRAIGHT),
    Scenario(name="early", behaviour={"mode": "early"}, effects=("record.deliver", "webhook.deliver", *_ASKING)),
    Scenario(name="inline", behaviour={"mode": "inline"}, effects=("record.deliver", *_ASKING)),
    Scenario(name="busy", behaviour={"mode": "http_503", "count": 1}, effects=("record.refused", "record.stumble")),
    Scenario(
        name="error",
        behaviour={"mode": "http_500", "count": 1},
        retries=1,
        effects=("record.refused", "record.stumble"),
    ),
    Scenario(
        name="rejected",
        behaviour={"mode": "http_400"},
        outcome=State.FAILED,
        effects=("record.settle", "row.conclude", "record.conclude"),
    ),
    Scenario(name="lost", behaviour={"mode": "lost"}, effects=("analysis.progress", "record.deliver")),
    Scenario(
        name="forgetful",
        # The result comes after another worker has taken over and before any deadline: a second request would show.
        behaviour={"mode": "normal", "delay_s": 3.0, "honour_idempotency": False},
        settings={"analysis_idempotent": False, "analysis_status_url": None, "analysis_wait_seconds": 8.0},
        effects=(*_ASKING, "record.wait", "webhook.deliver", "record.deliver"),
    ),
    Scenario(
        name="batch",
        behaviour={"mode": "normal", "delay_s": 0.2},
        play=Batch(),
        effects=("batch.accept", "audio.stage", "record.accept_all", "row.accept"),
    ),
    Scenario(
        name="video",
        behaviour={"mode": "normal", "delay_s": 0.2},
        play=Video(),
        effects=(
            *("video.accept", "record.accept", "row.accept", "record.ask", "preprocess.ask", "record.wait"),
            *("webhook.deliver", "record.deliver", "row.conclude", "record.conclude"),
        ),
    ),
    Scenario(
        name="queue",
        # What lies in the queue when another worker takes over the analysis server has not heard of.
        behaviour={"mode": "normal", "delay_s": 0.2, "honour_idempotency": False},
        play=Batch(),
        settings={"use_sqs_queue": True, "analysis_idempotent": False, "analysis_wait_seconds": 8.0},
        effects=(*_ASKING, "record.wait"),
    ),
    Scenario(
        name="staging",
        behaviour={"mode": "normal", "delay_s": 0.2},
        staged_apart=True,
        effects=("audio.stage", "record.accept", "audio.read", "storage.put", "record.finish", "audio.unstage"),
    ),
)
# Where the job may have ended by the time one looks: apart, the worker that lives goes on at once.
_ENDED = {
    False: {"record.conclude.after", "audio.unstage.before", "audio.unstage.after"},
    True: {"record.conclude.after", "record.deliver.after", "webhook.deliver.after"},
}
_OF_WEB = ("upload.", "audio.stage", "record.accept", "row.accept", "webhook.", "record.deliver")
OF_WORKER = [effect for effect in _STRAIGHT if not effect.startswith(_OF_WEB)]
"""The effects of a worker in the life of a job that meets no trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be killed where; `apart` runs web and worker as two processes, of which one dies."""

    scenario: Scenario
    point: Point
    apart: bool

    @override
    def __str__(self) -> str:
        layout = "apart" if self.apart else "one"
        return f"{self.scenario.name:<10}{layout:<6}{self.point.name}:{self.point.nth}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: the state the job was found in, seconds from restart to its end, analyses begun."""

    trial: Trial
    state: str = ""
    seconds: float = 0.0
    runs: int = 0
    error: str = ""

    @override
    def __str__(self) -> str:
        told = self.error or f"{self.state:<12}{self.seconds:6.1f} s {self.runs:3} run"
        return f"{self.trial!s:<46}{told}"


async def points_of(ground: Ground, scenarios: tuple[Scenario, ...], folder: Path) -> list[Trial]:
    """Let one job of each scenario live undisturbed, and list where it could have died."""
    trials = []
    for scenario in scenarios:
        file = folder / scenario.name
        web = scenario.on(ground).web(failpoints=f"record:{file}")
        await ground.clear()
        await ground.analysis.behave(**scenario.behaviour, **scenario.play.answer(ground))
        await web.start()
        try:
            jobs = await scenario.play.begin(ground, 0)
            for job_id in jobs:
                await scenario.play.ended(ground, job_id)
            await scenario.play.check(ground, jobs, outcome=scenario.outcome, retries=scenario.retries)
        finally:
            await web.stop()
        passed: Counter[str] = Counter()
        for name in recorded(file):
            passed[name] += 1
            if name.rpartition(".")[0] in scenario.effects:
                trials.append(Trial(scenario=scenario, point=Point(name, passed[name]), apart=False))
        assert {f"{effect}.{moment}" for effect in scenario.effects for moment in ("before", "after")} <= set(passed)
    apart = [replace(trial, apart=True) for trial in trials if trial.scenario.name == "straight"]
    return trials + apart


async def attempt(ground: Ground, trial: Trial, number: int) -> Outcome:
    """Run a trial; what goes wrong is told in the outcome."""
    try:
        async with asyncio.timeout(60):
            return await _attempt(trial.scenario.on(ground), trial, number)
    except (AssertionError, StackError, TimeoutError) as error:
        ours = [at for at in traceback.extract_tb(error.__traceback__) if "/tests/faults/" in at.filename]
        left = f"{[job.state.value for job in await ground.records()]} {await lasting(ground) or ''}"
        return Outcome(trial=trial, error=f"{type(error).__name__}: {error} ({ours[-1].line}; left: {left})")


async def _attempt(ground: Ground, trial: Trial, number: int) -> Outcome:
    scenario, point = trial.scenario, trial.point
    await ground.clear()
    await ground.analysis.behave(**scenario.behaviour, **scenario.play.answer(ground))
    victim, bystanders = _cast(ground, trial)
    survivor = _cast(ground, trial, armed=False)[0]
    uploading: asyncio.Task[dict[str, bytes]] | None = None
    try:
        await asyncio.gather(*(part.start() for part in (victim, *bystanders)))
        uploading = asyncio.create_task(scenario.play.begin(ground, number))
        assert await died(victim) == -9, "it ended otherwise"
        under_way = not uploading.done() or await unfinished(ground)
        assert under_way or point.name in _ENDED[trial.apart], "nothing was under way when it died"
        state = ",".join(job.state for job in await ground.records()) or "-"
        await survivor.start()
        began = time.monotonic()
        jobs = await uploading
        for job_id in jobs:
            told = await scenario.play.ended(ground, job_id)
            assert told["status"] == ("completed" if scenario.outcome is State.COMPLETED else "failed"), told
        seconds = time.monotonic() - began
        await scenario.play.check(ground, jobs, outcome=scenario.outcome, retries=scenario.retries)
        await until(lambda: _unstaged(ground))
        begun = max([await runs(ground, job_id) for job_id in jobs])
        assert begun == (scenario.outcome is State.COMPLETED), f"{begun} runs"
        return Outcome(trial=trial, state=state, seconds=seconds, runs=begun)
    finally:
        if uploading is not None:
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)
        await asyncio.gather(*(part.stop() for part in (survivor, *bystanders)))
        await victim.kill()


async def _unstaged(ground: Ground) -> bool:
    """Whether all audio that S3 has is gone, or about to go by itself, from the Valkey it was staged in."""
    url = ground.settings.staging_redis_url or ground.settings.redis_url
    async with connect(url.get_secret_value()) as staging:
        return all([await staging.pttl(name) <= STAGING_MS for name in await staging.keys("yousync:audio:*")])


def _cast(ground: Ground, trial: Trial, *, armed: bool = True) -> tuple[Part, list[Part]]:
    """Who is to die, and who else runs."""
    order = f"kill:{trial.point.name}:{trial.point.nth}" if armed else ""
    if not trial.apart:
        return ground.web(failpoints=order), []
    if trial.point.name.startswith(_OF_WEB):
        return ground.web(with_worker=False, failpoints=order), [ground.worker()]
    return ground.worker(failpoints=order), [ground.web(with_worker=False)]
