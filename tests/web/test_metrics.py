"""What a web process tells Prometheus: who asked for what, what was refused, how things stand, and to whom it tells."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.script import Script
from tests.processes import WebProcess, freeze, thaw
from tests.scraping import Scrape, parsed
from tests.standing_in import Control
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import read_stream
from web.wiring import DEPS
from yousync.local.port import free_port
from yousync.local.stack import Stack
from yousync.settings import Settings, SettingsMissing

UPLOAD = "/scripts/{script_id}/upload-audio"
REQUESTS = "yousync_http_requests_total"


async def told(client: aiohttp.ClientSession) -> Scrape:
    async with client.get("/metrics") as reply:
        assert reply.status == 200, await reply.text()
        assert reply.headers["Content-Type"].startswith("text/plain")
        return parsed(await reply.text())


@pytest.mark.parametrize("path", ["/scripts/999999/upload-audio", "/api/scripts/999999/upload-audio/"])
async def test_a_request_counts_for_its_route_however_it_is_spelled(client: aiohttp.ClientSession, path: str) -> None:
    before = await told(client)
    async with client.post(path, data=form(recording())) as reply:
        assert reply.status == 404
    after = await told(client)
    series = {"method": "POST", "route": UPLOAD}
    assert after.sum(REQUESTS, status="404", **series) - before.sum(REQUESTS, status="404", **series) == 1
    seconds = "yousync_http_request_duration_seconds_count"
    assert after.sum(seconds, **series) - before.sum(seconds, **series) == 1
    refusals, refused = "yousync_http_refusals_total", {"route": UPLOAD, "code": "script_not_found"}
    assert after.sum(refusals, **refused) - before.sum(refusals, **refused) == 1


async def test_nothing_that_a_client_writes_becomes_a_label(client: aiohttp.ClientSession) -> None:
    async with client.request("PROPFIND", "/coffee/hunter2?milk=hunter2") as reply:
        assert reply.status == 404
    async with client.get("/scripts/analysis-result/hunter2") as reply:
        assert reply.status == 404
    after = await told(client)
    assert after(REQUESTS, method="other", route="unmatched", status="404") >= 1
    assert after(REQUESTS, method="GET", route="/scripts/analysis-result/{job_id}", status="404") >= 1
    assert not [labels for _, labels in after.samples if "hunter2" in str(labels)]


async def test_it_is_served_at_the_root_alone(client: aiohttp.ClientSession) -> None:
    for path in ("/api/metrics", "/api/metrics/", "/metrics/"):
        async with client.get(path) as reply:
            assert reply.status == 404, path
    async with client.get("/openapi.json") as reply:
        assert "/metrics" not in (await reply.json())["paths"]


async def test_how_things_stand_is_read_when_asked_for(
    client: aiohttp.ClientSession, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    before = await told(client)
    assert before("yousync_ready") == 1
    async with client.post(f"/scripts/{script.id}/upload-audio", data=form(recording(pitch=313))) as reply:
        job_id = (await reply.json())["job_id"]
    waiting = before("yousync_jobs", state="waiting") + 1

    async def waits() -> bool:
        return (await told(client))("yousync_jobs", state="waiting") == waiting

    await until(waits)
    async with client.get(f"/scripts/analysis-progress/{job_id}") as reply:
        await read_stream(reply, until=1)
        after = await told(client)
        assert after("yousync_streams_open") == 1
        assert after("yousync_oldest_job_age_seconds", state="waiting") > 0
        assert after.sum("yousync_uploads_accepted_total") == before.sum("yousync_uploads_accepted_total") + 1
        await analysis.release()
        assert (await read_stream(reply)).statuses[-1] == "completed"
    ended = await told(client)
    assert ended("yousync_jobs", state="waiting") == waiting - 1
    lags = "yousync_event_lag_seconds_count"
    assert ended(lags) > before.sum(lags)
    assert ended("yousync_workers") >= 1
    assert ended("yousync_database_connections", use="idle") >= 1
    assert ended("yousync_database_connections_limit") > 1
    assert ended("yousync_database_query_duration_seconds_count", outcome="ok") > 0

    async def closed() -> bool:
        return (await told(client))("yousync_streams_open") == 0

    await until(closed)


async def test_a_valkey_that_is_not_what_it_should_be_shows(
    client: aiohttp.ClientSession, app: web.Application
) -> None:
    valkey = app[DEPS].valkey
    await valkey.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert (await told(client))("yousync_ready") == 0
    finally:
        await valkey.config_set("maxmemory-policy", "noeviction")
    assert (await told(client))("yousync_ready") == 1


async def test_while_valkey_does_not_answer_what_lies_there_is_unknown(
    client: aiohttp.ClientSession, stack: Stack
) -> None:
    """Old numbers would keep alerts silent, or ringing."""
    freeze(stack.parts["valkey"])
    try:
        silent = await told(client)
    finally:
        thaw(stack.parts["valkey"])
    assert silent("yousync_ready") == 0
    assert math.isnan(silent("yousync_jobs", state="waiting"))
    assert math.isnan(silent("yousync_workers"))
    assert silent("yousync_http_requests_total", method="GET", route="/metrics", status="200") > 0

    async def back() -> bool:
        return (await told(client))("yousync_ready") == 1

    await until(back)


TOKEN = "a-token-for-prometheus"


@pytest_asyncio.fixture(scope="module")
async def guarded(
    client: aiohttp.ClientSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WebProcess]:
    """A web process whose metrics are not for everybody."""
    logs = tmp_path_factory.mktemp("logs")
    process = WebProcess(settings, logs=logs, port=free_port(), METRICS_TOKEN=TOKEN)
    await process.start()
    yield process
    await process.stop()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"X-Nothing: here", 401),
        (b"Authorization: Bearer", 401),
        (b"Authorization: Bearer wrong", 401),
        (b"Authorization: Bearer \xff\xfe", 401),
        (f"Authorization: Basic {TOKEN}".encode(), 401),
        (f"Authorization: Bearer {TOKEN}".encode(), 200),
        (f"Authorization: bearer  {TOKEN}".encode(), 200),
    ],
)
async def test_a_token_is_wanted_where_one_is_set(guarded: WebProcess, header: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(b"GET /metrics HTTP/1.0\r\n" + header + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.split()[1] == str(status).encode()
    assert (b"yousync_jobs" in answer) == (status == 200)
    assert (b"WWW-Authenticate: Bearer" in answer) == (status == 401)


async def test_a_token_that_is_easy_to_guess_is_none(settings: Settings) -> None:
    for easy in ("", "secret"):
        with pytest.raises(SettingsMissing, match="METRICS_TOKEN"):
            Settings.load(_env_file=None, **(settings.model_dump() | {"metrics_token": easy}))
