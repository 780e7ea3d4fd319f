"""Older spellings work as ever, and say which one to use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.web import sample
from web.deprecation import SINCE
from web.openapi import document

Client = TestClient[web.Request, web.Application]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(sample.make_app())) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "successor"),
    [
        ("/clips/newest", "/clips/latest"),
        ("/api/clips/newest/", "/api/clips/latest"),
        ("/films/5", "/clips/5"),
        ("/api/films/5", "/api/clips/5"),
        ("/clips/5/", "/clips/5"),
        ("/api/clips/5/", "/api/clips/5"),
        ("/clips/5/events/", "/clips/5/events"),
        ("/failures/a%2Fb%3F%22/", "/failures/a%2Fb%3F%22"),
    ],
)
async def test_an_older_spelling_names_the_one_to_use(client: Client, path: str, successor: str) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert response.headers["Deprecation"] == SINCE
        assert response.headers["Link"] == f'<{successor}>; rel="successor-version"'
    async with client.get(successor) as response:
        assert "Deprecation" not in response.headers


async def test_an_alias_answers_what_its_path_answers(client: Client) -> None:
    async with client.get("/clips/latest") as response, client.get("/clips/newest") as older:
        assert (older.status, await older.read()) == (response.status, await response.read())


async def test_a_refusal_says_so_as_well(client: Client) -> None:
    async with client.get("/films/five") as response:
        assert (response.status, response.headers["Deprecation"]) == (422, SINCE)


def test_the_document_says_so() -> None:
    paths = document([sample.routes])["paths"]
    assert paths["/clips/newest"]["get"]["deprecated"] is True
    assert paths["/films/{token_id}"]["get"]["deprecated"] is True
    assert "deprecated" not in paths["/clips/latest"]["get"]
