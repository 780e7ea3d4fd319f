"""What nobody is told: secrets that were sent are written down nowhere, and answers say nothing of what lies behind."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.script import Script
from models.user import User, ensure_user
from tests.factories import bearer_of, make_attempt
from tests.faults.proxy import Proxy, proxied
from tests.processes import WebProcess, running
from tests.web.conftest import form, recording
from tests.web.test_auth import everything
from tests.web.test_google_sign_in import id_token, somebody
from web.app import CONTRACTS
from web.contract import Endpoint
from web.openapi import document
from web.wiring import DEPS
from yousync.local.port import free_port
from yousync.local.stack import Stack
from yousync.settings import Settings

ENDPOINTS = [endpoint for contract in CONTRACTS for endpoint in contract.endpoints]
LAST = [endpoint for endpoint in ENDPOINTS if endpoint.method == "DELETE" or endpoint.name == "logout"]
"""Those that take away what the others need, were they to succeed."""
DOCUMENT = document(CONTRACTS)
INSIDES = re.compile(r"(?i)Traceback|asyncpg|tortoise|redis|valkey|postgres|SELECT|INSERT|127\.0\.0\.1|\.py\b")


@pytest_asyncio.fixture(scope="module")
async def postgres(settings: Settings) -> AsyncIterator[Proxy]:
    async with proxied(urlsplit(settings.database_url.get_secret_value()).port or 0) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module")
async def valkey(settings: Settings) -> AsyncIterator[Proxy]:
    async with proxied(urlsplit(settings.redis_url.get_secret_value()).port or 0) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module")
async def process(
    app: web.Application,
    settings: Settings,
    postgres: Proxy,
    valkey: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[WebProcess]:
    """A web process that says all it can, on the same stores, which can be taken away from it."""
    made = WebProcess(
        settings,
        logs=tmp_path_factory.mktemp("logs"),
        port=free_port(),
        LOG_LEVEL="debug",
        DATABASE_URL=postgres.instead(settings.database_url.get_secret_value()),
        REDIS_URL=valkey.instead(settings.redis_url.get_secret_value()),
    )
    async with running(made):
        yield made


@pytest_asyncio.fixture(scope="module")
async def operator(app: web.Application) -> User:
    return await ensure_user("leaks@example.com", admin=True)


async def test_secrets_that_were_sent_are_written_down_nowhere(
    app: web.Application, process: WebProcess, settings: Settings, stack: Stack, script: Script, user: User
) -> None:
    """Not in a log, however much it says, nor in a metric or a key of Valkey."""
    canary = f"canary{secrets.token_hex(8)}"
    job_id = await make_attempt(user, script)
    account = somebody(email=f"{canary}@example.com")
    real = {"google": await id_token(stack, account), "access": (await bearer_of(settings, user))["Authorization"]}
    audio = form(recording(pitch=777), filename=f"{canary}.wav")
    audio.add_field("note", canary)
    sent: list[tuple[str, str, int, dict[str, Any]]] = [
        ("GET", f"/auth/me?password={canary}", 401, {"headers": {"Authorization": f"Bearer {canary}"}}),
        ("GET", "/auth/me", 401, {"headers": {"Authorization": f"Basic {canary}", "Cookie": f"session={canary}"}}),
        ("GET", "/auth/me", 200, {"headers": {"Authorization": real["access"], "User-Agent": canary}}),
        ("POST", "/auth/refresh", 401, {"headers": {"Authorization": f"Bearer eyJhbGciOiJIUzI1NiJ9.{canary}.x"}}),
        ("POST", "/auth/google", 400, {"json": {"id_token": canary}}),
        ("POST", "/auth/google", 200, {"json": {"id_token": real["google"]}}),
        ("POST", "/request", 401, {"headers": {"Idempotency-Key": canary}, "json": {}}),
        ("GET", f"/scripts/analysis-result/{job_id}?ticket={canary}", 200, {}),
        ("GET", f"/tokens?skip={canary}&email={canary}", 422, {"headers": {"Origin": f"https://{canary}.example"}}),
        ("POST", f"/scripts/webhook/analysis-complete?job_id={job_id}&token={canary}", 401, {"json": {"a": canary}}),
        ("POST", f"/tokens/webhook/analysis-complete?token={canary}", 400, {"headers": {"Webhook-Signature": canary}}),
        ("POST", f"/scripts/{script.id}/upload-audio", 202, {"data": audio, "headers": {"X-Request-Id": f"?{canary}"}}),
        ("GET", f"/metrics?token={canary}", 200, {}),
    ]
    async with aiohttp.ClientSession(process.url) as client:
        for method, path, status, how in sent:
            async with client.request(method, path, **how) as reply:
                assert reply.status == status, (path, await reply.text())
        async with client.get("/metrics") as reply:
            told = [await reply.text()]
    told += [process.process.log.read_text(), *await everything(app[DEPS].valkey)]
    assert told[1].count('"event":"request"') >= len(sent)
    for secret in (canary, real["google"].rpartition(".")[2], real["access"].rpartition(".")[2]):
        assert not [line for text in told for line in text.splitlines() if secret in line]


async def ask(client: aiohttp.ClientSession, endpoint: Endpoint, script: Script) -> tuple[Endpoint, int, Any]:
    """What a request that is in order is answered."""
    ids = {"token_id": script.token_id, "script_id": script.id, "job_id": "0" * 32, "stage": "clean", "request_id": 1}
    path = re.sub(r"{(\w+)}", lambda found: str(ids.get(found[1], "x")), endpoint.path)
    how: dict[str, Any] = {"params": {"job_ids": "0" * 32, "youtube_url": script.script}}
    if "form" in endpoint.inputs:
        how["data"] = form(recording(), field="files" if "batch" in path else "file")
    if "body" in endpoint.inputs:
        content = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]["requestBody"]["content"]
        how["json"] = content["application/json"]["example"]
    async with client.request(endpoint.method, path, **how) as reply:
        text = await reply.text()
        assert not INSIDES.search(text), (endpoint.name, text)
        code = (await reply.json(content_type=None))["code"] if reply.status >= 400 else ""
        assert code != "dependency_down" or (reply.status == 503 and int(reply.headers["Retry-After"]) > 0)
        return endpoint, reply.status, code


@pytest.mark.parametrize("name", ["postgres", "valkey"])
async def test_what_is_down_is_a_503_that_tells_nothing_of_it(
    process: WebProcess,
    settings: Settings,
    script: Script,
    operator: User,
    postgres: Proxy,
    valkey: Proxy,
    name: str,
) -> None:
    """Nor is it a success: what was not done is not said to be."""
    headers = await bearer_of(settings, operator)
    store = {"postgres": postgres, "valkey": valkey}[name]
    store.cut(b"", times=2**62)
    try:
        async with aiohttp.ClientSession(process.url, headers=headers) as client:
            first = [endpoint for endpoint in ENDPOINTS if endpoint not in LAST]
            found = await asyncio.gather(*(ask(client, endpoint, script) for endpoint in first))
            found += await asyncio.gather(*(ask(client, endpoint, script) for endpoint in LAST))
    finally:
        store.heal()
    assert not [(endpoint.name, status) for endpoint, status, _ in found if status == 500]
    down = {endpoint.name for endpoint, _, code in found if code == "dependency_down"}
    if name == "postgres":
        assert {endpoint.name for endpoint in ENDPOINTS if endpoint.auth in ("required", "admin")} <= down
    else:
        assert {"script_analysis_progress", "token_analysis_result", "batch_progress", "admin_stats"} <= down
        assert {"upload_script_audio", "upload_token_audio", "readyz"} <= down
        assert not {"list_tokens", "read_token", "my_overview", "my_bookmarks", "add_my_bookmark", "sign_in"} & down
