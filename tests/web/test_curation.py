"""Admins change the catalogue; nobody else does, and nothing gets in that clients could not show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.actor import Actor, Url
from models.analysis_result import AnalysisResult
from models.script import Script, Word
from models.token import Token, TokenActor
from models.user import User, ensure_user
from tests.factories import make_attempt, make_script, make_token, make_user
from tests.web.asking import Caller
from web.contract import Endpoint
from web.routes import curation
from yousync.settings import Settings

VIDEO = "https://www.youtube.com/watch?v=abcdefghi_1"
DRAFT = {
    "token_name": "Night train",
    "actor_name": "Nora Quill",
    "category": "드라마",
    "start_time": 3,
    "end_time": 12.5,
    "youtube_url": "https://youtu.be/abcdefghi_1?t=42",
    "thumbnail_url": "https://img.example.com/1.jpg",
    "view_count": 1_000_000,
    "unknown": True,
}


@pytest_asyncio.fixture(scope="module")
async def admin(app: web.Application, client: aiohttp.ClientSession, settings: Settings) -> Caller:
    return await Caller.signed_in(client, settings, await ensure_user("editor@example.com", admin=True))


def sentence(token: Token, **changes: Any) -> dict[str, Any]:
    """Two words of a sentence from 10 to 12 s."""
    words = [
        {"word": "We", "start_time": 10.0, "end_time": 10.4},
        {"word": "cross", "start_time": 10.4, "end_time": 11.0, "probability": 0.9},
    ]
    return {"token_id": token.id, "start_time": 10, "end_time": 12, "script": "We cross", "words": words} | changes


@pytest.mark.parametrize("endpoint", curation.routes.endpoints, ids=lambda endpoint: endpoint.name)
async def test_only_admins(
    client: aiohttp.ClientSession, settings: Settings, user: User, script: Script, endpoint: Endpoint
) -> None:
    path = endpoint.path.format(token_id=script.token_id, script_id=script.id)
    assert await Caller(client).refused(endpoint.method, path, 401) == "token_missing"
    learner = await Caller.signed_in(client, settings, user)
    assert await learner.refused(endpoint.method, path, 403) == "admin_only"


class TestTokens:
    async def test_a_new_one_brings_its_actor_and_video(self, admin: Caller) -> None:
        made = await admin.ask("POST", "/tokens/", json=DRAFT)
        assert made == {
            "id": made["id"],
            "token_name": "Night train",
            "actor_name": "Nora Quill",
            "category": "드라마",
            "start_time": 3.0,
            "end_time": 12.5,
            "s3_textgrid_url": None,
            "s3_pitch_url": None,
            "s3_bgvoice_url": None,
            "thumbnail_url": "https://img.example.com/1.jpg",
            "youtube_url": VIDEO,
            "view_count": 0,
        }
        assert made["id"] > 35
        actor = await Actor.get(name="Nora Quill")
        assert await Url.exists(youtube_url=VIDEO, actor=actor)
        assert [each.actor_id async for each in TokenActor.filter(token_id=made["id"])] == [actor.id]
        assert [token["id"] for token in await admin.get("/actors/noraquill")] == [made["id"]]
        assert (await admin.get(f"/tokens/{made['id']}"))["token_name"] == "Night train"

    async def test_another_replaces_it_whole_but_for_its_views(self, admin: Caller) -> None:
        made = await admin.ask("POST", "/tokens", json=DRAFT | {"actor_name": "First Actor"})
        assert (await admin.ask("POST", f"/tokens/{made['id']}/view"))["view_count"] == 1
        draft = {**DRAFT, "actor_name": "Second Actor", "youtube_url": "https://www.youtube.com/shorts/abcdefghi_2"}
        del draft["category"]
        replaced = await admin.ask("PUT", f"/tokens/{made['id']}", json=draft)
        assert (replaced["category"], replaced["view_count"], replaced["youtube_url"]) == (None, 1, f"{VIDEO[:-1]}2")
        assert await admin.get("/actors/FirstActor") == []
        assert [token["actor_name"] for token in await admin.get("/actors/SecondActor")] == ["Second Actor"]

    async def test_removing_one_removes_what_hangs_on_it(self, admin: Caller) -> None:
        script = await make_script()
        await make_attempt(await make_user(), script)
        path = f"/tokens/{script.token_id}"
        await admin.get(path)
        assert set(await admin.ask("DELETE", path)) == {"detail"}
        await admin.get(path, status=404)
        assert not await Script.exists(id=script.id)
        assert not await AnalysisResult.exists(token_id=script.token_id)
        assert await admin.refused("DELETE", path, 404) == "token_not_found"
        assert await admin.refused("PUT", path, 404, json=DRAFT) == "token_not_found"

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"youtube_url": "https://example.com/watch?v=abcdefghi_1"}, "/body/youtube_url"),
            ({"youtube_url": "https://www.youtube.com/watch?v=short"}, "/body/youtube_url"),
            ({"youtube_url": None}, "/body/youtube_url"),
            ({"end_time": 3.0}, "/body/end_time"),
            ({"start_time": -1}, "/body/start_time"),
            ({"start_time": "soon"}, "/body/start_time"),
            ({"actor_name": "  "}, "/body/actor_name"),
            ({"actor_name": "x" * 256}, "/body/actor_name"),
            ({"token_name": "a\x00b"}, "/body/token_name"),
        ],
    )
    async def test_what_is_wrong_is_named(self, admin: Caller, change: dict[str, Any], pointer: str) -> None:
        for method, path in (("POST", "/tokens"), ("PUT", "/tokens/1")):
            refusal = await admin.ask(method, path, json=DRAFT | change, status=422)
            assert [fault["pointer"] for fault in refusal["errors"]] == [pointer]


class TestScripts:
    async def test_a_sentence_with_its_words(self, admin: Caller) -> None:
        token = await make_token()
        made = await admin.ask("POST", "/scripts/", json=sentence(token))
        assert [(word["word"], word["start_time"], word["probability"]) for word in made["words"]] == [
            ("We", 10.0, None),
            ("cross", 10.4, 0.9),
        ]
        assert (await admin.get(f"/tokens/{token.id}"))["scripts"] == [made]

    async def test_a_megabyte_of_nonsense_is_refused_in_few_words(self, admin: Caller) -> None:
        token = await make_token()
        word = {"word": "a", "start_time": 10, "end_time": 11, "mfcc": [["x"] * 13] * 20}
        refusal = await admin.ask("POST", "/scripts", json=sentence(token, words=[word] * 600), status=422)
        assert len(refusal["errors"]) == 100
        assert {fault["pointer"].count("/") for fault in refusal["errors"]} == {6}  # each word's first, no more

    async def test_words_stay_unless_they_are_named(self, admin: Caller) -> None:
        token = await make_token()
        made = await admin.ask("POST", "/scripts", json=sentence(token))
        path = f"/scripts/{made['id']}"
        draft = sentence(token, script="We cross!", translation="건넌다")
        del draft["words"]
        kept = await admin.ask("PUT", path, json=draft)
        assert kept == made | {"script": "We cross!", "translation": "건넌다"}
        other = [{"word": "They", "start_time": 11.0, "end_time": 11.5, "mfcc": [[0.5] * 13]}]
        replaced = await admin.ask("PUT", path, json=draft | {"words": other})
        assert [word["word"] for word in replaced["words"]] == ["They"]
        assert (await Word.get(id=replaced["words"][0]["id"])).mfcc == [[0.5] * 13]
        refusal = await admin.ask("PUT", path, json=draft | {"end_time": 11.2}, status=422)
        assert [fault["pointer"] for fault in refusal["errors"]] == ["/body/words"]
        assert (await admin.get(path)) == replaced, "a refused change changes nothing"
        assert (await admin.ask("PUT", path, json=draft | {"words": []}))["words"] == []

    @pytest.mark.parametrize(
        ("place", "change", "pointer"),
        [
            (0, {"start_time": 9.9}, "/body/words/0/start_time"),
            (1, {"end_time": 12.1}, "/body/words/1/end_time"),
            (1, {"start_time": 9.0}, "/body/words/1/start_time"),
            (0, {"start_time": 10.5}, "/body/words/0/end_time"),
            (0, {"probability": 1.5}, "/body/words/0/probability"),
            (1, {"mfcc": [[0.0] * 12]}, "/body/words/1/mfcc/0"),
            (1, {"word": None}, "/body/words/1/word"),
        ],
    )
    async def test_words_lie_inside_and_in_order(
        self, admin: Caller, place: int, change: dict[str, Any], pointer: str
    ) -> None:
        draft = sentence(await make_token())
        draft["words"][place] |= change
        for method, path in (("POST", "/scripts"), ("PUT", "/scripts/1")):
            refusal = await admin.ask(method, path, json=draft, status=422)
            assert pointer in [fault["pointer"] for fault in refusal["errors"]]

    async def test_what_is_not_there(self, admin: Caller) -> None:
        token = await make_token()
        draft = sentence(token)
        assert await admin.refused("PUT", "/scripts/999999", 404, json=draft) == "script_not_found"
        assert await admin.refused("DELETE", "/scripts/999999", 404) == "script_not_found"
        assert await admin.refused("POST", "/scripts", 404, json=draft | {"token_id": 999999}) == "token_not_found"
        made = await admin.ask("POST", "/scripts", json=draft)
        path = f"/scripts/{made['id']}"
        assert await admin.refused("PUT", path, 404, json=draft | {"token_id": 999999}) == "token_not_found"
        assert set(await admin.ask("DELETE", path)) == {"detail"}
        await admin.get(path, status=404)
        assert await admin.get(f"/scripts/token/{token.id}") == []


class TestActors:
    async def test_one_of_a_name(self, admin: Caller) -> None:
        made = await admin.ask("POST", "/actors/", json={"name": " Ada Byron "})
        assert made == {"id": made["id"], "name": "Ada Byron"}
        assert await admin.get("/actors/search/adaby") == [made]
        assert await admin.refused("POST", "/actors", 400, json={"name": "Ada Byron"}) == "actor_exists"


async def test_results_of_nobody_are_removed_at_once_when_they_are_old(admin: Caller) -> None:
    script, user = await make_script(), await make_user()
    old, young, somebodys = [await make_attempt(user, script) for _ in range(3)]
    long_ago = datetime.now(UTC) - timedelta(days=2)
    await AnalysisResult.filter(job_id__in=[old, young]).update(user_id=None)
    await AnalysisResult.filter(job_id__in=[old, somebodys]).update(updated_at=long_ago)
    await AnalysisResult.filter(job_id=young).update(updated_at=datetime.now(UTC))
    told = await admin.ask("POST", "/scripts/cleanup/anonymous-results")
    assert told == {"message": "익명 분석 결과 1개를 삭제했습니다"}
    rows = {row.job_id: row.deleted_at for row in await AnalysisResult.filter(job_id__in=[old, young, somebodys])}
    assert [job_id for job_id, deleted in rows.items() if deleted] == [old]
