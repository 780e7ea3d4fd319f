"""What holds for every route there is, drawn from the contracts: a new one is held to it by being declared."""

from __future__ import annotations

import io
import re
import time
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from models.user import ensure_user
from tests.factories import bearer_of
from web.app import CONTRACTS, MAX_LINE_BYTES
from web.contract import Endpoint
from web.inputs import MAX_ADMIN_JSON_BYTES, MAX_JSON_BYTES
from web.openapi import document
from web.problems import problem_type
from yousync.errors import YouSyncError
from yousync.settings import Settings

ENDPOINTS = [endpoint for contract in CONTRACTS for endpoint in contract.endpoints]
WITH_BODY = [endpoint for endpoint in ENDPOINTS if "body" in endpoint.inputs]
BOUND = [endpoint for endpoint in ENDPOINTS if endpoint.auth in ("required", "admin")]


def path_of(endpoint: Endpoint) -> str:
    """A path of it that names nothing."""
    return re.sub(r"{(\w+)[^}]*}", lambda found: "2147483647" if found[1].endswith("_id") else "x", endpoint.path)


def names(endpoint: Endpoint) -> str:
    return endpoint.name


@pytest_asyncio.fixture(scope="module")
async def admin(app: web.Application, settings: Settings) -> dict[str, str]:
    return await bearer_of(settings, await ensure_user("routes@example.com", admin=True))


async def problem_of(
    client: aiohttp.ClientSession, method: str, path: str, *, english: bool = False, **how: Any
) -> tuple[aiohttp.ClientResponse, dict[str, Any]]:
    """The answer to a request that has to fail, which has all that a problem has."""
    headers = how.pop("headers", {}) | {
        "Accept-Language": "en" if english else "ko-KR",
        "X-Request-Id": "asked-by-test",
    }
    async with client.request(method, path, headers=headers, **how) as response:
        assert response.status >= 400, (method, path, response.status)
        assert response.content_type == "application/problem+json"
        assert response.headers["Content-Language"] == ("en" if english else "ko")
        assert response.headers["X-Request-Id"] == "asked-by-test"
        problem: dict[str, Any] = await response.json(content_type=None)
    assert {"type", "title", "status", "detail", "code", "request_id", "instance"} <= problem.keys()
    assert isinstance(problem["detail"], str)
    assert (problem["status"], problem["type"]) == (response.status, problem_type(problem["code"]))
    assert (problem["request_id"], problem["instance"]) == ("asked-by-test", path)
    assert (re.search("[가-힣]", problem["title"]) is None) is english, problem["title"]
    return response, problem


@pytest.mark.parametrize("english", [False, True], ids=["ko", "en"])
async def test_another_method_is_refused_with_those_there_are(client: aiohttp.ClientSession, *, english: bool) -> None:
    for endpoint in ENDPOINTS:
        response, problem = await problem_of(client, "PURGE", path_of(endpoint), english=english)
        assert (response.status, problem["code"]) == (405, "method_not_allowed")
        assert endpoint.method in response.headers["Allow"].split(",")


@pytest.mark.parametrize("english", [False, True], ids=["ko", "en"])
async def test_a_path_beside_every_route_is_unknown(client: aiohttp.ClientSession, *, english: bool) -> None:
    for endpoint in ENDPOINTS:
        response, problem = await problem_of(
            client, "GET", f"{path_of(endpoint).rstrip('/')}/and/more", english=english
        )
        assert (response.status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize("endpoint", BOUND, ids=names)
async def test_a_bound_route_wants_a_token_that_holds(client: aiohttp.ClientSession, endpoint: Endpoint) -> None:
    for headers, code in (
        ({}, "token_missing"),
        ({"Authorization": "Bearer forged"}, "token_invalid"),
        ({"Authorization": "Basic abc"}, "token_invalid"),
    ):
        response, problem = await problem_of(client, endpoint.method, path_of(endpoint), headers=headers)
        assert (response.status, problem["code"]) == (401, code)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=names)
async def test_a_body_that_cannot_be_read_has_its_answer(
    client: aiohttp.ClientSession, endpoint: Endpoint, admin: dict[str, str]
) -> None:
    headers = admin | {"Content-Type": "application/json"}
    path = path_of(endpoint)
    most = MAX_ADMIN_JSON_BYTES if endpoint.auth == "admin" else MAX_JSON_BYTES
    cases = [(b"{", headers, 400), (b"{}", admin | {"Content-Type": "text/plain"}, 400), (b"[]", headers, 422)]
    for data, sent, status in [*cases, (b"", headers, 422), (b" " * (most + 1), headers, 413)]:
        response, problem = await problem_of(
            client, endpoint.method, path, data=io.BytesIO(data), headers=sent, english=True
        )
        if response.status == 422 and problem["code"] == "validation_failed":
            assert all(fault["pointer"].startswith("/") for fault in problem["errors"])
            assert all(fault.keys() == {"pointer", "detail", "code"} for fault in problem["errors"])
        assert response.status == status, (data[:9], problem)


UNAUTHENTIC = "/scripts/webhook/analysis-complete?job_id=x&token=x"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip", "x"])
@pytest.mark.parametrize(("path", "status"), [("/auth/google", 400), ("/request", 401), (UNAUTHENTIC, 401)])
async def test_a_compressed_body_is_not_unpacked(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, path: str, status: int, coding: str
) -> None:
    """Not even to be thrown away: a megabyte that unpacks to a gigabyte is a megabyte, and its sender no error."""
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    # Whoever tries to unpack it finds that it cannot be done, and ends the connection.
    async with client.post(path, data=io.BytesIO(b'{"id_token":"x"}' * 1000), headers=headers) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
    assert not [record for record in caplog.records if record.levelname == "ERROR"], caplog.text


def test_the_longest_url_that_is_documented_can_be_sent() -> None:
    """A letter is up to four bytes of UTF-8, each of them three in a URL; what is longer is no HTTP to us."""

    def longest(schema: dict[str, Any]) -> int:
        return max([int(schema.get("maxLength", 0)), *map(longest, schema.get("anyOf", []))])

    for path, methods in document(CONTRACTS)["paths"].items():
        for operation in methods.values():
            given = [each for each in operation.get("parameters", []) if each["in"] != "header"]
            assert len(path) + sum(len(each["name"]) + 12 * longest(each["schema"]) for each in given) < MAX_LINE_BYTES


async def test_a_path_of_thousands_of_segments_is_unknown_and_takes_no_time(client: aiohttp.ClientSession) -> None:
    """Of 31 kB of slashes each one cost 0.1 s in which nobody else was answered."""
    begun = time.process_time()
    for path in ("/" + "a/" * 15_000, "/tokens/" + "/" * 30_000):
        for _ in range(5):
            async with client.get(URL(path, encoded=True)) as response:
                assert response.status == 404
                assert (await response.json(content_type=None))["code"] == "not_found"
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=names)
def test_each_refusal_is_documented_with_a_code_of_its_own(endpoint: Endpoint) -> None:
    codes: dict[str, type[YouSyncError]] = {}
    for error in endpoint.raises:
        assert codes.setdefault(error.code, error) is error
    assert endpoint.summary


SECURITY_HEADERS = {"Server": "yousync", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/docs", "/redoc", "/openapi.json", "/metrics", "/tokens", "/static/pages/page.css"]
)
async def test_every_answer_has_its_security_headers(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path, headers={"X-Forwarded-Proto": "https"}) as response:
        assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "Strict-Transport-Security" not in response.headers  # nobody we trust says that it came by https


@pytest.mark.parametrize(
    "odd", ["%00", "a%00b", "%0d%0aX:1", "%2F", "%F0%9F%92%A9", "%ff", "9" * 5000, "NaN", "'--", "%25"]
)
async def test_an_odd_id_names_nothing(client: aiohttp.ClientSession, admin: dict[str, str], odd: str) -> None:
    """No column and no key may be asked for what it cannot hold, such as NUL in Postgres."""
    for endpoint in (each for each in ENDPOINTS if "{" in each.path and each.method == "GET"):
        path = re.sub(r"{\w+}", odd, endpoint.path)
        async with client.get(URL(path, encoded=True), headers=admin) as response:
            assert response.status < 500, (path[:80], await response.text())
