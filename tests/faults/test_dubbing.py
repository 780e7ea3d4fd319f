"""A worker killed at any point of a dubbing's way: it is made all the same, once, and is the learner's from its end on.

FAULTS=all tries every point; else it is a sample, chosen by FAULTS_SEED or by chance.
"""

from __future__ import annotations

import pytest

from jobs.dubbing import Wish, WishedTake
from jobs.engine import Engine, Order
from jobs.identity import identify
from models.analysis_result import AnalysisResult
from models.dubbing_result import DubbingResult
from tests import audio_samples as samples
from tests.factories import make_user
from tests.faults.chance import some
from tests.faults.ground import Ground, all_ended, launch, legal_path, nothing_left, say
from tests.processes import died, running
from tests.waiting import until
from yousync.job import Job, Kind, State

EFFECTS = (
    *("record.claim", "mixer.mix", "storage.put", "record.finish"),
    *("evidence.read", "row.conclude", "record.conclude"),
)
POINTS = [f"{effect}.{moment}" for effect in EFFECTS for moment in ("before", "after")]


async def ordered(ground: Ground) -> Job:
    """A dubbing of one recording that somebody has asked for; nobody works on it yet."""
    await ground.clear()
    await DubbingResult.all().delete()
    for key in ("stems/bgvoice.wav", "stems/vocal.wav", "stems/take.wav"):
        await ground.deps.storage.put(key, samples.wav(2.0), container="wav")
    wish = Wish(
        background="stems/bgvoice.wav",
        vocal="stems/vocal.wav",
        seconds=2.0,
        takes=(WishedTake(script_id=1, job_id="0" * 32, s3_key="stems/take.wav", start_s=0.5, end_s=1.5),),
    )
    engine = Engine(ground.deps, await identify(ground.deps.valkey, ground.settings))
    user = await make_user()
    return await engine.order(
        Order(
            kind=Kind.SYNTHESIS,
            request=wish.model_dump(mode="json"),
            user_id=user.id,
            token_id=ground.script.token_id,
        )
    )


@pytest.mark.parametrize("point", some("dubbing", POINTS, 1))
async def test_a_dubbing_survives_its_worker(ground: Ground, point: str) -> None:
    job = await ordered(ground)
    victim = ground.worker(failpoints=f"kill:{point}:1")
    try:
        await launch(victim)
        assert await died(victim) == -9, "it ended otherwise"
    finally:
        await victim.kill()
    (before,) = await ground.records()
    async with running(ground.worker("worker-2")):
        await until(lambda: all_ended(ground))
        await until(lambda: nothing_left(ground))

    row = await AnalysisResult.get(job_id=job.id)
    assert (row.state, row.run, row.result) == (State.COMPLETED, 1, {"s3_key": job.s3_key})
    assert not [event for event in row.history if event["move"] == "retry"], "a crash burned a try"
    legal_path(row)
    assert [each.s3_key for each in await DubbingResult.filter(token_id=ground.script.token_id)] == [job.s3_key]
    dubbing = await ground.deps.storage.get(job.s3_key, max_bytes=2**24)
    assert dubbing is not None
    assert len(dubbing) == 44 + 2 * 2 * samples.RATE
    say(f"{point:<24}{before.state:<12} made by another")
