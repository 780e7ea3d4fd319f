"""Recordings that come together: all of them become jobs or none does, and their progress is read at once."""

from __future__ import annotations

import io
import uuid
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.script import Script
from models.user import User
from tests.factories import bearer_of, make_script, make_user
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from tests.web.conftest import recording
from web.wiring import BUDGET, DEPS
from yousync.settings import Settings


def batch(token_ids: str, *files: bytes, first: bool = True) -> aiohttp.FormData:
    """The form, with its text before the files or behind them."""
    data = aiohttp.FormData()
    if first:
        data.add_field("token_ids", token_ids)
    for number, audio in enumerate(files):
        data.add_field("files", io.BytesIO(audio), filename=f"{number}.wav", content_type="audio/wav")
    if not first:
        data.add_field("token_ids", token_ids)
    return data


async def send(
    client: aiohttp.ClientSession, data: aiohttp.FormData, bearer: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    async with client.post("/tokens/batch-upload/", data=data, headers=bearer) as reply:
        return reply.status, await reply.json(content_type=None)


async def progress(client: aiohttp.ClientSession, job_ids: str) -> tuple[int, dict[str, Any]]:
    async with client.get("/tokens/batch-progress/", params={"job_ids": job_ids}) as reply:
        return reply.status, await reply.json(content_type=None)


def tones(*pitches: float) -> list[bytes]:
    return [recording(0.2, pitch) for pitch in pitches]


@pytest.mark.parametrize("first", [True, False], ids=["text first", "files first"])
async def test_from_a_batch_to_its_scores(
    client: aiohttp.ClientSession,
    script: Script,
    user: User,
    bearer: dict[str, str],
    analysis: Control,
    first: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    other = await make_script("another clip")
    await analysis.behave("hold")
    files = tones(300 + first, 310 + first)
    status, body = await send(client, batch(f"{script.token_id}, {other.token_id}", *files, first=first), bearer)
    assert (status, body["total_files"], len(body["job_ids"])) == (202, 2, 2)
    ids = body["job_ids"]

    async def waiting() -> bool:
        told = (await progress(client, ",".join(ids)))[1]
        return {entry["progress"] for entry in told["batch_results"]} == {80}

    await until(waiting)
    await analysis.release(ids[:1])

    async def half() -> bool:
        told = (await progress(client, ",".join(ids)))[1]
        return bool(told["batch_results"][0]["status"] == "completed")

    await until(half)
    _, told = await progress(client, ",".join([*ids, "nobody"]))
    assert [entry["token_id"] for entry in told["batch_results"][:2]] == [script.token_id, other.token_id]
    assert told["batch_results"][2] == {
        "job_id": "nobody",
        "status": "not_found",
        "progress": 0,
        "message": "작업을 찾을 수 없습니다",
    }
    assert told["summary"] == {"total_jobs": 3, "completed": 1, "failed": 1, "in_progress": 1, "overall_progress": 60.0}
    rows = await AnalysisResult.filter(job_id__in=ids)
    assert {(row.kind, row.user_id, row.script_id) for row in rows} == {("batch", user.id, None)}
    again = await send(client, batch(f"{script.token_id},{other.token_id}", *files), bearer)
    assert again[1]["job_ids"] == ids, "the same batch is the same jobs"


async def test_the_same_file_twice_in_a_batch_is_one_job(
    client: aiohttp.ClientSession, script: Script, bearer: dict[str, str]
) -> None:
    [audio] = tones(330)
    _, body = await send(client, batch(f"{script.token_id},{script.token_id}", audio, audio), bearer)
    assert len(body["job_ids"]) == 2
    assert len(set(body["job_ids"])) == 1


async def nothing_came(app: web.Application, jobs: int) -> None:
    """No job and no audio, and no bytes held."""
    assert await AnalysisResult.all().count() == jobs
    staged = {key.decode().rsplit(":", 1)[1] for key in await app[DEPS].valkey.keys("yousync:audio:*")}
    assert await app[DEPS].store.existing(list(staged)) == staged, "audio of no job"
    assert app[BUDGET].in_flight == 0


@pytest.mark.parametrize(
    ("ids", "files", "status", "code"),
    [
        ("{0}", 2, 400, "batch_mismatch"),
        ("", 1, 400, "batch_mismatch"),
        ("{0},2147483647", 2, 404, "token_not_found"),
        ("{0},x", 2, 422, "validation_failed"),
        ("{0},99999999999999", 2, 422, "validation_failed"),
        ("{0},00000000001" + "9" * 5000, 2, 422, "validation_failed"),
        ("{0},{0}", 0, 422, "validation_failed"),
        ("{0}," * 21, 21, 422, "validation_failed"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(
    app: web.Application,
    client: aiohttp.ClientSession,
    script: Script,
    bearer: dict[str, str],
    ids: str,
    files: int,
    status: int,
    code: str,
) -> None:
    jobs = await AnalysisResult.all().count()
    data = batch(ids.format(script.token_id), *tones(*(400.0 + number for number in range(files))))
    found, body = await send(client, data, bearer)
    assert (found, body["code"]) == (status, code)
    await nothing_came(app, jobs)


async def test_one_file_that_is_no_recording_keeps_all_out(
    app: web.Application, client: aiohttp.ClientSession, script: Script, bearer: dict[str, str]
) -> None:
    jobs = await AnalysisResult.all().count()
    data = batch(f"{script.token_id},{script.token_id}", *tones(340), b"no sound at all")
    status, body = await send(client, data, bearer)
    assert (status, body["code"]) == (422, "audio_unrecognised")
    assert body["detail"].startswith("2번째 파일")
    await nothing_came(app, jobs)


async def test_a_learner_s_limit_holds_for_the_whole_batch(
    app: web.Application, client: aiohttp.ClientSession, settings: Settings, script: Script
) -> None:
    learner = await make_user()
    owner = f"yousync:owner:user:{learner.id}"
    there = [uuid.uuid4().hex for _ in range(settings.max_jobs_per_user - 1)]
    await command(app[DEPS].valkey, "SADD", owner, *there)
    jobs = await AnalysisResult.all().count()
    data = batch(f"{script.token_id},{script.token_id}", *tones(350, 351))
    status, body = await send(client, data, await bearer_of(settings, learner))
    assert (status, body["code"]) == (429, "too_many_jobs")
    await nothing_came(app, jobs)
    await command(app[DEPS].valkey, "DEL", owner)


async def test_who_sends_one_is_signed_in(client: aiohttp.ClientSession, script: Script) -> None:
    assert (await send(client, batch(str(script.token_id), *tones(360)), {}))[0] == 401


@pytest.mark.parametrize(
    ("job_ids", "status"), [("", 400), (" , ", 400), (",".join(["0" * 32] * 101), 422), ("0" * 32, 200)]
)
async def test_some_but_not_too_many_can_be_asked_about(
    client: aiohttp.ClientSession, job_ids: str, status: int
) -> None:
    assert (await progress(client, job_ids))[0] == status


async def test_without_a_queue_operators_are_told_so(
    client: aiohttp.ClientSession, settings: Settings, bearer: dict[str, str]
) -> None:
    admin = await bearer_of(settings, await make_user(is_admin=True))
    async with client.get("/tokens/queue/status/", headers=admin) as reply:
        told = await reply.json()
    assert (told["status"], told["sqs_enabled"]) == ("error", False)
    async with client.get("/tokens/queue/status", headers=bearer) as reply:
        assert reply.status == 403
