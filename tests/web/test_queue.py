"""Requests for clips by way of an SQS queue: exactly what consumers read, and the same job whichever way it went."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from aiohttp import web

from jobs.outcomes import Waiting
from jobs.stages.submit import submit
from models.script import Script
from models.token import Token
from tests.factories import bearer_of, make_user
from tests.jobs.conftest import a_job
from tests.standing_in import Control
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import follow
from web.wiring import DEPS
from yousync import webhooks
from yousync.analysis import Progress, Question, open_analysis
from yousync.failures import Down, Transient, Unclear
from yousync.job import Kind, State
from yousync.local.port import free_port
from yousync.settings import Settings


@pytest_asyncio.fixture(scope="module")
async def sqs() -> AsyncIterator[str]:
    """A queue server in a process of its own."""
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)), stdout=quiet, stderr=quiet
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(listens, seconds=30)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    await server.wait()


@pytest_asyncio.fixture(scope="module")
async def client_of_sqs(sqs: str) -> AsyncIterator[Any]:
    async with get_session().create_client(
        "sqs", endpoint_url=sqs, region_name="ap-northeast-2", aws_access_key_id="x", aws_secret_access_key="x"
    ) as client:
        yield client


@pytest_asyncio.fixture(scope="module")
async def settings(settings: Settings, sqs: str, client_of_sqs: Any) -> Settings:
    made = await client_of_sqs.create_queue(QueueName="analysis")
    changes = {"use_sqs_queue": True, "sqs_queue_url": made["QueueUrl"], "aws_endpoint_url_sqs": sqs}
    return settings.model_copy(update=changes)


async def taken(client_of_sqs: Any, url: str) -> dict[str, Any]:
    found = await client_of_sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
    [message] = found["Messages"]
    await client_of_sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return dict(message)


async def upload(client: aiohttp.ClientSession, path: str, pitch: float, bearer: dict[str, str]) -> str:
    async with client.post(path, data=form(recording(0.2, pitch)), headers=bearer) as reply:
        assert reply.status == 202
        return str((await reply.json())["job_id"])


async def test_a_clip_goes_by_the_queue_and_its_scores_come_by_webhook(
    client: aiohttp.ClientSession,
    settings: Settings,
    script: Script,
    bearer: dict[str, str],
    client_of_sqs: Any,
    analysis: Control,
) -> None:
    await Token.filter(id=script.token_id).update(s3_pitch_url="a/pitch.json")
    job_id = await upload(client, f"/tokens/{script.token_id}/upload-audio", 500, bearer)

    async def told() -> dict[str, Any]:
        async with client.get(f"/tokens/analysis-result/{job_id}") as reply:
            return dict(await reply.json())

    async def queued() -> bool:
        return bool((await told())["status"] == "queued_for_analysis")

    await until(queued)
    assert (await told())["progress"] == 90
    admin = await bearer_of(settings, await make_user(is_admin=True))
    async with client.get("/tokens/queue/status/", headers=admin) as reply:
        assert await reply.json() == {
            "status": "success",
            "queue_info": {"messages_available": "1", "messages_in_flight": "0", "queue_url": settings.sqs_queue_url},
            "sqs_enabled": True,
        }
    message = await taken(client_of_sqs, settings.sqs_queue_url or "")
    body = json.loads(message["Body"])
    assert body.pop("timestamp").endswith("+00:00")
    bucket = settings.s3_bucket_name
    webhook = webhooks.url(settings, settings.webhook_url, job_id)
    assert body == {
        "job_id": job_id,
        "s3_audio_url": f"s3://{bucket}/audio/{job_id}.wav",
        "video_id": str(script.token_id),
        "webhook_url": webhook,
        "s3_pitch_url": f"s3://{bucket}/a/pitch.json",
        "source": "fastapi_backend",
    }
    attributes = {name: told["StringValue"] for name, told in message["MessageAttributes"].items()}
    assert attributes == {"job_type": "audio_analysis", "priority": "normal", "job_id": job_id}
    assert await analysis.asked(job_id) == 0
    async with client.post(webhook, json={"result": {"word_analysis": []}}) as reply:
        assert reply.status == 200
    assert (await follow(client, job_id, noun="tokens")).statuses[-1] == "completed"


async def test_a_sentence_goes_the_other_way(
    client: aiohttp.ClientSession, script: Script, bearer: dict[str, str], analysis: Control
) -> None:
    job_id = await upload(client, f"/scripts/{script.id}/upload-audio", 510, bearer)
    stream = await follow(client, job_id)
    assert set(stream.statuses) == {"processing", "completed"}
    assert await analysis.asked(job_id) == 1


@pytest.mark.parametrize("name", ["analysis.fifo"])
async def test_an_ordered_queue_gets_each_request_once(settings: Settings, client_of_sqs: Any, name: str) -> None:
    made = await client_of_sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    ordered = settings.model_copy(update={"sqs_queue_url": made["QueueUrl"]})
    job = a_job(kind=Kind.BATCH, asks=1)
    async with open_analysis(ordered) as client:
        for _ in range(2):
            assert await client.ask(job, QUESTION) is None
        assert client.queue is not None
        assert (await client.queue.depth()).waiting == 1


async def test_what_lies_in_the_queue_is_not_asked_for_again_because_the_server_has_not_heard_of_it(
    app: web.Application, settings: Settings
) -> None:
    """As a worker finds it that takes over from one that died just after it had sent the message."""
    careful = settings.model_copy(update={"analysis_idempotent": False})
    job = a_job(kind=Kind.TOKEN, state=State.SUBMITTING, asks=1, asked_ms=1000, updated_ms=2000)
    async with open_analysis(careful) as client:
        assert await client.progress(job) == (Progress.UNKNOWN, b"")
        outcome = await submit(replace(app[DEPS], settings=careful, analysis=client), job)
    assert outcome == Waiting(careful.analysis_wait_seconds - 1)


QUESTION = Question(audio_uri="s3://b/a.wav", sentences=[])


@pytest.mark.parametrize("linger", [0, 1])
async def test_a_connection_that_ends_after_the_request_does_not_say_whether_it_was_taken(
    settings: Settings, linger: int
) -> None:
    """Closed, or reset: for the latter aiobotocore's word is the one for a server that is not there."""

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"fastapi_backend")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", linger, 0))
        writer.transport.abort()

    port = free_port()
    broken = settings.model_copy(update={"aws_endpoint_url_sqs": f"http://127.0.0.1:{port}"})
    async with await asyncio.start_server(end, "127.0.0.1", port), open_analysis(broken) as client:
        with pytest.raises(Unclear):
            await client.ask(a_job(kind=Kind.TOKEN), QUESTION)


async def test_a_queue_that_is_away_or_is_not_there(settings: Settings) -> None:
    away = settings.model_copy(update={"aws_endpoint_url_sqs": f"http://127.0.0.1:{free_port()}"})
    missing = settings.model_copy(update={"sqs_queue_url": f"{settings.sqs_queue_url}-missing"})
    for changed, failure, code in ((away, Down, "queue_down"), (missing, Transient, "queue_refused")):
        async with open_analysis(changed) as client:
            with pytest.raises(failure) as caught:
                await client.ask(a_job(kind=Kind.TOKEN), QUESTION)
            assert caught.value.code == code
