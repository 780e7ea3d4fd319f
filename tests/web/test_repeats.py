"""A POST under an Idempotency-Key is done once, and nobody gets another's reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis

from models.video_request import VideoRequest
from tests.factories import bearer_of, make_user
from tests.web import sample
from tests.web.conftest import serving
from tests.web.sample import MADE, make_app
from web import repeats
from web.app import CONTRACTS, make_app as make_service
from web.contract import Contract
from web.endpoint import REPEATER
from web.openapi import document
from web.repeats import Repeats
from yousync.local.port import free_port
from yousync.settings import Settings
from yousync.valkey import connect

Client = TestClient[web.Request, web.Application]
MINA, JUN = {"Authorization": "Bearer mina"}, {"Authorization": "Bearer jun"}


@pytest_asyncio.fixture
async def valkey(settings: Settings, empty_valkey: None) -> AsyncIterator[Redis]:
    async with connect(settings.redis_url.get_secret_value()) as client:
        yield client


@pytest_asyncio.fixture
async def client(valkey: Redis, settings: Settings) -> AsyncIterator[Client]:
    app = make_app()
    app[REPEATER] = Repeats(valkey, settings).once
    async with TestClient(TestServer(app)) as made:
        yield made


async def post(client: Client, key: str = "", *, path: str = "/drafts", **how: Any) -> tuple[int, dict[str, Any], bool]:
    headers = {**how.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
    body = {"name": "n", "start_time": 0} | how.pop("body", {})
    async with client.post(path, json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None), "Idempotency-Replayed" in response.headers


async def test_without_a_key_everything_is_done(client: Client) -> None:
    for n in (1, 2):
        assert (await post(client))[1]["id"] == n


async def test_the_second_time_gets_the_first_reply_whole(client: Client) -> None:
    headers = {"Idempotency-Key": "k", **MINA}
    answers = []
    for path in ("/drafts", "/api/drafts/"):
        async with client.post(path, json={"name": "이름", "start_time": 0}, headers=headers) as response:
            answers.append((response.status, response.headers["Location"], await response.read()))
            assert response.content_type == "application/json"
            assert response.headers["Cache-Control"] == "no-store"
    assert answers[0] == answers[1]
    assert client.app[MADE] == ["이름"]


async def test_fifty_at_once_are_one(client: Client) -> None:
    answers = await asyncio.gather(*(post(client, "k", body={"start_time": 0.1}) for _ in range(50)))
    assert {(status, found["id"]) for status, found, _ in answers} == {(201, 1)}
    assert sum(not replayed for _, _, replayed in answers) == 1
    assert client.app[MADE] == ["n"]


async def test_a_key_stands_for_one_request_of_one_caller(client: Client) -> None:
    assert (await post(client, "k", headers=MINA))[1]["tags"] == ["mina"]
    for change in ({"body": {"name": "other"}}, {"path": "/drafts?tag=other"}):
        status, problem, _ = await post(client, "k", headers=MINA, **change)
        assert (status, problem["code"]) == (422, "idempotency_key_reused")
    assert (await post(client, "k", headers=JUN))[1]["tags"] == ["jun"]
    assert (await post(client, "k"))[1]["tags"] == ["nobody"]
    assert (await post(client, "k", path="/drafts/7/copy", headers=MINA))[1]["id"] == 7
    assert len(client.app[MADE]) == 4


async def test_a_key_in_use_for_something_else_is_told_at_once(client: Client) -> None:
    first = asyncio.create_task(post(client, "k", body={"start_time": 0.3}))
    while not client.app[MADE]:
        await asyncio.sleep(0.01)
    assert (await post(client, "k", body={"name": "other"}))[0] == 422
    assert (await first)[0] == 201


async def test_who_waits_too_long_is_told_to_come_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_WAIT_SECONDS", 0.0)
    first = asyncio.create_task(post(client, "k", body={"start_time": 0.4}))
    while not client.app[MADE]:
        await asyncio.sleep(0.01)
    status, problem, _ = await post(client, "k", body={"start_time": 0.4})
    assert (status, problem["code"]) == (409, "idempotency_key_busy")
    assert (await first)[0] == 201


async def test_a_refusal_is_not_kept(client: Client) -> None:
    body = {"name": "refused once"}
    assert [(await post(client, "k", body=body))[0] for _ in range(3)] == [429, 201, 201]
    assert len(client.app[MADE]) == 2


async def test_what_takes_long_keeps_its_key(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "RUNNING_MS", 150)
    body = {"start_time": 0.5}
    answers = await asyncio.gather(*(post(client, "k", body=body) for _ in range(2)))
    assert client.app[MADE] == ["n"]
    assert sorted(replayed for *_, replayed in answers) == [False, True]


async def test_a_key_whose_process_died_comes_free(
    valkey: Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "RUNNING_MS", 100)
    made = Repeats(valkey, settings)
    assert await made._take("yousync:repeat:x", b"mine") == b"mine"
    assert await made._take("yousync:repeat:x", b"another's") == b"mine"
    assert 0 < await valkey.pttl("yousync:repeat:x") <= 100


async def test_replies_are_kept_for_a_day(client: Client, valkey: Redis) -> None:
    await post(client, "k")
    [name] = await valkey.keys("yousync:repeat:*")
    assert 86_000_000 < await valkey.pttl(name) <= repeats.KEPT_MS


@pytest.mark.parametrize(("key", "status"), [("k" * 200, 201), ("k" * 201, 422), (" ", 422)])
async def test_a_key_has_a_length(client: Client, key: str, status: int) -> None:
    assert (await post(client, key))[0] == status


async def test_a_handler_s_own_headers_come_beside_the_key(client: Client) -> None:
    headers = {"Prefer": "respond-async"}
    assert (await post(client, "k", path="/drafts/7/copy", headers=headers))[1]["name"] == "respond-async"
    assert (await post(client, "", path="/drafts/7/copy"))[1]["name"] == "as you like"


async def test_without_valkey_a_promise_is_not_made(settings: Settings) -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as nowhere:
        app = make_app()
        app[REPEATER] = Repeats(nowhere, settings).once
        async with TestClient(TestServer(app)) as client:
            status, problem, _ = await post(client, "k")
            assert (status, problem["code"]) == (503, "dependency_down")
            assert (await post(client))[0] == 201
    assert app[MADE] == ["n"]


async def test_what_is_done_is_not_denied_by_a_valkey_that_takes_no_more_writes(client: Client, valkey: Redis) -> None:
    first = asyncio.create_task(post(client, "k", body={"start_time": 0.4}))
    refused = asyncio.create_task(post(client, "l", body={"start_time": 0.4, "name": "refused once"}))
    while len(client.app[MADE]) < 2:
        await asyncio.sleep(0.01)
    await valkey.config_set("min-replicas-to-write", 1)
    try:
        assert [(await each)[0] for each in (first, refused)] == [201, 429]
    finally:
        await valkey.config_set("min-replicas-to-write", 0)


def test_the_document_names_the_header_and_its_refusals() -> None:
    contract = Contract(tag="t")
    contract.endpoints = [each for each in sample.routes.endpoints if each.name in ("create_draft", "copy_draft")]
    paths = document([contract])["paths"]
    headers = [[p["name"] for p in paths[path]["post"]["parameters"] if p["in"] == "header"] for path in sorted(paths)]
    assert [sorted(each) for each in headers] == [["Idempotency-Key"], ["Idempotency-Key", "Prefer"]]
    codes = paths["/drafts"]["post"]["responses"]["422"]["content"]["application/problem+json"]["examples"]
    assert "idempotency_key_reused" in codes


ONCE_ONLY = {
    "/mypage/bookmarks",
    "/request",
    "/tokens",
    "/scripts",
    "/actors",
}
"""The POSTs that make something; uploads, videos and dubbings have the engine's own way."""


def test_every_post_that_makes_something_takes_a_key() -> None:
    posts = {each.path: each for contract in CONTRACTS for each in contract.endpoints if each.method == "POST"}
    assert {path for path, each in posts.items() if each.idempotent} <= ONCE_ONLY
    assert all(each.idempotent for path, each in posts.items() if path in ONCE_ONLY)
    assert not [path for path, each in posts.items() if each.status == 201 and not each.idempotent]


async def test_fifty_posts_at_once_are_one_row(settings: Settings) -> None:
    async with (
        serving(make_service(settings, with_worker=False), settings.port),
        aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as service,
    ):
        user = await make_user()
        headers = {**await bearer_of(settings, user), "Idempotency-Key": "one"}
        body = {"actor": "배우", "content": "장면", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}

        async def ask() -> tuple[int, int]:
            async with service.post("/api/request/", json=body, headers=headers) as response:
                return response.status, (await response.json()).get("id")

        answers = await asyncio.gather(*(ask() for _ in range(50)))
        assert {status for status, _ in answers} == {200}
        assert len({made for _, made in answers}) == 1
        assert await VideoRequest.filter(user_id=user.id).count() == 1
