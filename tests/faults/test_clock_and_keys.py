"""Keys that rotate and clocks that are wrong, with jobs under way."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import time_machine
from pydantic import SecretStr

from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL, some
from tests.faults.ground import Ground, check, different, moved
from tests.processes import running
from tests.waiting import until
from yousync.identity import mint, verify
from yousync.settings import Settings

OLD, NEW = SecretStr("the key that was in use until now"), SecretStr("the key that is in use from now on")
HOUR = 3600.0


def keyed(ground: Ground, *keys: SecretStr) -> Ground:
    return replace(ground, settings=ground.settings.model_copy(update={"webhook_token_keys": list(keys)}))


async def asked_with_the_old_key(ground: Ground) -> tuple[str, bytes]:
    """A job whose webhook was signed with a key, before the processes end that sign with it."""
    await ground.clear()
    await ground.analysis.behave("hold")
    before = keyed(ground, OLD)
    async with running(before.web()):
        audio = different(9300)
        job_id = await ground.upload(audio)
        await until(lambda: moved(ground, "wait", 1))
    return job_id, audio


@pytest.mark.parametrize("kept", some("keys", [True, False], 1))
async def test_a_key_is_replaced(ground: Ground, *, kept: bool) -> None:
    """A webhook signed with the key before is taken as long as that is kept.

    Without it the job has its result from the status URL, when it wonders.
    """
    if kept:
        ground = replace(ground, settings=ground.settings.model_copy(update={"analysis_wait_seconds": 40.0}))
    job_id, audio = await asked_with_the_old_key(ground)
    after = keyed(ground, NEW, *([OLD] if kept else []))
    async with running(after.web()):
        await ground.analysis.release()
        assert [line["status"] for line in await ground.analysis.webhooks(job_id)] == [200 if kept else 401]
        assert (await ground.ended(job_id))["status"] == "completed"
        await check(ground, {job_id: audio})
    assert await ground.analysis.asked(job_id) == 1


@pytest.mark.parametrize("ahead", [HOUR, -HOUR] if ALL else [-HOUR])
async def test_hosts_whose_clocks_are_an_hour_off(ground: Ground, ahead: float) -> None:
    """A plain job, one that is retried, one whose deadline passes, one whose worker dies: all as if clocks agreed."""
    await ground.clear()
    changes = {"analysis_status_url": None, "analysis_idempotent": False, "analysis_wait_seconds": 1.5}
    ground = replace(ground, settings=ground.settings.model_copy(update=changes))
    await ground.analysis.plan(
        {"mode": "normal", "count": 1},
        {"mode": "http_500", "count": 1},
        {"mode": "hold", "count": 1},
        {"mode": "normal", "honour_idempotency": False},
    )
    doomed, heir = ground.worker(clock_off=-ahead), ground.worker("worker-2", clock_off=ahead)
    async with running(ground.web(with_worker=False, clock_off=ahead), doomed):
        audio = {await ground.upload(recording): recording for recording in map(different, range(9400, 9403))}
        for job_id in audio:
            assert (await ground.ended(job_id))["status"] == "completed"
        assert await moved(ground, "retry", 1)
        assert max([row.attempts for row in await AnalysisResult.all()]) == 2
        await ground.analysis.plan({"mode": "hold", "reply_delay_s": 10, "honour_idempotency": False, "count": 1})
        recording = different(9403)
        job_id = await ground.upload(recording)
        await until(lambda: ground.analysis.asked(job_id))
        await doomed.kill()
        async with running(heir):
            assert (await ground.ended(job_id))["status"] == "completed"
            await check(ground, audio | {job_id: recording}, retries=1)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_whoever_signed_in_elsewhere_is_signed_in_here(settings: Settings, ahead: float) -> None:
    """The token was made by a process whose clock is right."""
    token = mint(settings, user_id=7, email="mina@example.com", session_id="s")
    with time_machine.travel(time.time() + ahead, tick=True):
        assert verify(settings, token).user_id == 7
