"""Killed in the middle of an operator's or a learner's action: doing it again, or just waiting, ends it as it must."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from models.analysis_result import AnalysisResult
from tests.factories import bearer_of, make_user
from tests.faults.chance import some
from tests.faults.ground import Ground, check, different, launch, legal_path, moved, nothing_left, unfinished
from tests.processes import WebProcess, died, environment
from tests.waiting import until
from tests.yousync.cli.test_commands import Ended, yousync
from yousync.cli.failure import Exit
from yousync.job import Stage, State

AUDIO = different(7000)
KILLED = -signal.SIGKILL
Action = Callable[[Ground, Path, str], Awaitable[None]]


@asynccontextmanager
async def serving(ground: Ground, *, failpoints: str = "") -> AsyncIterator[WebProcess]:
    part = ground.web(failpoints=failpoints)
    await part.start()
    try:
        yield part
    finally:
        await part.kill()


async def operator(ground: Ground, folder: Path, *arguments: str, dies: str = "") -> Ended:
    """`yousync jobs …` as an operator runs it; killed at `dies` where that is said."""
    env = environment(ground.settings) | ({"YOUSYNC_FAILPOINTS": f"kill:{dies}:1"} if dies else {})
    ended = await yousync(folder, "jobs", *arguments, "--reason", "test", env=env)
    assert (ended.status == KILLED) == bool(dies), ended
    return ended


async def again(ground: Ground, folder: Path, *arguments: str) -> None:
    """The operator repeats it; that it was done already is an answer, too."""
    ended = await operator(ground, folder, *arguments)
    assert ended.status in {Exit.OK, Exit.FAILED}, ended


async def failed(ground: Ground) -> str:
    """A job that the analysis server refused."""
    await ground.clear()
    await ground.analysis.behave("http_400", count=1)
    async with serving(ground):
        job_id = await ground.upload(AUDIO)
        assert await ground.concluded(job_id) is State.FAILED
    return job_id


async def under_way(ground: Ground) -> str:
    """A job that waits for its result; nobody works any more."""
    await ground.clear()
    await ground.analysis.behave("hold")
    async with serving(ground):
        job_id = await ground.upload(AUDIO)
        await until(lambda: moved(ground, "wait", 1))
    return job_id


async def ended(ground: Ground, job_id: str, state: State) -> None:
    """The row tells of one end, by a legal path, and Valkey keeps nothing for ever."""
    async with serving(ground):
        await until(lambda: AnalysisResult.filter(job_id=job_id, state=state).exists())
        await until(lambda: nothing_left(ground))
    assert not await unfinished(ground)
    legal_path(await AnalysisResult.get(job_id=job_id))


async def retry(ground: Ground, folder: Path, point: str) -> None:
    job_id = await failed(ground)
    await operator(ground, folder, "retry", job_id, dies=point)
    assert (await AnalysisResult.get(job_id=job_id)).state == State.FAILED, "the old end until there is a new one"
    await again(ground, folder, "retry", job_id)
    await ended(ground, job_id, State.COMPLETED)
    row = await AnalysisResult.get(job_id=job_id)
    assert (row.run, [event["move"] for event in row.history].count("restart")) == (2, 1)


async def cancel(ground: Ground, folder: Path, point: str) -> None:
    job_id = await under_way(ground)
    await operator(ground, folder, "cancel", job_id, dies=point)
    await again(ground, folder, "cancel", job_id)
    await ended(ground, job_id, State.CANCELLED)


async def accept_late_result(ground: Ground, folder: Path, point: str) -> None:
    job_id = await under_way(ground)
    await operator(ground, folder, "cancel", job_id)
    async with serving(ground):
        await until(lambda: AnalysisResult.filter(job_id=job_id, state=State.CANCELLED).exists())
        await ground.analysis.release()
    await operator(ground, folder, "accept-late-result", job_id, dies=point)
    await again(ground, folder, "accept-late-result", job_id)
    await ended(ground, job_id, State.COMPLETED)


async def pause_and_resume(ground: Ground, folder: Path, point: str) -> None:
    await ground.clear()
    pausing = point.startswith("record.pause")
    if pausing:
        await operator(ground, folder, "pause", Stage.SUBMIT, dies=point)
    await operator(ground, folder, "pause", Stage.SUBMIT)
    async with serving(ground):
        job_id = await ground.upload(AUDIO)
        await until(lambda: moved(ground, "finish", 1))
        if not pausing:
            await operator(ground, folder, "resume", Stage.SUBMIT, dies=point)
        await operator(ground, folder, "resume", Stage.SUBMIT)
        assert (await ground.ended(job_id))["status"] == "completed"
        await check(ground, {job_id: AUDIO})


async def deleted(ground: Ground, job_id: str) -> None:
    """Nothing is left of it but a tombstone."""
    async with serving(ground):

        async def gone() -> bool:
            row = await AnalysisResult.get(job_id=job_id)
            return not row.s3_key and await ground.deps.store.read(job_id) is None

        await until(gone)
        await until(lambda: nothing_left(ground))
    row = await AnalysisResult.get(job_id=job_id)
    assert row.deleted_at is not None
    assert row.result is None
    assert await ground.deps.storage.size(f"audio/{job_id}.wav") is None


async def delete(ground: Ground, folder: Path, point: str) -> None:
    job_id = await under_way(ground)
    await operator(ground, folder, "delete", job_id, "--yes", dies=point)
    await again(ground, folder, "delete", job_id, "--yes")
    await deleted(ground, job_id)


async def delete_ones_own(ground: Ground, folder: Path, point: str) -> None:
    """A learner does it again, or not: then the tombstones that nobody cleaned are found once they are minutes old."""
    await ground.clear()
    await ground.analysis.behave("hold")
    learner = await make_user()
    headers = await bearer_of(ground.settings, learner)
    async with serving(ground):
        job_id = await ground.upload(AUDIO, headers=headers)
        await until(lambda: moved(ground, "wait", 1))
    key = (await AnalysisResult.get(job_id=job_id)).s3_key
    path = f"/mypage/tokens/{ground.script.token_id}/my-results"

    async def delete(*, status: int) -> None:
        async with aiohttp.ClientSession(await ground.ready(), headers=headers) as client, client.delete(path) as reply:
            assert reply.status == status, await reply.text()

    victim = ground.web(failpoints=f"kill:{point}:1")
    await launch(victim)
    with pytest.raises(aiohttp.ClientError):
        await delete(status=0)
    assert await died(victim) == KILLED
    buried = AnalysisResult.filter(job_id=job_id, deleted_at__not_isnull=True)
    done = bool(await buried.update(deleted_at=datetime.now(UTC) - timedelta(minutes=5)))
    assert done == (point == "row.bury_many.after")
    async with serving(ground):
        await delete(status=404 if done else 204)
    await deleted(ground, job_id)
    assert await ground.deps.storage.size(key) is None


async def clean(ground: Ground, folder: Path, point: str) -> None:
    job_id = await under_way(ground)
    await operator(ground, folder, "delete", job_id, "--yes")
    victim = ground.web(failpoints=f"kill:{point}:1")
    await launch(victim)
    assert await died(victim) == KILLED
    await deleted(ground, job_id)


ACTIONS = {
    retry: ("record.restart",),
    cancel: ("record.cancel",),
    accept_late_result: ("record.accept_late",),
    pause_and_resume: ("record.pause", "record.resume"),
    delete: ("row.bury", "record.erase"),
    delete_ones_own: ("row.bury_many",),
    clean: ("storage.delete", "row.cleaned", "record.forget"),
}
CASES = [
    (action, f"{effect}.{moment}")
    for action, effects in ACTIONS.items()
    for effect in effects
    for moment in ("before", "after")
]


@pytest.mark.parametrize(("action", "point"), some("actions", CASES, 1))
async def test_an_action_killed_halfway(ground: Ground, tmp_path: Path, action: Action, point: str) -> None:
    await action(ground, tmp_path, point)
