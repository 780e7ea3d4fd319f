"""Videos: handed in once, asked for once, followed to the clips that were made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.script import Script
from models.user import User
from tests.standing_in import Control
from tests.waiting import until
from tests.web.conftest import serving
from tests.web.following import read_stream
from web.app import make_app
from yousync import webhooks
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.settings import Settings

VIDEO = {"youtube_url": "https://youtu.be/abcdefghijk?t=3", "movie_name": "영화", "actor_name": "배우"}
CANONICAL = "https://www.youtube.com/watch?v=abcdefghijk"


@pytest_asyncio.fixture(scope="module")
async def settings(settings: Settings, standin: Standin) -> Settings:
    """The stand-in plays the preprocess server."""
    webhook = f"http://127.0.0.1:{settings.port}/youtube/webhook/process-complete"
    urls = {"preprocess_server_url": standin.url, "youtube_webhook_url": webhook}
    return settings.model_copy(update=urls)


async def hand_in(client: aiohttp.ClientSession, bearer: dict[str, str], **changes: Any) -> tuple[int, dict[str, Any]]:
    async with client.post("/youtube/process", json=VIDEO | changes, headers=bearer) as reply:
        return reply.status, await reply.json(content_type=None)


async def status_of(client: aiohttp.ClientSession, job_id: str) -> dict[str, Any]:
    async with client.get(f"/youtube/process-status/{job_id}") as reply:
        assert reply.status == 200
        found: dict[str, Any] = await reply.json()
        return found


async def follow(client: aiohttp.ClientSession, job_id: str) -> list[dict[str, Any]]:
    async with client.get(f"/youtube/process-progress/{job_id}") as reply:
        assert reply.content_type == "text/event-stream"
        return [message.data for message in (await read_stream(reply)).messages]


async def call(client: aiohttp.ClientSession, settings: Settings, job_id: str, body: Any) -> int:
    """What the preprocess server is answered."""
    url = webhooks.url(settings, "/youtube/webhook/process-complete", job_id)
    async with client.post(url, json=body) as reply:
        return reply.status


async def test_from_a_video_to_its_clips(
    client: aiohttp.ClientSession, script: Script, user: User, bearer: dict[str, str], analysis: Control
) -> None:
    await analysis.behave("hold", body={"token_id": [script.token_id]})
    status, body = await hand_in(client, bearer)
    job_id = body["job_id"]
    assert (status, len(job_id)) == (202, 32)
    assert body == {"job_id": job_id, "status": "processing", "message": "영상 처리를 시작합니다", "token_id": None}
    assert (await hand_in(client, bearer, youtube_url=CANONICAL))[1]["job_id"] == job_id, "the same video"

    async def waits() -> bool:
        return bool((await status_of(client, job_id))["progress"] == 70)

    await until(waits)
    [line] = await analysis.requests(job_id)
    asked = line["fields"]
    assert asked.keys() == {"youtube_url", "movie_name", "actor_name", "webhook_url", "job_id"}
    assert (asked["youtube_url"], asked["movie_name"], asked["job_id"]) == (CANONICAL, "영화", job_id)
    assert line["idempotency_key"] == job_id
    await analysis.release([job_id])
    told = await follow(client, job_id)
    clips = {"token_id": script.token_id, "token_ids": [script.token_id]}
    assert told[-1] == {
        "job_id": job_id,
        "status": "completed",
        "progress": 100,
        "message": "영상 처리가 완료되었습니다",
        "result": {"token_ids": [script.token_id]},
        **clips,
    }
    assert await status_of(client, job_id) == told[-1]
    assert {message["progress"] for message in told} <= {10, 40, 70, 100}
    row = await AnalysisResult.get(job_id=job_id)
    assert (row.kind, row.user_id, row.token_id, row.request["youtube_url"]) == ("youtube", user.id, None, CANONICAL)


@pytest.mark.parametrize("body", [{"token_id": None, "status": "failed", "message": "no face"}, {"token_ids": []}])
async def test_a_video_that_yields_nothing_has_failed(
    client: aiohttp.ClientSession, settings: Settings, bearer: dict[str, str], analysis: Control, body: dict[str, Any]
) -> None:
    await analysis.behave("hold")
    job_id = (await hand_in(client, bearer, movie_name=str(body)))[1]["job_id"]
    await until(lambda: analysis.asked(job_id))
    assert await call(client, settings, job_id, body) == 200
    last = (await follow(client, job_id))[-1]
    assert (last["status"], last["progress"], last["token_ids"]) == ("failed", 0, None)
    assert last["message"] == "영상 처리에 실패했습니다", "what the server said is for operators"


async def test_its_webhook_wants_its_token(
    client: aiohttp.ClientSession, bearer: dict[str, str], analysis: Control
) -> None:
    await analysis.behave("hold")
    job_id = (await hand_in(client, bearer, movie_name="guarded"))[1]["job_id"]
    for query in ({"job_id": job_id}, {"job_id": job_id, "token": "x"}):
        async with client.post("/youtube/webhook/process-complete", params=query, json={"token_ids": [1]}) as reply:
            assert reply.status == 401


async def test_videos_and_recordings_are_not_shown_as_each_other(
    client: aiohttp.ClientSession, bearer: dict[str, str], analysis: Control
) -> None:
    await analysis.behave("hold")
    job_id = (await hand_in(client, bearer, movie_name="another noun"))[1]["job_id"]
    for path in ("/tokens/analysis-result", "/scripts/analysis-result", "/tokens/analysis-progress"):
        async with client.get(f"{path}/{job_id}") as reply:
            assert reply.status == 404
    for path in ("/youtube/process-status", "/youtube/process-progress"):
        async with client.get(f"{path}/{'0' * 32}") as reply:
            assert reply.status == 404


@pytest.mark.parametrize(
    "changes",
    [
        *({"youtube_url": "https://example.com/v"}, {"youtube_url": 7}),
        *({"movie_name": ""}, {"movie_name": " "}, {"movie_name": "a\0b"}, {"actor_name": None}, {"actor_name": "\0"}),
    ],
)
async def test_what_is_no_video_is_refused(
    client: aiohttp.ClientSession, bearer: dict[str, str], changes: dict[str, Any]
) -> None:
    status, body = await hand_in(client, bearer, **changes)
    assert (status, body["errors"][0]["pointer"]) == (422, f"/body/{next(iter(changes))}")


async def test_who_hands_one_in_is_signed_in(client: aiohttp.ClientSession) -> None:
    assert (await hand_in(client, {}))[0] == 401


@pytest_asyncio.fixture
async def without(app: web.Application, settings: Settings) -> AsyncIterator[str]:
    """A service that knows no preprocess server."""
    port = free_port()
    made = make_app(settings.model_copy(update={"preprocess_server_url": None}), with_worker=False)
    async with serving(made, port):
        yield f"http://127.0.0.1:{port}"


async def test_without_a_preprocess_server_the_answer_says_so(without: str, bearer: dict[str, str]) -> None:
    async with aiohttp.ClientSession(without) as client:
        status, body = await hand_in(client, bearer)
    assert (status, body["code"]) == (503, "preprocessing_not_configured")
