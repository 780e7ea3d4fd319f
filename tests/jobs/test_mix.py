"""Dubbings: which recordings they are made from, how the stage makes them, and what it says when it cannot."""

from __future__ import annotations

import io
import os
import signal
import wave
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from jobs.deps import Deps
from jobs.dubbing import Wish, wish_of
from jobs.engine import Engine, Order
from jobs.identity import Identity
from jobs.keys import QUEUE
from jobs.pipeline import Move
from jobs.stages.mix import mix
from jobs.store import Store
from models.analysis_result import AnalysisResult
from models.script import Script
from models.token import Token
from models.user import User
from tests import audio_samples as samples
from tests.factories import make_script, make_token, make_user
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import a_recording
from tests.jobs.test_actors import ended, worker
from tests.jobs.test_store import queued
from tests.waiting import until
from yousync.errors import NothingRecorded, TokenNotFound
from yousync.failures import Permanent, Transient
from yousync.job import Job, Kind, Stage, State
from yousync.mixing import Mixer

Record = Callable[..., Awaitable[Job]]
SECONDS = 10.0


@pytest_asyncio.fixture
async def user(emptied: Deps) -> User:
    return await make_user()


@pytest_asyncio.fixture
async def clip(emptied: Deps) -> Token:
    """A clip of ten seconds with both stems."""
    token = await make_token()
    for name in ("bgvoice", "vocal"):
        key = f"{token.actor_name}/{token.youtube_id[-11:]}/0/{name}.wav"
        await emptied.storage.put(key, samples.wav(SECONDS), container="wav")
    return token


@pytest_asyncio.fixture
async def sentence(clip: Token) -> Script:
    return await make_script("we cross at dawn", clip)


@pytest.fixture
def record(emptied: Deps, engine: Engine, user: User) -> Record:
    """A recording of a sentence, with its audio in S3 and its row in this state."""

    async def recorded(script: Script, state: State = State.COMPLETED, *, audio: bytes = b"", code: str = "") -> Job:
        audio = audio or samples.wav(1.0)
        given = a_recording(script, user_id=user.id, audio=audio + bytes(await AnalysisResult.all().count()))
        job = await engine.accept(given)
        await emptied.storage.put(job.s3_key, audio, container="wav")
        return await bring(emptied, job, state, code=code or "analysis_timeout")

    return recorded


async def order(engine: Engine, user: User, wish: Wish, token_id: int) -> Job:
    request = wish.model_dump(mode="json")
    return await engine.order(Order(kind=Kind.SYNTHESIS, request=request, user_id=user.id, token_id=token_id))


async def mixing(deps: Deps, engine: Engine, user: User, clip: Token, **changes: Any) -> Job:
    wish = (await wish_of(deps, user.id, clip.id)).model_copy(update=changes)
    return await bring(deps, await order(engine, user, wish, clip.id), State.MIXING)


async def test_the_newest_scored_recording_of_each_sentence_counts(
    emptied: Deps, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    other = await Script.create(token=clip, start_time=13.0, end_time=15.0, script="and back")
    await record(sentence)
    newest = await record(sentence)
    await record(sentence, State.FAILED)
    await record(sentence, State.WAITING)
    unscored = await record(other, State.PARKED)
    await record(other, State.FAILED, code="no_speech")

    wish = await wish_of(emptied, user.id, clip.id)

    assert [(take.script_id, take.job_id) for take in wish.takes] == [(sentence.id, newest.id), (other.id, unscored.id)]
    assert [(take.start_s, take.end_s) for take in wish.takes] == [(0.0, 2.0), (3.0, 5.0)]
    assert wish.seconds == SECONDS


async def test_a_sentence_is_over_where_the_next_one_begins(
    emptied: Deps, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await Script.create(token=clip, start_time=11.25, end_time=15.0, script="said into it")
    await record(sentence)

    (take,) = (await wish_of(emptied, user.id, clip.id)).takes

    assert (take.start_s, take.end_s) == (0.0, 1.25)


async def test_what_is_deleted_cancelled_or_another_s_is_not_there(
    emptied: Deps, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    deleted = await record(sentence)
    await record(sentence, State.CANCELLED, code="cancelled")
    await AnalysisResult.filter(job_id=deleted.id).update(deleted_at=datetime.now(UTC))
    with pytest.raises(NothingRecorded):
        await wish_of(emptied, user.id, clip.id)
    await record(sentence)
    with pytest.raises(NothingRecorded):
        await wish_of(emptied, (await make_user()).id, clip.id)
    with pytest.raises(TokenNotFound):
        await wish_of(emptied, user.id, 2**31 - 1)


async def test_a_dubbing_lies_in_s3_under_its_job_s_key_and_again_the_same(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence, audio=samples.encoded("webm", "libopus", 1.5))
    job = await mixing(emptied, engine, user, clip)

    for _ in range(2):  # as after a worker that died before it could tell
        await mix(emptied, job)

    first = await emptied.storage.get(job.s3_key, max_bytes=2**24)
    assert first is not None
    with wave.open(io.BytesIO(first)) as file:
        assert (file.getframerate(), file.getnframes()) == (48000, SECONDS * 48000)
    await mix(emptied, job)
    assert await emptied.storage.get(job.s3_key, max_bytes=2**24) == first


@pytest.mark.parametrize("form", ["user_audio/{user}/{token}/{script}.wav", "s3://{bucket}/user_audio/{script}.webm"])
async def test_recordings_of_the_earlier_server_are_found_where_it_put_them(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record, form: str
) -> None:
    job = await record(sentence)
    bucket = emptied.storage.bucket
    stored = form.format(user=user.id, token=clip.id, script=sentence.id, bucket=bucket)
    await emptied.storage.delete(job.s3_key)
    await emptied.storage.put(
        stored.removeprefix(f"s3://{bucket}/"), samples.encoded("ogg", "libopus"), container="ogg"
    )
    await AnalysisResult.filter(job_id=job.id).update(s3_key=stored)

    await mix(emptied, await mixing(emptied, engine, user, clip))


async def test_a_clip_may_say_itself_where_its_background_lies(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    clip.s3_bgvoice_url = f"s3://{emptied.storage.bucket}/elsewhere/bgvoice.wav"
    await clip.save()
    await emptied.storage.put("elsewhere/bgvoice.wav", samples.wav(SECONDS, rate=44100), container="wav")

    job = await mixing(emptied, engine, user, clip)
    await mix(emptied, job)

    assert job.request is not None
    assert job.request["vocal"] == f"s3://{emptied.storage.bucket}/elsewhere/vocal.wav"
    found = await emptied.storage.get(job.s3_key, max_bytes=2**24)
    assert found is not None
    with wave.open(io.BytesIO(found)) as file:
        assert file.getframerate() == 44100
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    tone = np.frombuffer(samples.tone(SECONDS, rate=44100), dtype="<i2")
    rest = slice(3 * 44100, None)  # no vocal lies there: after the sentence it is the background alone
    assert np.abs(sound[rest].astype(int) - tone[rest]).max() <= 2


@pytest.mark.parametrize("link", ["https://cdn.example.com/bgvoice.wav", "s3://somebody-elses/bgvoice.wav"])
async def test_a_background_that_only_browsers_may_fetch_is_not_what_dubbings_are_made_from(
    emptied: Deps, user: User, clip: Token, sentence: Script, record: Record, link: str
) -> None:
    await record(sentence)
    usual = (await wish_of(emptied, user.id, clip.id)).background
    clip.s3_bgvoice_url = link
    await clip.save()

    assert (await wish_of(emptied, user.id, clip.id)).background == usual
    assert await emptied.storage.size(usual), "the stem that the preprocess server put there"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"background": "nowhere.wav"}, "background_missing"),
        ({"background": "https://example.com/bgvoice.wav"}, "background_missing"),
        ({"seconds": 301.0}, "clip_too_long"),
        ({"seconds": 0.0}, "clip_too_long"),
    ],
)
async def test_what_cannot_be_mixed_fails_for_good(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record,
    changes: dict[str, Any], code: str,
) -> None:  # fmt: skip
    await record(sentence)
    with pytest.raises(Permanent) as failure:
        await mix(emptied, await mixing(emptied, engine, user, clip, **changes))
    assert failure.value.code == code


async def test_sounds_that_are_gone_or_unreadable_fail_for_good(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    recording = await record(sentence)
    job = await mixing(emptied, engine, user, clip)
    for make, code in ((samples.NOT_AUDIO["ffconcat"], "take_unreadable"), (None, "audio_lost")):
        if make is None:
            await emptied.storage.delete(recording.s3_key)
        else:
            await emptied.storage.put(recording.s3_key, make(), container="wav")
        with pytest.raises(Permanent) as failure:
            await mix(emptied, job)
        assert failure.value.code == code
    assert job.request is not None
    await emptied.storage.put(recording.s3_key, samples.wav(), container="wav")
    await emptied.storage.put(job.request["vocal"], b"nothing to hear", container="wav")
    with pytest.raises(Permanent) as failure:
        await mix(emptied, job)
    assert failure.value.code == "stem_unreadable"


async def test_a_process_that_takes_too_long_counts_as_a_try(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    hasty = replace(emptied, mixer=Mixer(seconds_each=0.01))

    with pytest.raises(Transient) as failure:
        await mix(hasty, await mixing(emptied, engine, user, clip))

    assert failure.value.code == "mixing_failed"


def mixing_process() -> int | None:
    """The process that mixes for this one."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            words = file.read_bytes().split(b"\0")
            if b"yousync.mixing.hand" in words and str(os.getpid()).encode() in words:
                return int(file.parent.name)
    return None


async def test_a_deploy_in_the_middle_of_a_mix_hands_it_back_and_burns_nothing(
    emptied: Deps, engine: Engine, identity: Identity, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    job = await order(engine, user, await wish_of(emptied, user.id, clip.id), clip.id)
    async with worker(emptied, identity):
        os.kill(await until(mixing_process), signal.SIGSTOP)  # it will not be done when the worker has to go
    back = await read(emptied, job)
    assert (back.state, back.claim, back.tries) == (State.REQUESTED, "", 0)
    assert (await emptied.store.events(job.id))[-1].move == Move.RELEASE
    assert mixing_process() is None
    async with worker(emptied, identity):
        assert (await ended(engine, job)).status == "completed"


async def test_those_beyond_what_may_be_mixed_at_once_stand_in_line(
    emptied: Deps, engine: Engine, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    wish = await wish_of(emptied, user.id, clip.id)
    store = Store(emptied.valkey, emptied.valkey, emptied.settings.model_copy(update={"mix_max_in_flight": 1}))
    wishes = [wish.model_copy(update={"seconds": seconds}) for seconds in (5.0, 6.0)]
    first, second = [await order(engine, user, each, clip.id) for each in wishes]
    held = await store.claim(first.id, first.version)
    assert held is not None

    assert await store.claim(second.id, second.version) is None

    (gate,) = [gate for gate in (await store.stats()).gates if gate.stage is Stage.MIX]
    assert gate.held == 1
    await emptied.valkey.delete(QUEUE)
    await store.move(held, Move.FINISH, claim_next=True)
    assert (second.id, second.version) in await queued(emptied), "room was made, so the one that waits is next"
    assert await store.claim(second.id, second.version) is not None
