"""Scores: whose, of what, and in which unit; and who is on the leaderboard."""

from __future__ import annotations

from datetime import UTC, datetime

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.script import Script
from models.user import User
from tests.factories import make_attempt, make_script, make_token, make_user
from tests.waiting import until
from tests.web.asking import Caller
from yousync.settings import Settings


@pytest_asyncio.fixture
async def user(app: web.Application) -> User:
    return await make_user("김민아")


@pytest_asyncio.fixture
async def me(client: aiohttp.ClientSession, settings: Settings, user: User) -> Caller:
    return await Caller.signed_in(client, settings, user)


@pytest_asyncio.fixture
async def scripts(app: web.Application) -> list[Script]:
    token = await make_token()
    return [await make_script(words, token) for words in ("we cross at dawn", "not alone")]


class TestAverages:
    async def test_the_latest_score_of_each_sentence_counts(
        self, me: Caller, user: User, scripts: list[Script]
    ) -> None:
        """0.6 and 0.9 in this clip, 0.3 in another: means 0.75 and 0.6."""
        elsewhere = await make_script("far away")
        await make_attempt(user, scripts[0], score=0.1)
        await make_attempt(user, scripts[0], score=0.6)
        await make_attempt(user, scripts[1], score=0.9)
        await make_attempt(user, scripts[1], score=None)
        await make_attempt(user, scripts[1], status="failed", state="failed")
        await make_attempt(user, scripts[1], score=0.0, deleted_at=datetime(2026, 2, 1, tzinfo=UTC))
        await make_attempt(user, elsewhere, score=0.3)
        await make_attempt(await make_user(), scripts[0], score=0.0)
        token_id = scripts[0].token_id
        told = await me.get(f"/score/{token_id}/score/")
        assert told == {"token_id": token_id, "average_score": pytest.approx(0.75)}
        assert await me.get("/score/me/average/") == {"user_id": user.id, "average_score": pytest.approx(0.6)}

    async def test_a_recording_of_the_whole_clip_is_a_piece_of_its_own(
        self, me: Caller, user: User, scripts: list[Script]
    ) -> None:
        token = await scripts[0].token
        for score in (0.2, 0.4):
            await make_attempt(user, token=token, score=score)
        await make_attempt(user, scripts[0], score=0.8)
        assert (await me.get(f"/score/{token.id}/score"))["average_score"] == pytest.approx(0.6)

    async def test_scores_of_old_are_on_their_own_scale_unless_they_are_mixed(
        self, me: Caller, user: User, scripts: list[Script]
    ) -> None:
        path = f"/score/{scripts[0].token_id}/score"
        await make_attempt(user, scripts[0], score=85.5)
        assert (await me.get(path))["average_score"] == pytest.approx(85.5)
        await make_attempt(user, scripts[1], score=0.5)
        assert (await me.get(path))["average_score"] == pytest.approx(0.6775)

    async def test_where_nothing_has_a_score(self, me: Caller, user: User, scripts: list[Script]) -> None:
        await make_attempt(user, scripts[0], score=None)
        await make_attempt(user, scripts[0], status="processing", state="waiting")
        for path in (f"/score/{scripts[0].token_id}/score", f"/score/{2**31}/score", "/score/me/average"):
            assert await me.refused("GET", path, 404) == "score_not_found"


class TestLeaderboard:
    async def test_the_three_with_the_most_results(self, client: aiohttp.ClientSession, scripts: list[Script]) -> None:
        await AnalysisResult.all().delete()
        users = [await make_user(name) for name in ("하나", None, "셋", "넷", "다섯")]
        await User.filter(id=users[1].id).update(full_name=users[1].email, profile_picture="https://example.com/2.png")
        for user, results in zip(users, (2, 3, 2, 1, 9), strict=True):
            for number in range(results):
                await make_attempt(user, scripts[number % 2], result=None)
        await User.filter(id=users[4].id).update(is_active=False)
        for _ in range(3):
            await make_attempt(users[3], scripts[0], status="failed", state="failed")
            await make_attempt(users[3], scripts[0], deleted_at=datetime(2026, 2, 1, tzinfo=UTC))
            await make_attempt(users[3], scripts[0], kind="synthesis")
        nobodys = {"email": None, "full_name": None, "profile_picture": None}
        expected = {
            "users": [
                nobodys
                | {"user_id": users[1].id, "profile_picture": "https://example.com/2.png", "recording_count": 3},
                nobodys | {"user_id": users[0].id, "full_name": "하나", "recording_count": 2},
                nobodys | {"user_id": users[2].id, "full_name": "셋", "recording_count": 2},
            ]
        }

        async def told() -> bool:
            async with client.get("/api/score/leaderboard/top-recorders/") as reply:
                return bool(await reply.json() == expected)

        await until(told)  # the list may lag where the machine is slow

    async def test_of_nobody(self, client: aiohttp.ClientSession, app: web.Application) -> None:
        await AnalysisResult.all().delete()

        async def told() -> bool:
            async with client.get("/score/leaderboard/top-recorders") as reply:
                return bool(await reply.json() == {"users": []})

        await until(told)  # the list may lag where the machine is slow
