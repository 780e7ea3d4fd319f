"""Following a job: at once, in order, through cuts and shutdowns, to its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.script import Script
from tests.processes import WebProcess, died
from tests.queries import counted
from tests.standing_in import Control
from tests.valkey_command import command
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import follow, read_stream
from web.wiring import DEPS, HUB
from yousync.job import PROGRESS
from yousync.local.port import free_port
from yousync.settings import Settings

pytestmark = pytest.mark.usefixtures("analysis")
_pitch = iter(range(400, 4000, 7))


async def upload(client: aiohttp.ClientSession, script: Script) -> str:
    data = form(recording(pitch=next(_pitch)))
    async with client.post(f"/scripts/{script.id}/upload-audio", data=data) as reply:
        assert reply.status == 202
        return str((await reply.json())["job_id"])


async def until_waiting(client: aiohttp.ClientSession, job_id: str) -> str:
    """The id of the event that says the job waits for its result."""
    async with asyncio.timeout(20), client.get(f"/scripts/analysis-progress/{job_id}") as reply:
        while True:
            message = (await read_stream(reply, until=1)).messages[0]
            if message.data["progress"] == 90:
                return message.id


async def test_a_stream_tells_the_whole_state_each_time_until_the_end(
    client: aiohttp.ClientSession, script: Script
) -> None:
    job_id = await upload(client, script)
    stream = await follow(client, job_id)
    assert all(
        set(message.data) == {"job_id", "status", "progress", "message", "result"} for message in stream.messages
    )
    assert all(message.event == "" for message in stream.messages), "frontends listen to unnamed events only"
    assert all(re.fullmatch(r"\d+-\d+", message.id) and message.retry.isdigit() for message in stream.messages)
    progress = [message.data["progress"] for message in stream.messages]
    assert progress == sorted(progress)
    assert set(progress) <= set(PROGRESS.values())
    ids = [tuple(map(int, message.id.split("-"))) for message in stream.messages]
    assert ids == sorted(set(ids))
    assert stream.statuses == ["processing"] * (len(progress) - 1) + ["completed"]
    assert stream.last["result"]["result"]["word_analysis"]


async def test_an_ended_job_tells_its_end_again(client: aiohttp.ClientSession, script: Script) -> None:
    job_id = await upload(client, script)
    first = await follow(client, job_id)
    again = await follow(client, job_id, last_event_id=first.messages[-1].id)
    assert again.statuses == ["completed"]
    assert again.last == first.last


async def test_a_stream_that_was_cut_goes_on_where_it_was(
    client: aiohttp.ClientSession, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    seen = await until_waiting(client, job_id)
    resumed = asyncio.create_task(follow(client, job_id, last_event_id=seen))
    await analysis.release()
    stream = await resumed
    assert stream.statuses[-1] == "completed"
    assert all(message.id != seen for message in stream.messages), "what was seen is not sent again"


@pytest.mark.parametrize("nonsense", ["abc", "1", "99999999999999999999-1", "-1--1", "' OR 1=1"])
async def test_a_nonsense_place_is_the_beginning(
    client: aiohttp.ClientSession, script: Script, analysis: Control, nonsense: str
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    await until_waiting(client, job_id)
    headers = {"Last-Event-ID": nonsense}
    async with client.get(f"/scripts/analysis-progress/{job_id}", headers=headers) as reply:
        assert (await read_stream(reply, until=1)).messages[0].data["progress"] == 90


async def test_many_watchers_of_one_job_all_see_its_end(
    client: aiohttp.ClientSession, app: web.Application, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    await until_waiting(client, job_id)
    watching = [asyncio.create_task(follow(client, job_id)) for _ in range(50)]
    await until(lambda: app[HUB].open_streams == 50)
    with counted() as queries:
        await analysis.release()
        streams = await asyncio.gather(*watching)
    assert len(queries) < 20, "the end is read for all of them together"
    assert {stream.statuses[-1] for stream in streams} == {"completed"}
    await until(lambda: app[HUB].open_streams == 0)


@pytest_asyncio.fixture
async def elsewhere(settings: Settings, tmp_path: Path) -> AsyncIterator[WebProcess]:
    """A second web process on the same stores."""
    other = WebProcess(settings, logs=tmp_path, port=free_port(), SSE_KEEPALIVE_SECONDS="0.1")
    await other.start()
    yield other
    await other.stop()


async def test_silence_is_kept_alive(
    client: aiohttp.ClientSession, elsewhere: WebProcess, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    await until_waiting(client, job_id)
    async with asyncio.timeout(10), client.get(f"{elsewhere.url}/scripts/analysis-progress/{job_id}") as reply:
        async for line in reply.content:
            if line.startswith(b":"):
                break
        else:
            pytest.fail("the stream ended without a comment")


async def test_a_shutdown_ends_streams_at_once_and_another_process_goes_on(
    client: aiohttp.ClientSession, elsewhere: WebProcess, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    await until_waiting(client, job_id)
    reply = await client.get(f"{elsewhere.url}/scripts/analysis-progress/{job_id}")
    first = await read_stream(reply, until=1)
    assert elsewhere.process.pid is not None
    os.kill(elsewhere.process.pid, signal.SIGTERM)
    async with asyncio.timeout(5):
        rest = await read_stream(reply)
    assert rest.messages == [], "it ends without pretending that the job has"
    assert await died(elsewhere) == 0
    resumed = asyncio.create_task(follow(client, job_id, last_event_id=first.messages[0].id))
    await analysis.release()
    assert (await resumed).statuses[-1] == "completed"


@pytest.mark.parametrize("job_id", ["0" * 32, "00000000-0000-4000-8000-000000000000", "nonsense", "x" * 60, "%00"])
@pytest.mark.parametrize("path", ["analysis-progress", "analysis-result"])
async def test_an_unknown_job_is_not_found(client: aiohttp.ClientSession, job_id: str, path: str) -> None:
    for noun in ("scripts", "tokens"):
        async with client.get(f"/{noun}/{path}/{job_id}") as reply:
            assert reply.status == 404
            assert (await reply.json())["code"] == "job_not_found"


async def test_a_process_that_stops_sends_new_streams_elsewhere(
    app: web.Application, client: aiohttp.ClientSession
) -> None:
    """With an error EventSource would give up for good."""
    hub = app[HUB]
    hub._over.set()
    try:
        async with client.get(f"/scripts/analysis-progress/{'0' * 32}") as reply:
            assert (reply.status, await reply.text()) == (200, "retry: 1500\r\n\r\n")
    finally:
        hub._over.clear()


async def test_a_result_reads_as_the_contract_says(client: aiohttp.ClientSession, script: Script) -> None:
    job_id = await upload(client, script)
    await follow(client, job_id)
    for path in ("tokens/analysis-result", "scripts/analysis-result", "api/tokens/analysis-result"):
        async with client.get(f"/{path}/{job_id}/") as reply:
            body = await reply.json()
        assert set(body) == {"job_id", "token_id", "status", "progress", "result", "message", "created_at"}
        assert (body["status"], body["progress"], body["token_id"]) == ("completed", 100, script.token_id)


async def test_what_happens_while_the_process_hears_nothing_is_told_afterwards(
    app: web.Application, client: aiohttp.ClientSession, script: Script, analysis: Control
) -> None:
    await analysis.behave("hold")
    job_id = await upload(client, script)
    await until_waiting(client, job_id)
    valkey = app[DEPS].valkey
    async with asyncio.timeout(20), client.get(f"/scripts/analysis-progress/{job_id}") as reply:
        assert (await read_stream(reply, until=1)).last["progress"] == 90
        await command(valkey, "HSET", f"yousync:job:{job_id}", "progress", "95", "version", "99")  # nobody is told
        await command(valkey, "CLIENT", "KILL", "TYPE", "pubsub")
        assert (await read_stream(reply, until=1)).last["progress"] == 95
