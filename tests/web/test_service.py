"""The service's own answers, under every spelling, and what readiness hangs on."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from web.app import CONTRACTS
from web.contract import spellings
from web.wiring import DEPS
from yousync.errors import YouSyncError


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_fixed_answers(client: aiohttp.ClientSession, prefix: str, slash: str) -> None:
    async with client.get(f"{prefix}/" if prefix or slash else "/") as reply:
        body = await reply.json()
        assert {"docs": "/docs", "redoc": "/redoc", "version": "1.0.0"}.items() <= body.items()
    async with client.get(f"{prefix}/health{slash}") as reply:
        assert await reply.json() == {"status": "healthy", "service": "token-script-api"}
    for path in ("livez", "readyz", "openapi.json", "docs", "redoc"):
        async with client.get(f"{prefix}/{path}{slash}", allow_redirects=False) as reply:
            assert reply.status == 200, path


async def test_the_document_is_valid_and_lists_one_spelling_of_each_path(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as reply:
        document = await reply.json()
    assert document["openapi"].startswith("3.1")
    validate(document)
    assert set(document["paths"]) == {endpoint.path for contract in CONTRACTS for endpoint in contract.endpoints}


async def test_every_path_is_served_in_every_spelling_without_redirect(
    client: aiohttp.ClientSession, app: web.Application
) -> None:
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    for contract in CONTRACTS:
        for endpoint in contract.endpoints:
            for path in spellings(endpoint.path):
                assert (endpoint.method, path) in served


async def test_readiness_hangs_on_a_valkey_that_keeps_what_it_is_given(
    client: aiohttp.ClientSession, app: web.Application
) -> None:
    valkey = app[DEPS].valkey
    await valkey.config_set("maxmemory-policy", "allkeys-lru")
    try:
        async with client.get("/readyz") as reply:
            assert (reply.status, (await reply.json())["code"]) == (503, "dependency_down")
    finally:
        await valkey.config_set("maxmemory-policy", "noeviction")
    async with client.get("/readyz") as reply:
        assert reply.status == 200


async def test_what_is_not_there_is_a_problem_too(client: aiohttp.ClientSession) -> None:
    async with client.get("/nothing/here") as reply:
        assert reply.status == 404
        assert reply.headers["Content-Type"].startswith("application/problem+json")
    async with client.delete("/health") as reply:
        assert reply.status == 405
        assert "GET" in reply.headers["Allow"]


def test_every_error_has_a_code_of_its_own_and_both_titles() -> None:
    def tree(kind: type[YouSyncError]) -> list[type[YouSyncError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    named = [kind for kind in tree(YouSyncError) if "code" in vars(kind)]
    assert len({kind.code for kind in named}) == len(named)
    assert all(kind.title and kind.title_ko and 400 <= kind.status < 600 for kind in named)
