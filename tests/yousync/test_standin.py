"""The stand-in does what it is told, and its ledger says what it got."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from yousync.local.port import free_port
from yousync.local.standin.app import make_app

WORDS = [{"id": 1, "word": "You"}, {"id": 2, "word": "missed"}, {"id": 3, "word": "it"}]


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


class Backend:
    """Asks the stand-in and receives its webhooks."""

    def __init__(self, session: aiohttp.ClientSession, url: str, hook: str, ledger: Path) -> None:
        self.session, self.url, self.hook, self.ledger_file = session, url, hook, ledger
        self.got: list[tuple[str, bytes]] = []
        self.statuses: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.query["job_id"], await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def ask(self, job_id: str, *, key: bool = True) -> tuple[int, dict[str, Any]]:
        data = {
            "s3_audio_url": f"s3://b/{job_id}",
            "webhook_url": f"{self.hook}?job_id={job_id}",
            "script": {"id": 1, "words": WORDS},
        }
        headers = {"Idempotency-Key": job_id} if key else {}
        async with self.session.post(
            f"{self.url}/analyze", data={"request_data": json.dumps(data)}, headers=headers
        ) as reply:
            return reply.status, await reply.json()

    async def tell(self, path: str, what: Any) -> dict[str, Any]:
        async with self.session.post(f"{self.url}/{path}", json=what) as reply:
            assert reply.status == 200, await reply.text()
            told: dict[str, Any] = await reply.json()
            return told

    async def lines(self, job_id: str) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.url}/ledger", params={"job_id": job_id}) as reply:
            found: list[dict[str, Any]] = (await reply.json())["lines"]
            return found

    async def state(self, job_id: str) -> tuple[int, str | None]:
        async with self.session.get(f"{self.url}/analyses/{job_id}") as reply:
            return reply.status, (await reply.json()).get("status")

    async def called(self, count: int) -> list[str]:
        await until(lambda: len(self.got) >= count)
        return [job_id for job_id, _ in self.got]


async def serve(stack: AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", free_port())
    await site.start()
    return site.name


@pytest_asyncio.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with AsyncExitStack() as stack:
        ledger = tmp_path / "deep" / "ledger.jsonl"
        url = await serve(stack, make_app(ledger))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Backend(session, url, "", ledger)
        receiver = web.Application()
        receiver.router.add_post("/hook", made.take)
        made.hook = await serve(stack, receiver) + "/hook"
        yield made


async def test_normal_is_a_reply_and_one_webhook_with_the_words(backend: Backend) -> None:
    assert await backend.ask("a") == (202, {"job_id": "a", "task_id": "a", "status": "accepted"})
    await backend.called(1)

    body = json.loads(backend.got[0][1])
    assert [word["word"] for word in body["result"]["word_analysis"]] == ["You", "missed", "it"]
    assert body["result"]["engine"]["name"] == "standin"
    assert await backend.state("a") == (200, "completed")
    assert await backend.state("never heard of") == (404, None)


async def test_the_token_shape_too(backend: Backend) -> None:
    form = {
        "s3_audio_url": "s3://b/t",
        "video_id": "4",
        "webhook_url": f"{backend.hook}?job_id=t",
        "script": json.dumps({"scripts": [{"words": WORDS}, {"words": WORDS}]}),
    }
    async with backend.session.post(f"{backend.url}/analyze", data=form) as reply:
        assert reply.status == 202
    await backend.called(1)
    assert len(json.loads(backend.got[0][1])["result"]["word_analysis"]) == 6
    assert (await backend.lines("t"))[0]["shape"] == "token"


async def test_early_calls_before_it_replies(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "early"})
    await backend.ask("e")
    assert [job_id for job_id, _ in backend.got] == ["e"]


async def test_duplicate_calls_twice(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "duplicate"})
    await backend.ask("d")
    assert await backend.called(2) == ["d", "d"]
    assert backend.got[0] == backend.got[1]


async def test_held_webhooks_go_out_in_the_order_asked_for(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "never"})
    for job_id in "abcd":
        await backend.ask(job_id)
    assert backend.got == []
    assert await backend.state("a") == (200, "running")

    await backend.tell("release", {"job_ids": ["c", "a"]})
    assert await backend.called(2) == ["c", "a"]
    assert (await backend.tell("release", {}))["sent"] == [{"job_id": job, "status": 200} for job in "db"]


async def test_failures_and_bodies_as_told(backend: Backend) -> None:
    await backend.tell(
        "behaviour", [{"mode": "fail", "count": 1}, {"body": "{not json", "count": 1}, {"body": {"x": 1}, "count": 1}]
    )
    for job_id in "abcd":
        await backend.ask(job_id)
    await backend.called(4)

    bodies = dict(backend.got)
    assert json.loads(bodies["a"])["error"]["code"] == "no_speech"
    assert bodies["b"] == b"{not json"
    assert json.loads(bodies["c"]) == {"x": 1}
    assert json.loads(bodies["d"])["status"] == "completed"


async def test_inline_answers_hold_the_result_and_no_webhook_follows(backend: Backend) -> None:
    await backend.tell("behaviour", [{"mode": "inline", "count": 1}, {"mode": "inline_scores", "count": 1}])
    assert "word_analysis" in (await backend.ask("a"))[1]["analysis_results"]
    assert len((await backend.ask("b"))[1]["scores"]) == 3
    assert backend.got == []


@pytest.mark.parametrize("status", [400, 500, 503])
async def test_errors_as_told_for_as_many_requests_as_told(backend: Backend, status: int) -> None:
    await backend.tell("behaviour", {"mode": f"http_{status}", "count": 2})
    assert [(await backend.ask("a"))[0] for _ in range(3)] == [status, status, 202]
    assert [line["event"] for line in await backend.lines("a")].count("run") == 1


@pytest.mark.parametrize(("mode", "calls"), [("drop", []), ("drop_after", ["a"])])
async def test_cut_connections(backend: Backend, mode: str, calls: list[str]) -> None:
    await backend.tell("behaviour", {"mode": mode, "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await backend.ask("a")
    assert await backend.called(len(calls)) == calls
    assert (await backend.lines("a"))[0]["mode"] == mode


async def test_the_same_key_starts_one_analysis_unless_told_otherwise(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "hold"})
    for _ in range(3):
        await backend.ask("a")
    assert len((await backend.tell("release", {}))["sent"]) == 1
    await backend.ask("a")  # ended: told again
    await backend.called(2)
    await backend.tell("behaviour", {"honour_idempotency": False})
    await backend.ask("a")
    await backend.called(3)
    events = [line["event"] for line in await backend.lines("a")]
    assert (events.count("request"), events.count("run")) == (5, 2)


async def test_webhooks_are_tried_until_taken(backend: Backend) -> None:
    backend.statuses = [503, 500]
    await backend.ask("a")
    await backend.called(3)
    statuses: list[int] = []
    while statuses != [503, 500, 200]:
        assert len(statuses) <= 3
        statuses = [line["status"] for line in await backend.lines("a") if line["event"] == "webhook"]


async def test_the_ledger_is_on_disk_before_the_reply(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "http_500"})
    await backend.ask("a")
    text = await asyncio.to_thread(backend.ledger_file.read_text)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["event"], line["job_id"], line["idempotency_key"]) for line in lines] == [("request", "a", "a")]


async def test_reset_forgets_all_but_the_ledger(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "hold"})
    await backend.ask("a")
    await backend.tell("reset", {})
    assert (await backend.tell("release", {}))["sent"] == []
    assert (await backend.ask("b"))[0] == 202
    assert await backend.called(1) == ["b"]
    assert [line["event"] for line in await backend.lines("a")] == ["request", "run"]


async def test_reset_gives_up_requests_under_way(backend: Backend) -> None:
    await backend.tell("behaviour", {"mode": "hold", "reply_delay_s": 0.3})
    asking = asyncio.create_task(backend.ask("a"))
    await asyncio.sleep(0.1)
    await backend.tell("reset", {})
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert (await backend.tell("release", {}))["sent"] == []


async def test_nonsense_is_refused(backend: Backend) -> None:
    async with backend.session.post(f"{backend.url}/behaviour", json={"mode": "dance"}) as reply:
        assert reply.status == 422
    async with backend.session.post(f"{backend.url}/analyze", data={"x": "y"}) as reply:
        assert reply.status == 400
