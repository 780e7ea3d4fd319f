"""CORS: pages of exactly the listed origins may read every answer, and nobody else any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from multidict import CIMultiDict
from redis.asyncio import Redis

from models.script import Script
from tests.conftest import settings_for
from tests.web.conftest import form, recording, serving
from tests.web.following import read_stream
from web.app import make_app
from yousync.errors import DependencyDown, TooManyJobs
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings, SettingsMissing

LISTED = "https://app.example.com"
LOCAL = "http://localhost:3000"
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
WANTS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
PREFLIGHT = {"Origin": LISTED} | WANTS
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
HEADERS = {
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "prefer",
    "x-request-id",
}
EXPOSED = {
    "deprecation",
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
}
FAILURES: dict[str, Exception] = {
    "429": TooManyJobs(),
    "500": RuntimeError("nobody foresaw this"),
    "503": DependencyDown(),
}
NOT_LISTED = [
    "null",
    "*",
    "https://app.example.com.evil.example",  # a listed one as prefix
    "https://evilapp.example.com",  # and as suffix
    "https://evil.example/https://app.example.com",
    "https://app.example.com@evil.example",
    "https://evil.example#https://app.example.com",
    "https://sub.app.example.com",
    "https://example.com",
    "https://app.example.com.",
    "https://appXexample.com",  # the dot is no wildcard
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:4430",
    "https://app.example.com/",
    "https://app.example.com https://app.example.com",
    "https://app.example.com, https://evil.example",
    "//app.example.com",
    "app.example.com",
    "file://app.example.com",
    "http://localhost",
    "http://localhost:30000",
    "https://localhost:3000",
    "http://127.0.0.1:3000",
    "http://locaLho\u017ft:3000",  # folds to an s
    "https://app.example.com\u3002evil.example",
    "",
]


@pytest_asyncio.fixture(scope="module")
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_origins": [LISTED, LOCAL], "max_upload_bytes": 30_000})


@pytest_asyncio.fixture(scope="module")
async def app(settings: Settings, standin: Standin) -> AsyncIterator[web.Application]:
    """The service, with a route that fails as its path says."""

    async def fail(request: web.Request) -> web.Response:
        raise FAILURES[request.match_info["status"]]

    valkey = Redis.from_url(settings.redis_url.get_secret_value())
    await valkey.flushall()
    await valkey.aclose()
    made = make_app(settings, with_worker=True)
    made.router.add_get("/failing/{status}", fail)
    async with serving(made, settings.port) as running:
        yield running


def cors(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The CORS headers alone."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower().startswith("access-control-"))


def items(value: str) -> set[str]:
    return {part.strip() for part in value.split(",")}


def readable(response: aiohttp.ClientResponse, origin: str = LISTED) -> bool:
    """Whether a page of `origin` may read this, and caches know that it is for that one."""
    found = cors(response.headers)
    exposed = found.pop("Access-Control-Expose-Headers", "")
    assert items(exposed.lower()) == EXPOSED
    assert "Origin" in items(", ".join(response.headers.getall("Vary")))
    return found == {"Access-Control-Allow-Origin": origin}


ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/health", 200),
    ("HEAD", "/api/health/", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/static/pages/page.css", 200),
    ("GET", "/docs", 200),
    ("GET", "/nowhere", 404),
    ("GET", f"/api/scripts/analysis-result/{JOB}/", 404),
    ("GET", f"/scripts/analysis-progress/{JOB}", 404),
    ("POST", "/tokens/1/upload-audio", 401),
    ("DELETE", "/health", 405),
    ("OPTIONS", "/health", 405),
    ("POST", "/scripts/x/upload-audio", 422),
    ("GET", "/failing/429", 429),
    ("GET", "/failing/500", 500),
    ("GET", "/failing/503", 503),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_every_answer_is_readable_for_the_listed_ones(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    for origin in (LISTED, LOCAL):
        async with client.request(method, path, headers={"Origin": origin}) as reply:
            assert reply.status == status
            assert readable(reply, origin)


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_no_answer_is_readable_for_others(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    for headers in ({}, {"Origin": "https://evil.example"}):
        async with client.request(method, path, headers=headers) as reply:
            assert reply.status == status
            assert not cors(reply.headers)
            assert "Origin" in items(", ".join(reply.headers.getall("Vary"))), "a cache must not hand this to others"


@pytest.mark.parametrize("origin", NOT_LISTED)
async def test_only_the_exact_origin_will_do(client: aiohttp.ClientSession, origin: str) -> None:
    async with client.get("/health", headers={"Origin": origin}) as reply:
        assert reply.status == 200
        assert not cors(reply.headers)
    async with client.options("/health", headers={"Origin": origin} | WANTS) as reply:
        assert reply.status == 204
        assert not cors(reply.headers)


@pytest.mark.parametrize("origin", ["https://APP.Example.com", "https://app.example.com:443"])
async def test_another_spelling_of_the_same_origin_will_do(client: aiohttp.ClientSession, origin: str) -> None:
    async with client.get("/health", headers={"Origin": origin}) as reply:
        assert readable(reply, origin), "browsers compare with what they sent"


async def test_two_origins_are_none(client: aiohttp.ClientSession) -> None:
    async with client.get("/health", headers=[("Origin", LISTED), ("Origin", LISTED)]) as reply:
        assert reply.status == 200
        assert not cors(reply.headers)


async def test_what_an_answer_varies_by_already_is_kept(client: aiohttp.ClientSession) -> None:
    async with client.get("/nowhere", headers={"Origin": LISTED}) as reply:
        assert items(", ".join(reply.headers.getall("Vary"))) == {"Accept-Language", "Origin"}


async def test_not_modified_is_readable_too(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as reply:
        tag = reply.headers["ETag"]
    async with client.get("/openapi.json", headers={"Origin": LISTED, "If-None-Match": tag}) as reply:
        assert reply.status == 304
        assert readable(reply)


class TestUploads:
    async def test_an_upload_and_its_stream(self, client: aiohttp.ClientSession, script: Script) -> None:
        headers = {"Origin": LISTED}
        path = f"/api/scripts/{script.id}/upload-audio"
        async with client.post(path, data=form(recording()), headers=headers) as reply:
            assert reply.status == 202
            assert readable(reply)
            job_id = (await reply.json())["job_id"]
        async with asyncio.timeout(30), client.get(f"/scripts/analysis-progress/{job_id}", headers=headers) as reply:
            assert reply.content_type == "text/event-stream"
            assert readable(reply)
            assert (await read_stream(reply)).statuses[-1] == "completed"

    async def test_a_stream_for_another_origin_says_nothing_to_it(
        self, client: aiohttp.ClientSession, script: Script
    ) -> None:
        async with client.post(f"/scripts/{script.id}/upload-audio", data=form(recording(pitch=300))) as reply:
            job_id = (await reply.json())["job_id"]
        address = f"/scripts/analysis-progress/{job_id}"
        async with asyncio.timeout(30), client.get(address, headers={"Origin": "null"}) as reply:
            assert not cors(reply.headers)
            assert "Origin" in items(reply.headers["Vary"])

    @pytest.mark.parametrize(("seconds", "field", "status"), [(2.0, "file", 413), (0.5, "other", 422)])
    async def test_a_refused_upload(
        self, client: aiohttp.ClientSession, script: Script, seconds: float, field: str, status: int
    ) -> None:
        data = form(recording(seconds), field=field)
        path = f"/scripts/{script.id}/upload-audio"
        async with client.post(path, data=data, headers={"Origin": LISTED}) as reply:
            assert reply.status == status
            assert readable(reply)


class TestPreflights:
    @pytest.mark.parametrize("prefix", ["", "/api"])
    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize(
        "path",
        [
            "/scripts/5/upload-audio",
            "/tokens/5/upload-audio",
            f"/tokens/analysis-result/{JOB}",
            "/auth/refresh",
            "/a/b",
        ],
    )
    async def test_any_path_is_answered_at_once(
        self, client: aiohttp.ClientSession, prefix: str, path: str, slash: str
    ) -> None:
        async with client.options(f"{prefix}{path}{slash}", headers=PREFLIGHT, allow_redirects=False) as reply:
            assert reply.status == 204
            assert await reply.read() == b""
            found = cors(reply.headers)
            assert found["Access-Control-Allow-Origin"] == LISTED
            assert items(found["Access-Control-Allow-Methods"]) == METHODS
            assert items(found["Access-Control-Allow-Headers"]) == HEADERS
            assert found["Access-Control-Max-Age"] == "7200"
            assert "Access-Control-Allow-Credentials" not in found
            assert "Origin" in items(reply.headers["Vary"])
            assert reply.headers["X-Request-Id"]

    async def test_another_origin_is_allowed_nothing(self, client: aiohttp.ClientSession) -> None:
        headers = {"Origin": "https://evil.example"} | WANTS
        async with client.options("/scripts/5/upload-audio", headers=headers) as reply:
            assert reply.status == 204
            assert not cors(reply.headers)
            assert reply.headers["Vary"] == "Origin"

    @pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
    async def test_any_other_options_is_an_ordinary_request(self, client: aiohttp.ClientSession, missing: str) -> None:
        headers = {name: value for name, value in PREFLIGHT.items() if name != missing}
        async with client.options("/health", headers=headers) as reply:
            assert reply.status == 405
            assert items(reply.headers["Allow"]) == {"GET", "HEAD"}
        async with client.options("/nowhere", headers=headers) as reply:
            assert reply.status == 404


class TestSettings:
    def test_a_list_of_origins(self, settings: Settings) -> None:
        given = settings.model_dump() | {"allowed_origins": "https://App.example.com:443, http://[::1]:3000 ,"}
        assert Settings.load(_env_file=None, **given).allowed_origins == [
            "https://app.example.com",
            "http://[::1]:3000",
        ]

    def test_none_unless_given(self, settings: Settings) -> None:
        given = {name: value for name, value in settings.model_dump().items() if name != "allowed_origins"}
        assert Settings.load(_env_file=None, **given).allowed_origins == []

    def test_the_local_stack_lets_a_frontend_in_development_in(self, stack: Stack) -> None:
        assert settings_for(stack).allowed_origins == ["http://localhost:3000", "http://127.0.0.1:3000"]

    @pytest.mark.parametrize("wrong", ["*", "null", "https://*.example.com", "app.example.com", "https://a.example/"])
    def test_what_is_no_origin_is_refused(self, settings: Settings, wrong: str) -> None:
        with pytest.raises(SettingsMissing, match=r"ALLOWED_ORIGINS: .*must be origins"):
            Settings.load(_env_file=None, **(settings.model_dump() | {"allowed_origins": f"{LISTED},{wrong}"}))
