"""Whatever goes wrong leaves as problem+json, in the client's language, and tells nothing of our insides."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
import redis.exceptions
import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import TestClient, TestServer
from tortoise.exceptions import DBConnectionError, TransactionManagementError

from tests.web.sample import RAISE, make_app
from web.problems import prefers_english
from yousync.errors import (
    DependencyDown,
    FileTooLarge,
    JobNotFound,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TooManyJobs,
    ValidationFailed,
    WebhookTokenInvalid,
)

Client = TestClient[web.Request, web.Application]
SECRET = "postgres://yousync:hunter2@db/yousync"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_app())) as made:
        yield made


async def test_a_problem_has_all_its_members(client: Client) -> None:
    client.app[RAISE]["x"] = JobNotFound()
    async with client.get("/failures/x?token=abc", headers={"X-Request-Id": "r-1"}) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert response.headers["Content-Language"] == "ko"
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json(content_type=None) == {
            "type": "urn:yousync:problem:job_not_found",
            "title": "작업을 찾을 수 없습니다",
            "status": 404,
            "detail": "작업을 찾을 수 없습니다",
            "code": "job_not_found",
            "request_id": "r-1",
            "instance": "/failures/x",
        }


async def test_english_where_it_is_preferred(client: Client) -> None:
    client.app[RAISE]["x"] = JobNotFound()
    async with client.get("/failures/x", headers={"Accept-Language": "en-GB,en;q=0.9,ko;q=0.8"}) as response:
        problem = await response.json(content_type=None)
        assert response.headers["Content-Language"] == "en"
        assert "Accept-Language" in response.headers["Vary"]
    assert (problem["title"], problem["detail"]) == ("Job not found", "Job not found")


@pytest.mark.parametrize(
    ("header", "english"),
    [
        ("", False),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", False),
        ("en", True),
        ("EN-us", True),
        ("en;q=0.5, ko;q=0.6", False),
        ("fr, en;q=0.3", True),
        ("fr", False),
        ("*", False),
        ("en, *;q=0.1", True),
        ("en;q=0", False),
        ("en;q=high", False),
        (";;,,=", False),
    ],
)
def test_which_language_is_preferred(header: str, english: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    assert prefers_english(header) is english


async def test_details_and_errors_are_passed_on(client: Client) -> None:
    faults = [{"pointer": "/body/name", "detail": "필요합니다", "code": "missing"}]
    client.app[RAISE]["x"] = ValidationFailed("이름이 필요합니다", errors=faults)
    async with client.get("/failures/x") as response:
        problem = await response.json(content_type=None)
    assert problem["detail"] == "이름이 필요합니다"
    assert problem["errors"] == faults


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (2.1, "3"), (30, "30")])
async def test_when_to_come_back(client: Client, seconds: float, header: str) -> None:
    client.app[RAISE]["x"] = TooManyJobs(retry_after=seconds)
    async with client.get("/failures/x") as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == header


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (TokenMissing(), "Bearer"),
        (WebhookTokenInvalid(), "Bearer"),
        (TokenInvalid(), 'Bearer error="invalid_token", error_description="Invalid token"'),
        (TokenExpired(), 'Bearer error="invalid_token", error_description="Token expired"'),
    ],
)
async def test_401_says_how_to_authenticate(client: Client, error: Exception, challenge: str) -> None:
    client.app[RAISE]["x"] = error
    async with client.get("/failures/x") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == challenge


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/nowhere/", 404, "not_found"),
        ("PATCH", "/clips/5", 405, "method_not_allowed"),
        ("GET", "/static/../../contract.py", 404, "not_found"),
    ],
)
async def test_aiohttps_own_refusals(client: Client, method: str, path: str, status: int, code: str) -> None:
    async with client.request(method, path) as response:
        problem = await response.json(content_type=None)
        assert (response.status, problem["code"], problem["status"]) == (status, code, status)
        assert response.content_type == "application/problem+json"
        if status == 405:
            assert set(response.headers["Allow"].split(",")) >= {"GET", "DELETE"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "too_large"),
        (web.HTTPUnauthorized(), 401, "unauthenticated"),
        (web.HTTPForbidden(text=SECRET), 403, "forbidden"),
        (web.HTTPUnsupportedMediaType(), 415, "unsupported_media_type"),
        (web.HTTPExpectationFailed(), 417, "expectation_failed"),
        (web.HTTPInternalServerError(text=SECRET), 500, "internal_server_error"),
    ],
)
async def test_http_exceptions_become_problems(client: Client, error: Exception, status: int, code: str) -> None:
    client.app[RAISE]["x"] = error
    async with client.get("/failures/x") as response:
        text = await response.text()
        assert (response.status, (await response.json(content_type=None))["code"]) == (status, code)
        assert "hunter2" not in text


async def test_a_redirect_is_no_problem(client: Client) -> None:
    client.app[RAISE]["x"] = web.HTTPFound("/clips/5")
    async with client.get("/failures/x", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/clips/5")


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.ConnectionError(SECRET),
        redis.exceptions.BusyLoadingError(SECRET),
        redis.exceptions.TimeoutError(SECRET),
        redis.exceptions.ReadOnlyError(SECRET),
        asyncpg.ConnectionDoesNotExistError(SECRET),
        asyncpg.CannotConnectNowError(SECRET),
        asyncpg.InterfaceError(SECRET),
        asyncpg.InternalClientError(SECRET),
        DBConnectionError(SECRET),
        TransactionManagementError(SECRET),  # Tortoise's word for a database that can only be read
        ConnectionRefusedError(errno.ECONNREFUSED, SECRET),
        ConnectionResetError(SECRET),
        socket.gaierror(socket.EAI_NONAME, SECRET),
        OSError(errno.EHOSTUNREACH, SECRET),
        TimeoutError(SECRET),
        DependencyDown(retry_after=3),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_dependency_that_is_down(client: Client, error: Exception) -> None:
    client.app[RAISE]["x"] = error
    async with client.get("/failures/x") as response:
        text = await response.text()
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert (await response.json(content_type=None))["code"] == DependencyDown.code
        assert "hunter2" not in text


@pytest.mark.parametrize("error", [ValueError(SECRET), FileNotFoundError(2, SECRET, "/srv/key"), KeyError(SECRET)])
async def test_the_unforeseen_is_logged_and_tells_nothing(client: Client, error: Exception) -> None:
    client.app[RAISE]["x"] = error
    with structlog.testing.capture_logs() as events:
        async with client.get("/failures/x") as response:
            text = await response.text()
    assert response.status == 500
    assert '"internal_error"' in text
    assert not [word for word in ("hunter2", "Traceback", "srv", type(error).__name__) if word in text]
    assert [event["exc_info"] for event in events if event["event"] == "unhandled_error"] == [error]


async def test_a_stream_that_breaks_is_cut_and_logged(client: Client) -> None:
    with structlog.testing.capture_logs() as events:
        async with client.get("/clips/500/events") as response:
            assert response.status == 200
            with pytest.raises(ClientPayloadError):
                await response.read()
        deadline = asyncio.get_running_loop().time() + 5
        while not [event for event in events if event["event"] == "stream_failed"]:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)


async def test_a_too_large_file_is_a_refusal_not_a_warning(client: Client) -> None:
    client.app[RAISE]["x"] = FileTooLarge()
    with structlog.testing.capture_logs() as events:
        async with client.get("/failures/x") as response:
            assert response.status == 413
    assert [event["log_level"] for event in events] == ["info"]
