"""What a client has already is not sent again; what it has is named by its bytes alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given, strategies as st

from tests.web.sample import FROZEN, make_app
from web.conditional import etag_of, known

Client = TestClient[web.Request, web.Application]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_app())) as made:
        yield made


@given(st.binary(), st.binary())
def test_a_tag_names_exactly_its_bytes(one: bytes, other: bytes) -> None:
    assert (etag_of(one) == etag_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (['"a"'], True),
        (['W/"a"'], True),
        (['"x", "a"'], True),
        (['"x",W/"a" , "y"'], True),
        (['"x"', '"a"'], True),
        (["*"], True),
        ([" * "], True),
        (['"*"'], False),
        (["a"], False),
        (['"A"'], False),
        (['"x"'], False),
        ([""], False),
        (['"a'], False),
    ],
)
def test_tags_are_compared_weakly_and_in_lists(given: list[str], *, expected: bool) -> None:
    assert known('"a"', given) is expected


async def test_a_read_is_answered_with_its_tag_and_then_not_again(client: Client) -> None:
    async with client.get("/clips/5") as response:
        tag = response.headers["ETag"]
        assert tag == etag_of(await response.read())
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in response.headers["Vary"]
    async with client.get("/api/clips/5/", headers={"If-None-Match": f'"other", W/{tag}'}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == tag
        assert response.headers["Cache-Control"] == "private, no-cache"
    async with client.get("/clips/6", headers={"If-None-Match": tag}) as response:
        assert response.status == 200


async def test_another_caller_s_answer_has_another_tag(client: Client) -> None:
    async with client.get("/clips/5") as response:
        tag = response.headers["ETag"]
    headers = {"If-None-Match": tag, "Authorization": "Bearer mina"}
    async with client.get("/clips/5", headers=headers) as response:
        assert (response.status, (await response.json())["name"]) == (200, "mina")


async def test_a_public_read_may_be_kept_by_anybody_who_asks_again(client: Client) -> None:
    async with client.get("/clips/latest") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        assert "Authorization" not in response.headers.get("Vary", "")


async def test_what_was_encoded_before_is_sent_as_it_is(client: Client) -> None:
    async with client.get("/clips/frozen") as response:
        assert (await response.read(), response.content_type) == (FROZEN.body, "application/json")
        assert response.headers["ETag"] == FROZEN.etag
    async with client.get("/clips/frozen", headers={"If-None-Match": FROZEN.etag}) as response:
        assert response.status == 304


async def test_head_says_what_get_says_without_the_body(client: Client) -> None:
    told = ("ETag", "Content-Length", "Content-Type", "Cache-Control")
    async with client.get("/clips/5") as response:
        expected = {name: response.headers[name] for name in told}
    async with client.head("/clips/5") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert {name: response.headers[name] for name in told} == expected
    async with client.head("/clips/5", headers={"If-None-Match": expected["ETag"]}) as response:
        assert response.status == 304


async def test_what_was_done_has_no_tag_and_is_not_kept(client: Client) -> None:
    headers = {"Authorization": "Bearer mina", "If-None-Match": "*"}
    async with client.post("/clips", json={"name": "n", "start_time": 1}, headers=headers) as response:
        assert response.status == 201
        assert "ETag" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"


async def test_refusals_and_streams_have_no_tag(client: Client) -> None:
    for path, status in (("/clips/404", 404), ("/clips/5/events", 200)):
        async with client.get(path, headers={"If-None-Match": "*"}) as response:
            assert response.status == status
            assert "ETag" not in response.headers
