"""The analysis client: the requests existing servers know, and what their answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.jobs.conftest import a_job
from tests.yousync.test_webhooks import with_keys
from yousync.analysis import AnalysisClient, Progress, Question, Sentence, Word, open_analysis
from yousync.failures import Down, Permanent, Transient, Unclear
from yousync.job import Kind
from yousync.local.port import free_port
from yousync.settings import Settings
from yousync.webhooks import verify

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
WORDS = [Word(id=5, word="안녕", start_time=1.0, end_time=1.5), Word(id=6, word=None, start_time=None, end_time=None)]
QUESTION = Question(
    audio_uri="s3://bucket/a.wav",
    sentences=[Sentence(id=3, start_time=1.0, end_time=2.0, words=WORDS)],
    pitch_uri="s3://bucket/p.json",
)
SCRIPT = a_job()
TOKEN = replace(SCRIPT, kind=Kind.TOKEN, script_id=None)


class Server:
    """An analysis server that keeps what it was sent and answers as told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: Answer = self.accepted
        self.url = ""
        self.over = asyncio.Event()

    async def accepted(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "accepted"})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.seen.append((request.path, form, dict(request.headers)))
        return await self.answer(request)

    def settings(self, **changes: object) -> Settings:
        given = with_keys("w" * 32).model_dump() | {
            "target_server_url": f"{self.url}/tokens",
            "script_target_server_url": f"{self.url}/scripts",
            "webhook_url": "https://api.example/tokens/hook",
            "script_webhook_url": "https://api.example/scripts/hook?v=2",
            "analysis_status_url": f"{self.url}/analyses/{{job_id}}",
        }
        return Settings.load(_env_file=None, **(given | changes))


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    async with TestServer(app) as running:
        made.url = str(running.make_url("")).rstrip("/")
        yield made
        made.over.set()


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[AnalysisClient]:
    async with open_analysis(server.settings()) as opened:
        yield opened


def answering(status: int, body: str = "{}", headers: dict[str, str] | None = None) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return answer


async def test_a_sentence_is_one_field_of_json(server: Server, client: AnalysisClient) -> None:
    assert await client.ask(SCRIPT, QUESTION) is None
    path, form, headers = server.seen[0]
    assert path == "/scripts"
    assert list(form) == ["request_data"]
    assert "안녕" in form["request_data"], "not escaped"
    data = json.loads(form["request_data"])
    assert data["s3_audio_url"] == "s3://bucket/a.wav"
    assert data["s3_pitch_url"] == "s3://bucket/p.json"
    assert data["script"]["id"] == 3
    assert data["script"]["words"][0] == {"id": 5, "word": "안녕", "start_time": 1.0, "end_time": 1.5}
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Idempotency-Key"] == SCRIPT.id
    query = parse_qs(urlsplit(data["webhook_url"]).query)
    assert query["v"] == ["2"]
    assert query["job_id"] == [SCRIPT.id]
    assert verify(server.settings(), SCRIPT.id, query["token"][0])


async def test_without_a_pitch_a_sentence_has_the_keys_that_every_server_knows(
    server: Server, client: AnalysisClient
) -> None:
    await client.ask(SCRIPT, replace(QUESTION, pitch_uri=""))
    assert json.loads(server.seen[0][1]["request_data"]).keys() == {"s3_audio_url", "webhook_url", "script"}


async def test_a_clip_is_a_form(server: Server, client: AnalysisClient) -> None:
    await client.ask(TOKEN, QUESTION)
    path, form, _ = server.seen[0]
    assert path == "/tokens"
    assert form["s3_audio_url"] == "s3://bucket/a.wav"
    assert form["video_id"] == str(TOKEN.token_id)
    assert form["s3_textgrid_url"] == ""
    assert form["s3_pitch_url"] == "s3://bucket/p.json"
    assert form["webhook_url"].startswith("https://api.example/tokens/hook?job_id=")


async def test_a_reply_may_hold_the_result(server: Server, client: AnalysisClient) -> None:
    server.answer = answering(200, '{"scores":{"overall_score":0.5}}')
    assert json.loads(await client.ask(TOKEN, QUESTION) or b"")["scores"] == {"overall_score": 0.5}


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Permanent),
        (404, Permanent),
        (302, Permanent),
        (500, Transient),
        (429, Down),
        (502, Down),
        (503, Down),
        (504, Unclear),
        (408, Unclear),
    ],
)
async def test_refusals_are_told_apart(
    server: Server, client: AnalysisClient, status: int, failure: type[Exception]
) -> None:
    server.answer = answering(status, headers={"Location": "http://169.254.169.254/", "Retry-After": "7"})
    with pytest.raises(failure):
        await client.ask(SCRIPT, QUESTION)
    assert len(server.seen) == 1, "a redirect is not followed"


async def test_patience_is_asked_for_in_seconds(server: Server, client: AnalysisClient) -> None:
    server.answer = answering(503, headers={"Retry-After": "7"})
    with pytest.raises(Down) as caught:
        await client.ask(SCRIPT, QUESTION)
    assert caught.value.retry_after == 7


async def test_a_server_that_is_not_there_was_not_asked(server: Server) -> None:
    nowhere = server.settings(script_target_server_url=f"http://127.0.0.1:{free_port()}/")
    async with open_analysis(nowhere) as client:
        with pytest.raises(Down):
            await client.ask(SCRIPT, QUESTION)


async def test_a_connection_cut_after_the_request_leaves_it_open_what_happened(
    server: Server, client: AnalysisClient
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.answer = cut
    with pytest.raises(Unclear):
        await client.ask(SCRIPT, QUESTION)


async def test_so_does_a_reply_that_never_comes(server: Server) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await server.over.wait()
        return web.Response()

    server.answer = slow
    async with open_analysis(server.settings(submit_timeout_seconds=0.3)) as client:
        with pytest.raises(Unclear):
            await client.ask(SCRIPT, QUESTION)


@pytest.mark.parametrize(
    ("status", "body", "progress"),
    [
        (404, "{}", Progress.UNKNOWN),
        (200, '{"status":"running"}', Progress.RUNNING),
        (200, '{"status":"queued"}', Progress.RUNNING),
        (200, '{"status":"completed","result":{}}', Progress.ENDED),
        (200, '{"status":"failed","error":{}}', Progress.ENDED),
    ],
)
async def test_the_status_url_tells_what_became_of_a_request(
    server: Server, client: AnalysisClient, status: int, body: str, progress: Progress
) -> None:
    server.answer = answering(status, body)
    found, answered = await client.progress(SCRIPT)
    assert found is progress
    assert answered == (body.encode() if progress is not Progress.UNKNOWN else b"")
    assert server.seen[0][0] == f"/analyses/{SCRIPT.id}"


async def test_a_status_url_in_trouble_says_nothing(server: Server, client: AnalysisClient) -> None:
    server.answer = answering(500)
    with pytest.raises(Down):
        await client.progress(SCRIPT)


async def test_a_reply_is_read_only_as_far_as_a_result_could_be_long(server: Server) -> None:
    server.answer = answering(200, '{"scores":"' + "x" * 5000 + '"}')
    async with open_analysis(server.settings(max_webhook_bytes=1000)) as client:
        assert await client.ask(TOKEN, QUESTION) is None
