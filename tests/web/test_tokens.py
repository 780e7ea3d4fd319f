"""Clips are listed and read in the shapes and orders that clients were promised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import TypeAdapter

from models.token import Token as Row
from tests.queries import counted
from tests.web.shelf import Shelf, fill, ids, read
from web import shapes
from web.wiring import CATALOGUE
from yousync.youtube import canonical_video

pytestmark = pytest.mark.usefixtures("shelf")


@pytest_asyncio.fixture(scope="module")
async def shelf(app: web.Application) -> AsyncIterator[Shelf]:
    yield await fill()


class TestLists:
    async def test_all_of_them_by_age(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        assert await ids(client, "/tokens/") == shelf.tokens
        assert await ids(client, "/tokens/latest/") == shelf.tokens[::-1]

    async def test_popular_ones_by_views_and_equals_by_age(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        (one, two), (harbour, attic, orbit) = shelf.duet, shelf.solo
        assert await ids(client, "/tokens/popular/") == [harbour, two, one, orbit, attic]

    async def test_short_ones_shuffled_but_in_one_order(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        whole = await ids(client, "/tokens/sync-collection/")
        assert sorted(whole) == sorted([shelf.duet[0], shelf.solo[0], shelf.solo[1]]), "20.0 s is not below 20"
        pages = [await ids(client, f"/tokens/sync-collection/?skip={skip}&limit=1") for skip in range(4)]
        assert [each for page in pages for each in page] == whole

    @pytest.mark.parametrize(
        ("category", "expected"),
        [
            ("로맨스", ["Bridge, her side", "Bridge, his side"]),
            ("코미디", ["Bridge, his side"]),
            ("ACTION", ["Harbour", "Orbit"]),
            ("100%25", ["Harbour"]),
            ("%25", ["Harbour"]),
            ("_", []),
            ("%5C", []),
            ("판타지", []),
        ],
    )
    async def test_a_category_by_any_part_of_its_name(
        self, client: aiohttp.ClientSession, category: str, expected: list[str]
    ) -> None:
        found = await read(client, f"/tokens/category/{category}/")
        assert [token["token_name"] for token in found] == expected

    async def test_related_ones_are_the_same_actors_most_viewed_first(
        self, client: aiohttp.ClientSession, shelf: Shelf
    ) -> None:
        harbour, attic, orbit = shelf.solo
        assert await ids(client, f"/tokens/{shelf.duet[0]}/related/") == [harbour, orbit, attic]
        assert await ids(client, f"/tokens/{shelf.duet[0]}/related?skip=1&limit=1") == [orbit]
        assert await ids(client, f"/tokens/{shelf.duet[1]}/related") == []

    async def test_related_to_nothing(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        lonely = await Row.create(
            token_name="Alone", actor_name="Nobody", start_time=0.0, end_time=30.0, youtube_id=shelf.url
        )
        try:
            assert (await read(client, f"/tokens/{lonely.id}/related", 404))["code"] == "actor_not_found"
        finally:
            await lonely.delete()
        assert (await read(client, "/tokens/999999/related", 404))["code"] == "token_not_found"

    async def test_one_of_a_list_has_the_contracts_shape(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        [found] = await read(client, f"/tokens/?skip={shelf.tokens.index(shelf.duet[0])}&limit=1")
        assert found == {
            "id": shelf.duet[0],
            "token_name": "Bridge, her side",
            "actor_name": "Mina Harper",
            "category": "로맨스",
            "start_time": 10.0,
            "end_time": 29.5,
            "s3_textgrid_url": None,
            "s3_pitch_url": None,
            "s3_bgvoice_url": None,
            "thumbnail_url": "https://img.example.com/Bridge, her side.jpg",
            "youtube_url": shelf.url,
            "view_count": 5,
        }

    @pytest.mark.parametrize("spelling", ["/tokens{}", "/tokens{}/", "/api/tokens{}", "/api/tokens{}/"])
    @pytest.mark.parametrize("name", ["", "/latest", "/popular", "/sync-collection", "/category/action"])
    async def test_every_spelling_is_the_list_and_not_a_clip(
        self, client: aiohttp.ClientSession, spelling: str, name: str
    ) -> None:
        TypeAdapter(list[shapes.Token]).validate_python(await read(client, spelling.format(name)), strict=True)

    @pytest.mark.parametrize("query", ["skip=-1", "limit=-1", "limit=0", "limit=ten", "skip=1.5", "skip=99999999999"])
    async def test_nonsense_is_refused(self, client: aiohttp.ClientSession, query: str) -> None:
        for path in ("/tokens", "/tokens/popular", "/tokens/sync-collection", "/scripts", "/actors"):
            refusal = await read(client, f"{path}?{query}", 422)
            assert refusal["errors"][0]["pointer"] == f"/query/{query.split('=', maxsplit=1)[0]}"

    async def test_a_limit_above_the_most_is_the_most(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        assert await ids(client, "/tokens?limit=1000000000000000000000") == shelf.tokens

    async def test_text_that_postgres_cannot_hold_is_refused(self, client: aiohttp.ClientSession) -> None:
        await read(client, "/tokens/category/%00", 422)
        await read(client, "/actors/search/a%00b", 422)


class TestDetail:
    async def test_sentences_and_words_in_order(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        found = await read(client, f"/tokens/{shelf.duet[0]}")
        shapes.TokenDetail.model_validate(found)
        first, second = shelf.scripts
        assert (found["pitch"], found["bgvoice_url"]) == (None, None)
        assert [script["id"] for script in found["scripts"]] == [first, second]
        ours, empty = found["scripts"]
        word = {"script_id": first, "probability": 0.5}
        assert [{name: value for name, value in each.items() if name != "id"} for each in ours.pop("words")] == [
            word | {"word": "We", "start_time": 12.0, "end_time": 12.4},
            word | {"word": "cross", "start_time": 12.5, "end_time": 12.9},
        ]
        assert ours == {
            "id": first,
            "token_id": shelf.duet[0],
            "start_time": 12.0,
            "end_time": 14.0,
            "script": "We cross",
            "translation": None,
        }
        assert empty["words"] == []

    async def test_a_clip_without_sentences_is_one(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        assert (await read(client, f"/tokens/{shelf.solo[0]}/"))["scripts"] == []

    @pytest.mark.parametrize(
        ("name", "status"), [("999999", 404), ("0", 404), ("99999999999", 404), ("1.5", 422), ("newest", 422)]
    )
    async def test_what_is_no_clip(self, client: aiohttp.ClientSession, name: str, status: int) -> None:
        for path in (f"/tokens/{name}", f"/tokens/{name}/", f"/scripts/{name}"):
            await read(client, path, status)

    async def test_as_many_queries_however_much_there_is(
        self, client: aiohttp.ClientSession, app: web.Application, shelf: Shelf
    ) -> None:
        for path, expected in (
            (f"/tokens/{shelf.duet[0]}", 2),
            (f"/tokens/{shelf.solo[0]}", 2),
            ("/tokens", 1),
            ("/tokens/popular", 1),
            ("/tokens/sync-collection", 1),
            (f"/tokens/{shelf.duet[0]}/related", 2),
            ("/scripts", 1),
            (f"/scripts/token/{shelf.duet[0]}", 1),
            ("/actors/mina", 2),
            ("/duet/scenes", 1),
        ):
            app[CATALOGUE].forget()
            with counted() as queries:
                await read(client, path)
            assert len(queries) == expected, (path, queries)


class TestViews:
    async def test_each_caller_is_told_a_count_of_its_own(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        orbit = shelf.solo[2]

        async def view() -> dict[str, Any]:
            async with client.post(f"/tokens/{orbit}/view") as reply:
                assert reply.status == 200
                found: dict[str, Any] = await reply.json()
                return found

        with counted() as queries:
            told = await asyncio.gather(*(view() for _ in range(20)))
        assert sorted(each["view_count"] for each in told) == list(range(3, 23))
        assert {each["token_id"] for each in told} == {orbit}
        assert (await Row.get(id=orbit)).view_count == 22
        assert len(queries) < 20, "views of one moment share a statement"

    async def test_of_no_clip(self, client: aiohttp.ClientSession) -> None:
        for name, status in (("999999", 404), ("x", 422)):
            async with client.post(f"/api/tokens/{name}/view/", headers={"Authorization": "Bearer old"}) as reply:
                assert reply.status == status


class TestScripts:
    async def test_lists_and_one(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        whole = await read(client, "/scripts/")
        assert [script["id"] for script in whole] == list(shelf.scripts)
        assert [script["id"] for script in await read(client, "/scripts?skip=1&limit=5")] == [shelf.scripts[1]]
        assert await read(client, f"/scripts/token/{shelf.duet[0]}/") == whole
        assert await read(client, f"/scripts/token/{shelf.duet[1]}") == []
        assert await read(client, f"/scripts/{shelf.scripts[0]}") == whole[0]
        assert (await read(client, "/scripts/999999", 404))["code"] == "script_not_found"


class TestVideos:
    async def test_clips_of_a_video_however_it_is_spelt(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        short = shelf.url.replace("www.youtube.com/watch?v=", "youtu.be/")
        for spelling in (shelf.url, short, f"{shelf.url}%26t=5s"):
            assert await ids(client, f"/urls/tokens?youtube_url={spelling}") == list(shelf.duet)
        for unknown in ("https://youtu.be/AAAAAAAAAAA", "nonsense"):
            assert (await read(client, f"/urls/tokens/?youtube_url={unknown}", 404))["code"] == "url_not_found"
        await read(client, "/urls/tokens", 422)

    async def test_whether_a_video_is_known(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        for url, status, expected in (
            (shelf.url, 200, {"exists": True}),
            ("https://youtu.be/AAAAAAAAAAA", 200, {"exists": False}),
            ("https://example.com/", 422, None),
        ):
            async with client.post("/urls/check", json={"youtube_url": url}) as reply:
                assert reply.status == status
                if expected:
                    assert await reply.json() == expected

    async def test_videos_for_two(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        [scene] = await read(client, "/duet/scenes")
        shapes.DuetScene.model_validate(scene)
        assert [token["id"] for token in scene.pop("duet_pair")] == list(shelf.duet)
        assert scene == {
            "youtube_url": shelf.url,
            "thumbnail_url": "https://img.example.com/Bridge, her side.jpg",
            "scene_title": "Bridge, her side",
        }
        assert canonical_video(scene["youtube_url"]) == scene["youtube_url"]


class TestActors:
    async def test_list(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        expected = [{"id": shelf.mina, "name": "Mina Harper"}, {"id": shelf.jun, "name": "Tom Hanks"}]
        assert await read(client, "/actors/") == expected
        assert await read(client, "/actors?skip=1") == expected[1:]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("Tom Hanks", "Tom Hanks"),
            ("TomHanks", "Tom Hanks"),
            ("tom hank", "Tom Hanks"),
            ("HAR", "Mina Harper"),
            ("미나", "Mina Harper"),
            ("미나하퍼", "Mina Harper"),
            ("행크스", "Tom Hanks"),
            ("Tom Henks", "Tom Hanks"),
            ("하파", ""),
            ("%25", ""),
            ("_", ""),
            ("%5C", ""),
            ("zzz", ""),
        ],
    )
    async def test_are_found_by_what_people_type(
        self, client: aiohttp.ClientSession, shelf: Shelf, query: str, expected: str
    ) -> None:
        found = await read(client, f"/actors/search/{query}")
        assert [actor["name"] for actor in found] == ([expected] if expected else [])
        clips = {"Tom Hanks": [shelf.duet[1]], "Mina Harper": [shelf.duet[0], *shelf.solo], "": []}[expected]
        assert await ids(client, f"/actors/{query}") == clips
