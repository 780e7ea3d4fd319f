"""Around every request: ids, the access log, and the security headers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.web.sample import RAISE, make_app

Client = TestClient[web.Request, web.Application]
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    app = make_app()

    async def bound(_request: web.Request) -> web.Response:
        return web.json_response(structlog.contextvars.get_contextvars())

    app.router.add_get("/bound", bound)
    app.router.add_get("/bound/{job_id}", bound)
    app.router.add_get("/livez", bound)
    async with TestClient(TestServer(app)) as made:
        yield made


@pytest.mark.parametrize("given", ["abc", "A-1_b.c", "x" * 64])
async def test_a_sane_request_id_is_kept(client: Client, given: str) -> None:
    async with client.get("/bound", headers={"X-Request-Id": given}) as response:
        assert response.headers["X-Request-Id"] == given
        assert await response.json() == {"request_id": given}


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "ü", "<script>", "a;b"])
async def test_any_other_is_replaced(client: Client, given: str) -> None:
    async with client.get("/bound", headers={"X-Request-Id": given}) as response:
        made = response.headers["X-Request-Id"]
        assert made != given
        assert len(made) == 32


@pytest.mark.parametrize("path", [f"/bound/{JOB}", f"/bound?job_id={JOB}", f"/bound?job_id={JOB.replace('-', '')}"])
async def test_the_job_is_bound_too(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert (await response.json())["job_id"].replace("-", "") == JOB.replace("-", "")


async def test_what_is_no_job_id_is_not_bound(client: Client) -> None:
    async with client.get("/bound/secret-looking-thing?job_id=other") as response:
        assert "job_id" not in await response.json()


@pytest.mark.parametrize("path", ["/bound", "/nowhere", "/failures/x", "/docs", "/clips/5/events", "/openapi.json"])
async def test_headers_are_on_every_answer(client: Client, path: str) -> None:
    client.app[RAISE]["x"] = ValueError("boom")
    async with client.get(path) as response:
        assert response.headers["X-Request-Id"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Server"] == "yousync"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert ("script-src" in policy) == (path == "/docs")


async def test_one_line_a_request_without_its_query(client: Client) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        async with client.get(f"/clips/5?token=hunter2&job_id={JOB}", headers={"X-Request-Id": "r"}) as response:
            body = await response.read()
    (line,) = events
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/clips/5",
        "status": 200,
        "bytes": len(body),
        "request_id": "r",
        "job_id": JOB,
    }


async def test_of_a_long_path_the_beginning_is_logged(client: Client) -> None:
    with structlog.testing.capture_logs() as events:
        async with client.get("/" + "token='" * 1000) as response:
            assert response.status == 404
    assert 100 < len(events[-1]["path"]) < 1000


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [("/nowhere", 404, "info"), ("/failures/x", 500, "info"), ("/livez", 200, "debug"), ("/failures/y", 302, "info")],
)
async def test_each_outcome_is_logged_once(client: Client, path: str, status: int, level: str) -> None:
    client.app[RAISE].update(x=ValueError("boom"), y=web.HTTPFound("/clips/5"))
    with structlog.testing.capture_logs() as events:
        async with client.get(path, allow_redirects=False):
            pass
    lines = [event for event in events if event["event"] == "request"]
    assert [(line["status"], line["log_level"]) for line in lines] == [(status, level)]


async def test_a_stream_counts_its_bytes(client: Client) -> None:
    with structlog.testing.capture_logs() as events:
        async with client.get("/clips/5/events") as response:
            body = await response.read()
    assert events[-1]["bytes"] >= len(body) > 0


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /x?token=hunter2 HTTP/1.1\r\nBad Header: hunter2\r\n\r\n",
        b"GET /bound HTTP/1.1\r\nHost: h\r\nX: hunter2" + b"x" * 9000 + b"\r\n\r\n",
        b"GET /bound HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhunter2",
        b"\x16\x03\x01 hunter2\r\n\r\n",
    ],
    ids=["header", "too long", "two lengths", "tls"],
)
async def test_bytes_that_are_no_http_get_a_problem_and_cost_no_error_line(
    client: Client, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(sent)
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    assert b" 400 " in head.splitlines()[0]
    assert b"application/problem+json" in head
    assert b"nosniff" in head
    assert not [word for word in (b"hunter2", b"aiohttp", b"Python") if word in head + body]
    problem = json.loads(body)
    assert problem["code"] == "bad_request"
    assert f"X-Request-Id: {problem['request_id']}".encode() in head.splitlines()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "hunter2" not in caplog.text
