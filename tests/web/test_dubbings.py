"""Dubbings over HTTP: made while one waits or meanwhile, kept, linked, and refused in words that help."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from jobs.ops import By
from models.analysis_result import AnalysisResult
from models.script import Script
from models.token import Token
from models.user import User
from tests import audio_samples as samples
from tests.factories import make_script, make_token, make_user
from tests.web.asking import Caller
from tests.web.following import read_stream
from web.wiring import DEPS, OPS
from yousync.job import Kind, Stage, new_job_id
from yousync.settings import Settings
from yousync.storage import Storage

Record = Callable[..., Awaitable[str]]
ME = By(who="mina", why="test")
SECONDS = 10


@pytest.fixture
def storage(app: web.Application) -> Storage:
    return app[DEPS].storage


@pytest_asyncio.fixture
async def user(app: web.Application) -> User:
    return await make_user()


@pytest_asyncio.fixture
async def me(client: aiohttp.ClientSession, settings: Settings, user: User) -> Caller:
    return await Caller.signed_in(client, settings, user)


@pytest_asyncio.fixture
async def clip(app: web.Application, storage: Storage) -> Token:
    """A clip with both stems."""
    token = await make_token()
    for name in ("bgvoice", "vocal"):
        key = f"{token.actor_name}/{token.youtube_id[-11:]}/0/{name}.wav"
        await storage.put(key, samples.wav(SECONDS), container="wav")
    return token


@pytest_asyncio.fixture
async def sentence(clip: Token) -> Script:
    return await make_script("we cross at dawn", clip)


@pytest.fixture
def record(storage: Storage, user: User) -> Record:
    """A scored recording of a sentence, as it is once its job has ended; its key."""

    async def recorded(script: Script, audio: bytes = b"") -> str:
        job_id, now = new_job_id(Kind.SCRIPT), datetime.now(UTC)
        key = f"user_audio/{user.id}/{script.token_id}/{script.id}/{job_id}.webm"
        await storage.put(key, audio or samples.encoded("webm", "libopus"), container="webm")
        await AnalysisResult.create(
            job_id=job_id,
            kind="script",
            token_id=script.token_id,
            script=script,
            user=user,
            status="completed",
            state="completed",
            progress=100,
            s3_key=key,
            incarnation="-",
            created_at=now,
            updated_at=now,
        )
        return key

    return recorded


async def made(me: Caller, clip: Token, **sent: Any) -> str:
    """The link to a dubbing; a client that is told that it takes longer asks again."""
    for _ in range(15):
        async with me.send("POST", f"/synthesize/{clip.id}", **sent) as reply:
            if reply.status == 503:
                await asyncio.sleep(float(reply.headers["Retry-After"]))
                continue
            assert reply.status == 200, await reply.text()
            told = await reply.json()
            assert told["status"] == "success"
            assert told["message"]
            return str(told["dubbing_audio_url"])
    raise AssertionError("it was never made")


def key_of(link: str) -> str:
    return urlsplit(link).path.split("/", 2)[2]


async def dubbings(user: User) -> int:
    return await AnalysisResult.filter(user=user, kind=Kind.SYNTHESIS).count()


async def test_a_dubbing_is_made_once_of_the_same_recordings_and_linked(
    me: Caller, user: User, clip: Token, sentence: Script, record: Record, client: aiohttp.ClientSession
) -> None:
    await record(sentence)

    first, second = await asyncio.gather(made(me, clip, json={}), made(me, clip))

    assert key_of(first) == key_of(second) == key_of(await made(me, clip))
    assert await dubbings(user) == 1
    assert key_of(first).startswith(f"user_Dubbing_auido/{user.id}/{clip.id}/dubbing_audio_")
    async with client.get(first) as reply:  # as <audio src> does, without a header
        assert reply.headers["Content-Type"] == "audio/wav"
        with wave.open(io.BytesIO(await reply.read())) as file:
            assert file.getnframes() == SECONDS * file.getframerate()
    latest = (await me.get(f"/tokens/{clip.id}/latest-dubbing/"))["url"]
    assert key_of(latest) == key_of(first)
    assert parse_qs(urlsplit(latest).query)["X-Amz-Expires"] == ["3600"]


async def test_another_recording_makes_another_dubbing_which_is_the_latest_then(
    me: Caller, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    first = key_of(await made(me, clip))
    await record(sentence)
    second = key_of(await made(me, clip))

    assert first != second
    assert key_of((await me.get(f"/tokens/{clip.id}/latest-dubbing"))["url"]) == second


async def test_who_does_not_want_to_wait_follows_a_job(
    me: Caller, client: aiohttp.ClientSession, settings: Settings, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    me.headers["Prefer"] = "wait=5, respond-async"

    async with me.send("POST", f"/synthesize/{clip.id}", json={}) as reply:
        assert (reply.status, reply.headers["Preference-Applied"]) == (202, "respond-async")
        told, job = await reply.json(), reply.headers["Location"]
    assert told["status"] == "processing"
    assert job == f"/synthesize/jobs/{told['job_id']}"

    async with asyncio.timeout(30), client.get(f"{job}/progress") as reply:
        assert (await read_stream(reply)).statuses[-1] == "completed"
    done = await me.get(job)
    assert (done["status"], done["progress"], done["token_id"]) == ("completed", 100, clip.id)
    assert key_of(done["dubbing_audio_url"]) == key_of(await made(me, clip))  # ready: nobody has to wait
    stranger = await Caller.signed_in(client, settings, await make_user())
    assert await stranger.refused("GET", job, 404) == "job_not_found"
    assert await me.refused("GET", f"/tokens/analysis-result/{told['job_id']}", 404) == "job_not_found"
    assert await me.refused("GET", "/synthesize/jobs/nothing", 404) == "job_not_found"


async def test_what_takes_too_long_is_found_again_by_asking_again(
    app: web.Application, me: Caller, user: User, clip: Token, sentence: Script, record: Record
) -> None:
    await record(sentence)
    await app[OPS].pause([Stage.MIX], by=ME)
    try:
        async with me.send("POST", f"/synthesize/{clip.id}") as reply:
            assert (reply.status, (await reply.json())["code"]) == (503, "dubbing_pending")
            assert int(reply.headers["Retry-After"]) > 0
    finally:
        await app[OPS].resume([Stage.MIX], by=ME)
    assert await made(me, clip)
    assert await dubbings(user) == 1


async def test_nothing_recorded_nothing_known_nobody_signed_in(
    me: Caller, client: aiohttp.ClientSession, settings: Settings, clip: Token, sentence: Script
) -> None:
    assert await me.refused("POST", f"/synthesize/{clip.id}", 404) == "no_recordings"
    assert await me.refused("POST", f"/synthesize/{2**31 - 1}", 404) == "token_not_found"
    assert await me.refused("GET", f"/tokens/{clip.id}/latest-dubbing", 404) == "dubbing_not_found"
    nobody = Caller(client)
    for method, path in (("POST", f"/synthesize/{clip.id}"), ("GET", f"/tokens/{clip.id}/latest-dubbing/")):
        assert await nobody.refused(method, path, 401) == "token_missing"


async def test_a_clip_without_background_and_a_recording_that_is_none_are_told_of(
    me: Caller, storage: Storage, clip: Token, sentence: Script, record: Record
) -> None:
    key = await record(sentence, samples.NOT_AUDIO["ffconcat"]())
    told = await me.ask("POST", f"/synthesize/{clip.id}", status=422)
    assert (told["code"], told["detail"]) == ("not_mixable", "읽을 수 없는 녹음이 있습니다. 다시 녹음해 주세요")
    await storage.put(key, samples.wav(), container="wav")
    await storage.delete(f"{clip.actor_name}/{clip.youtube_id[-11:]}/0/bgvoice.wav")
    told = await me.ask("POST", f"/synthesize/{clip.id}", status=404)
    assert told["code"] == "background_missing"
    assert "배경음" in told["detail"]
