"""Webhooks: who may send one, when it may come, and what is answered, as a table."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.script import Script
from tests.processes import WebProcess, running
from tests.standing_in import Control
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import follow
from tests.yousync.test_webhooks import SECRET
from web.wiring import DEPS
from yousync import webhooks
from yousync.local.port import free_port
from yousync.local.valkey import Valkey
from yousync.settings import Settings

GOOD = {"result": {"overall_score": 0.9, "word_analysis": [{"word": "we"}]}}
OTHER = {"result": {"overall_score": 0.1, "word_analysis": [{"word": "no"}]}}
_pitch = iter(range(5000, 7900, 7))


async def held_job(client: aiohttp.ClientSession, script: Script, analysis: Control) -> str:
    """A job that has been asked about, and whose result nobody but the test will send."""
    await analysis.behave("never")
    data = form(recording(pitch=next(_pitch)))
    async with client.post(f"/scripts/{script.id}/upload-audio", data=data) as reply:
        job_id = str((await reply.json())["job_id"])
    await until(lambda: analysis.asked(job_id))
    return job_id


async def send(
    client: aiohttp.ClientSession,
    settings: Settings,
    job_id: str,
    body: Any,
    *,
    noun: str = "scripts",
    signed: Any = None,
    **query: str,
) -> tuple[int, dict[str, Any]]:
    query = {"job_id": job_id, "token": webhooks.sign(settings, job_id)} | query
    how = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
    async with client.post(f"/{noun}/webhook/analysis-complete", params=query, headers=signed, **how) as reply:
        return reply.status, await reply.json(content_type=None)


@pytest.mark.parametrize("noun", ["scripts", "tokens"])
@pytest.mark.parametrize("shape", [GOOD, {"analysis_results": GOOD["result"]}, GOOD["result"]])
async def test_both_shapes_on_both_routes(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control, noun: str, shape: Any
) -> None:
    job_id = await held_job(client, script, analysis)
    status, body = await send(client, settings, job_id, shape, noun=noun, task_id="t1")
    assert (status, body["received"], body["job_id"]) == (200, True, job_id)
    assert body.get("task_id") == ("t1" if noun == "tokens" else None)
    stream = await follow(client, job_id)
    assert stream.last["result"]["result"]["word_analysis"] == [{"word": "we"}]


async def test_of_fifty_at_once_one_counts(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    replies = await asyncio.gather(*(send(client, settings, job_id, GOOD) for _ in range(50)))
    assert {status for status, _ in replies} == {200}
    assert (await follow(client, job_id)).statuses[-1] == "completed"
    assert await AnalysisResult.filter(job_id=job_id).count() == 1


async def test_a_later_one_changes_nothing(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    await send(client, settings, job_id, GOOD)
    await follow(client, job_id)
    for late in (OTHER, {"status": "failed"}):
        status, body = await send(client, settings, job_id, late)
        assert status == 200
        assert body["message"]
    assert (await AnalysisResult.get(job_id=job_id)).overall_score == 0.9


async def test_one_that_comes_before_the_reply_is_not_overwritten(
    client: aiohttp.ClientSession, script: Script, analysis: Control
) -> None:
    await analysis.behave("early", reply_delay_s=0.3)
    data = form(recording(pitch=next(_pitch)))
    async with client.post(f"/scripts/{script.id}/upload-audio", data=data) as reply:
        job_id = (await reply.json())["job_id"]
    stream = await follow(client, job_id)
    assert stream.statuses[-1] == "completed"


async def test_a_reported_failure_is_a_failed_job_with_a_message(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    failure = {"status": "failed", "error": {"code": "no_speech", "message": "nothing but silence"}}
    assert (await send(client, settings, job_id, failure))[0] == 200
    stream = await follow(client, job_id)
    assert (stream.last["status"], stream.last["progress"]) == ("failed", 0)
    assert "목소리" in stream.last["message"]
    row = await AnalysisResult.get(job_id=job_id)
    assert (row.state, row.code) == ("failed", "no_speech")
    assert "nothing but silence" in str(row.history), "operators see the cause"
    assert "nothing but silence" not in str(stream.last), "learners do not"


@pytest.mark.parametrize("query", [{"token": "wrong"}, {"token": ""}, {"token": "한글"}])
async def test_without_its_token_every_job_is_the_same_stranger(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control, query: dict[str, str]
) -> None:
    job_id = await held_job(client, script, analysis)
    answers = []
    for named in (job_id, "0" * 32):
        status, body = await send(client, settings, named, GOOD, **query)
        assert status == 401
        answers.append({key: value for key, value in body.items() if key != "request_id"})
    assert answers[0] == answers[1]
    async with client.get(f"/scripts/analysis-result/{job_id}") as reply:
        assert (await reply.json())["status"] == "processing"


@pytest_asyncio.fixture
async def signing(settings: Settings, app: web.Application, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A web process of the same service that wants signatures."""
    other = WebProcess(settings, logs=tmp_path, port=free_port(), WEBHOOK_SECRET=f"{SECRET},whsec_{'AAAA' * 8}")
    async with running(other), aiohttp.ClientSession(other.url) as client:
        yield client


def signature_of(body: bytes, *, age: float = 0.0, secret: str = SECRET) -> dict[str, str]:
    at = str(int(time.time() - age))
    signature = webhooks.signature(secret, "msg_1", at, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,AAAA {signature}"}


async def test_where_a_secret_is_set_only_what_was_signed_with_it_is_taken(
    client: aiohttp.ClientSession,
    signing: aiohttp.ClientSession,
    settings: Settings,
    script: Script,
    analysis: Control,
) -> None:
    job_id, body = await held_job(client, script, analysis), orjson.dumps(GOOD)
    good = signature_of(body)
    refused = [
        {},
        *({name: value for name, value in good.items() if name != missing} for missing in good),
        signature_of(body, secret="whsec_" + "BBBB" * 8),
        signature_of(body, age=600),
        signature_of(body, age=-600),
        signature_of(orjson.dumps(OTHER)),
    ]
    for headers in refused:
        for sent in (body, b"{"):
            status, answer = await send(signing, settings, job_id, sent, signed=headers)
            assert (status, answer["code"]) == (401, "webhook_signature_invalid"), headers
    status, answer = await send(signing, settings, job_id, body, signed=good, token="wrong")
    assert (status, answer["code"]) == (401, "webhook_token_invalid"), "it does not stand in for the token"
    malformed = await send(signing, settings, job_id, b"{", signed=signature_of(b"{"))
    assert (malformed[0], malformed[1]["code"]) == (400, "malformed_webhook")
    assert (await send(signing, settings, job_id, body, signed=good))[0] == 200
    assert (await follow(client, job_id)).last["result"]["result"]["word_analysis"] == [{"word": "we"}]


async def test_the_token_of_another_job_is_no_token(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    status, _ = await send(client, settings, job_id, GOOD, token=webhooks.sign(settings, "0" * 32))
    assert status == 401


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"x"', b"<html>", b"\xff\xfe", b'{"a":' * 2000 + b"1" + b"}" * 2000]
)
async def test_what_is_no_object_is_malformed_and_loses_nothing(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control, body: bytes
) -> None:
    job_id = await held_job(client, script, analysis)
    status, answer = await send(client, settings, job_id, body)
    assert (status, answer["code"]) == (400, "malformed_webhook")
    await send(client, settings, job_id, GOOD)
    assert (await follow(client, job_id)).statuses[-1] == "completed"


async def test_no_job_id_is_malformed(client: aiohttp.ClientSession, settings: Settings) -> None:
    status, answer = await send(client, settings, "", GOOD)
    assert (status, answer["code"]) == (400, "malformed_webhook")


async def test_one_that_is_too_large_is_refused(
    client: aiohttp.ClientSession, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    status, answer = await send(client, settings, job_id, b" " * (settings.max_webhook_bytes + 1))
    assert (status, answer["code"]) == (413, "webhook_too_large")


async def test_a_job_nobody_knows_is_not_worth_sending_again(
    client: aiohttp.ClientSession, app: web.Application, settings: Settings
) -> None:
    status, _ = await send(client, settings, "0" * 32, GOOD)
    assert status == 200
    assert (await app[DEPS].store.evidence("0" * 32))[0] is None


async def test_a_result_whose_record_is_lost_is_kept_for_its_row(
    client: aiohttp.ClientSession, app: web.Application, settings: Settings, script: Script, analysis: Control
) -> None:
    job_id = await held_job(client, script, analysis)
    deps = app[DEPS]
    await deps.valkey.delete(f"yousync:job:{job_id}")
    assert (await send(client, settings, job_id, GOOD))[0] == 200
    assert (await send(client, settings, job_id, OTHER))[0] == 200
    assert b"we" in ((await deps.store.evidence(job_id))[0] or b"")
    assert await deps.valkey.ttl(f"yousync:inbox:{job_id}") > 3600


async def test_without_valkey_it_is_to_be_sent_again(settings: Settings, app: web.Application, tmp_path: Path) -> None:
    """Only a durable result is answered 200."""
    valkey = Valkey(tmp_path / "valkey", logs=tmp_path, port=free_port(), password="of-its-own")
    await valkey.start()
    other = WebProcess(settings, logs=tmp_path, port=free_port(), REDIS_URL=valkey.url)
    await other.start()
    try:
        await valkey.kill()
        async with aiohttp.ClientSession(other.url) as client:
            status, body = await send(client, settings, "0" * 32, GOOD)
            async with client.get("/readyz") as reply:
                assert reply.status == 503
            async with client.get("/livez") as reply:
                assert reply.status == 200
    finally:
        await other.stop()
    assert (status, body["code"]) == (503, "dependency_down")
