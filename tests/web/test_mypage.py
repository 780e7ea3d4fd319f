"""My page: what is counted, what is not, and what becomes of it all when a learner deletes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.analysis_result import AnalysisResult
from models.bookmark import Bookmark
from models.script import Script
from models.token import Token
from models.user import User
from tests.factories import make_attempt, make_script, make_token, make_user
from tests.standing_in import Control
from tests.waiting import until
from tests.web.asking import Caller
from tests.web.conftest import form, recording
from tests.web.following import follow
from web.wiring import DEPS
from yousync.settings import Settings

NOBODYS = 2**31 - 1
_pitch = iter(range(400, 4000, 7))


@pytest_asyncio.fixture
async def user(app: web.Application) -> User:
    """A learner who has done nothing yet."""
    return await make_user("김민아")


@pytest_asyncio.fixture
async def me(client: aiohttp.ClientSession, settings: Settings, user: User) -> Caller:
    return await Caller.signed_in(client, settings, user)


@pytest_asyncio.fixture
async def token(app: web.Application) -> Token:
    return await make_token()


@pytest_asyncio.fixture
async def scripts(token: Token) -> list[Script]:
    """Three sentences of the clip."""
    return [await make_script(words, token) for words in ("we cross at dawn", "not alone", "then run")]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mypage/bookmarks"),
        ("DELETE", "/mypage/bookmarks/36"),
        ("GET", "/mypage/bookmarks"),
        ("GET", "/mypage/my-dubbed-tokens"),
        ("GET", "/mypage/tokens/36/analysis-status"),
        ("DELETE", "/mypage/tokens/36/my-results"),
        ("GET", "/mypage/overview"),
        ("GET", "/tokens/36/user-audios"),
        ("GET", "/score/36/score"),
        ("GET", "/score/me/average"),
        ("POST", "/request"),
        ("GET", "/request/mine"),
        ("GET", "/request/all"),
        ("PATCH", "/request/1/status"),
        ("DELETE", "/request/1"),
    ],
)
async def test_it_is_for_those_who_are_signed_in(
    client: aiohttp.ClientSession, settings: Settings, method: str, path: str
) -> None:
    for spelling in (path, f"{path}/", f"/api{path}", f"/api{path}/"):
        assert await Caller(client).refused(method, spelling, 401) == "token_missing"


class TestBookmarks:
    async def test_a_clip_is_kept_once_and_let_go_as_often_as_one_likes(self, me: Caller, token: Token) -> None:
        for spelling in ("/mypage/bookmarks", "/api/mypage/bookmarks/"):
            body = {"token_id": token.id}
            assert await me.ask("POST", spelling, json=body, status=201) == body
            assert await me.refused("POST", spelling, 409, json=body) == "bookmark_exists"
            for _ in range(2):
                await me.ask("DELETE", f"{spelling.rstrip('/')}/{token.id}", status=204)
            assert await me.get(spelling) == []

    async def test_the_list_shows_the_clips_newest_first(self, me: Caller, user: User, token: Token) -> None:
        other = await make_token("The harbour")
        for kept in (token, other):
            await me.ask("POST", "/mypage/bookmarks", json={"token_id": kept.id}, status=201)
        newest, oldest = await me.get("/mypage/bookmarks/")
        assert set(newest) == {"id", "user_id", "token_id", "created_at", "token"}
        assert [newest["token_id"], oldest["token_id"]] == [other.id, token.id]
        assert newest["user_id"] == user.id
        assert datetime.fromisoformat(newest["created_at"]).tzinfo is not None
        assert newest["token"] == {
            "id": other.id,
            "token_name": "The harbour",
            "actor_name": other.actor_name,
            "category": None,
            "thumbnail_url": None,
            "youtube_url": other.youtube_id,
        }

    @pytest.mark.parametrize("token_id", [NOBODYS, 2**31, 10**30, 0, -1])
    async def test_what_was_never_kept_is_let_go_of_already(self, me: Caller, token_id: int) -> None:
        await me.ask("DELETE", f"/mypage/bookmarks/{token_id}", status=204)
        assert await me.refused("DELETE", "/mypage/bookmarks/none", 422) == "validation_failed"

    async def test_two_at_once_keep_it_once(self, me: Caller, user: User, token: Token) -> None:
        async def keep() -> int:
            async with me.send("POST", "/mypage/bookmarks", json={"token_id": token.id}) as reply:
                return int(reply.status)

        assert sorted(await asyncio.gather(*(keep() for _ in range(6)))) == [201, *[409] * 5]
        assert await Bookmark.filter(user_id=user.id).count() == 1

    async def test_a_clip_that_is_not_there_is_not_found(self, me: Caller) -> None:
        assert await me.refused("POST", "/mypage/bookmarks", 404, json={"token_id": NOBODYS}) == "token_not_found"

    @pytest.mark.parametrize("body", [{}, {"token_id": 0}, {"token_id": 2**31}, {"token_id": "x"}, {"token_id": None}])
    async def test_nonsense_is_refused(self, me: Caller, body: dict[str, object]) -> None:
        assert await me.refused("POST", "/mypage/bookmarks", 422, json=body) == "validation_failed"

    @pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "offset=-1", f"offset={2**31}"])
    async def test_a_page_of_nonsense_is_refused(self, me: Caller, query: str) -> None:
        for path in ("bookmarks", "my-dubbed-tokens"):
            assert await me.refused("GET", f"/mypage/{path}?{query}", 422) == "validation_failed"

    async def test_pages_of_equal_times_neither_repeat_nor_skip(self, me: Caller, user: User, token: Token) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        tokens = [await make_token() for _ in range(9)]
        await Bookmark.bulk_create([Bookmark(user_id=user.id, token_id=one.id) for one in tokens])
        await Bookmark.filter(user_id=user.id).update(created_at=at)
        pages = [await me.get("/mypage/bookmarks", limit=4, offset=offset) for offset in (0, 4, 8, 12)]
        assert [len(page) for page in pages] == [4, 4, 1, 0]
        ids = [item["id"] for page in pages for item in page]
        assert ids == sorted(set(ids), reverse=True)
        assert len(await me.get("/mypage/bookmarks", limit=10**30)) == 9

    async def test_nobody_sees_or_removes_anothers(
        self, client: aiohttp.ClientSession, settings: Settings, me: Caller, token: Token
    ) -> None:
        await me.ask("POST", "/mypage/bookmarks", json={"token_id": token.id}, status=201)
        other = await Caller.signed_in(client, settings, await make_user())
        assert await other.get("/mypage/bookmarks") == []
        await other.ask("DELETE", f"/mypage/bookmarks/{token.id}", status=204)
        assert len(await me.get("/mypage/bookmarks")) == 1


async def do_everything_wrong(user: User, script: Script) -> None:
    """Attempts that count nowhere: running, failed, deleted, somebody else's, and jobs that score nothing."""
    await make_attempt(user, script, status="processing", state="waiting", progress=90)
    await make_attempt(user, script, status="failed", state="failed", progress=0)
    await make_attempt(user, script, score=0.01, deleted_at=datetime(2026, 2, 1, tzinfo=UTC))
    await make_attempt(user, script, status="failed", deleted_at=datetime(2026, 2, 1, tzinfo=UTC), s3_key="")
    await make_attempt(user, script, score=0.01, kind="synthesis")
    await make_attempt(await make_user(), script, score=0.01)


class TestOverview:
    async def test_of_somebody_who_did_nothing(self, me: Caller, user: User, scripts: list[Script]) -> None:
        await do_everything_wrong(user, scripts[0])
        told = await me.get("/mypage/overview")
        assert set(told.pop("user_info")) == {
            "id",
            "email",
            "google_id",
            "full_name",
            "profile_picture",
            "is_active",
            "login_type",
            "created_at",
            "updated_at",
        }
        assert told == {
            "total_bookmarks": 0,
            "total_dubbed_tokens": 0,
            "total_practice_count": 0,
            "average_completion_rate": 0.0,
            "recent_bookmarks": [],
            "recent_dubbed_tokens": [],
        }

    async def test_counts_and_averages_by_hand(
        self, me: Caller, user: User, token: Token, scripts: list[Script]
    ) -> None:
        """Sentence 1: 0.2 and then 0.6; sentence 2: 0.913; the whole of another clip: 0.4.

        The latest of each are 60, 91.3 and 40, whose mean is 63.7666…
        """
        whole = await make_token("The harbour")
        await make_attempt(user, scripts[0], score=0.2)
        await make_attempt(user, scripts[0], score=0.6)
        await make_attempt(user, scripts[1], score=0.913, kind="batch")
        await make_attempt(user, token=whole, score=0.4)
        await do_everything_wrong(user, scripts[2])
        await me.ask("POST", "/mypage/bookmarks", json={"token_id": token.id}, status=201)
        told = await me.get("/mypage/overview")
        assert (told["user_info"]["email"], told["user_info"]["full_name"]) == (user.email, "김민아")
        assert (told["total_bookmarks"], told["total_dubbed_tokens"], told["total_practice_count"]) == (1, 2, 4)
        assert told["average_completion_rate"] == 63.77
        assert told["recent_bookmarks"] == await me.get("/mypage/bookmarks")
        assert told["recent_dubbed_tokens"] == await me.get("/mypage/my-dubbed-tokens")

    async def test_scores_of_old_are_percent_already(self, me: Caller, user: User, scripts: list[Script]) -> None:
        await make_attempt(user, scripts[0], score=85.5)
        await make_attempt(user, scripts[1], score=0.5)
        await make_attempt(user, scripts[2], score=None)
        assert (await me.get("/mypage/overview"))["average_completion_rate"] == 67.75

    async def test_everything_is_there_not_a_page_of_it(self, me: Caller, user: User) -> None:
        token = await make_token()
        tokens = [token, *[await _like(token) for _ in range(119)]]
        await Bookmark.bulk_create([Bookmark(user_id=user.id, token_id=one.id) for one in tokens])
        told = await me.get("/mypage/overview")
        assert len(told["recent_bookmarks"]) == told["total_bookmarks"] == 120
        assert len(await me.get("/mypage/bookmarks")) == 20
        assert len(await me.get("/mypage/bookmarks", limit=1000)) == 100, "more than the most is the most"


async def _like(token: Token) -> Token:
    return await Token.create(token_name="A", actor_name="B", start_time=0.0, end_time=1.0, youtube_id=token.youtube_id)


class TestDubbedTokens:
    async def test_sentences_are_counted_once_each(
        self, me: Caller, user: User, token: Token, scripts: list[Script]
    ) -> None:
        for _ in range(3):
            await make_attempt(user, scripts[0])
        last = await make_attempt(user, scripts[1])
        await do_everything_wrong(user, scripts[2])
        row = await AnalysisResult.get(job_id=last)
        [told] = await me.get("/mypage/my-dubbed-tokens")
        assert datetime.fromisoformat(told.pop("last_dubbed_at")) == row.created_at
        assert told == {
            "token_id": token.id,
            "token_name": "The bridge",
            "actor_name": token.actor_name,
            "category": None,
            "youtube_url": token.youtube_id,
            "total_scripts": 3,
            "completed_scripts": 2,
        }

    async def test_a_recording_of_the_whole_clip_dubs_it_and_none_of_its_sentences(
        self, me: Caller, user: User, token: Token, scripts: list[Script]
    ) -> None:
        await make_attempt(user, token=token)
        [told] = await me.get("/mypage/my-dubbed-tokens")
        assert (told["token_id"], told["total_scripts"], told["completed_scripts"]) == (token.id, 3, 0)

    async def test_the_one_dubbed_last_is_first_and_pages_do_not_overlap(self, me: Caller, user: User) -> None:
        tokens = [await make_token() for _ in range(5)]
        for token in tokens:
            await make_attempt(user, token=token, created_at=datetime(2026, 3, 1, tzinfo=UTC))
        await make_attempt(user, token=tokens[2], created_at=datetime(2026, 3, 2, tzinfo=UTC))
        pages = [await me.get("/mypage/my-dubbed-tokens", limit=2, offset=offset) for offset in (0, 2, 4)]
        rest = [token.id for token in reversed(tokens) if token is not tokens[2]]
        assert [told["token_id"] for page in pages for told in page] == [tokens[2].id, *rest]


class TestAnalysisStatus:
    async def test_each_sentence_has_its_own_latest_result(
        self, me: Caller, user: User, token: Token, scripts: list[Script]
    ) -> None:
        await make_attempt(user, scripts[0], score=0.2)
        best = await make_attempt(user, scripts[0], score=0.6)
        await make_attempt(user, scripts[0], status="failed", state="failed", progress=0)
        running = await make_attempt(user, scripts[1], status="processing", state="accepted", progress=10)
        await make_attempt(user, token=token)
        await make_attempt(await make_user(), scripts[2])
        told = await me.get(f"/mypage/tokens/{token.id}/analysis-status")
        assert (told["token_id"], told["has_analysis"]) == (token.id, True)
        first, second, third = told["script_results"]
        assert datetime.fromisoformat(first.pop("created_at")).tzinfo is not None
        assert first == {
            "script_id": scripts[0].id,
            "script_text": "we cross at dawn",
            "has_result": True,
            "job_id": best,
            "status": "completed",
            "result": {"result": {"overall_score": 0.6, "word_analysis": [{"word": "we"}]}},
        }
        assert (second["job_id"], second["status"], second["result"]) == (running, "processing", None)
        assert third == {"script_id": scripts[2].id, "script_text": "then run", "has_result": False}

    async def test_a_clip_without_sentences_has_none(self, me: Caller, token: Token) -> None:
        told = await me.get(f"/mypage/tokens/{token.id}/analysis-status")
        assert told == {"token_id": token.id, "has_analysis": False, "script_results": []}

    @pytest.mark.parametrize("token_id", [NOBODYS, 2**31, 0])
    async def test_an_unknown_clip_is_not_found(self, me: Caller, token_id: int) -> None:
        path = f"/mypage/tokens/{token_id}/analysis-status"
        assert await me.refused("GET", path, 404) == "token_not_found"


class TestRecordings:
    async def test_of_each_sentence_the_latest_that_is_stored(
        self, app: web.Application, me: Caller, user: User, token: Token, scripts: list[Script]
    ) -> None:
        storage = app[DEPS].storage
        await make_attempt(user, scripts[0])
        keys = [f"user_audio/{user.id}/{token.id}/{scripts[0].id}/new.wav", f"user_audio/{user.id}/{token.id}/old.webm"]
        for key in keys:
            await storage.put(key, key.encode(), container="wav")
        await make_attempt(user, scripts[0], s3_key=keys[0], status="failed", state="failed", stage="submit")
        await make_attempt(user, scripts[0], status="failed", state="failed", stage="upload")
        await make_attempt(user, scripts[1], s3_key=f"s3://{storage.bucket}/{keys[1]}")
        await make_attempt(user, scripts[2], status="processing", state="accepted")
        await make_attempt(user, token=token)
        told = await me.get(f"/tokens/{token.id}/user-audios")
        assert [audio["script_id"] for audio in told["audios"]] == [scripts[0].id, scripts[1].id]
        async with aiohttp.ClientSession() as anybody:
            for audio, key in zip(told["audios"], keys, strict=True):
                assert "X-Amz-Expires=3600" in audio["url"]
                async with anybody.get(audio["url"]) as reply:
                    assert (reply.status, await reply.read()) == (200, key.encode())

    async def test_of_somebody_who_recorded_nothing(self, me: Caller, user: User, scripts: list[Script]) -> None:
        await make_attempt(await make_user(), scripts[0])
        assert await me.get(f"/tokens/{scripts[0].token_id}/user-audios") == {"audios": []}


Upload = Callable[[Script], Awaitable[str]]


class TestDeleting:
    @pytest.fixture
    def upload(self, client: aiohttp.ClientSession, me: Caller) -> Upload:
        async def sent(script: Script) -> str:
            data = form(recording(pitch=next(_pitch)))
            async with client.post(f"/scripts/{script.id}/upload-audio", data=data, headers=me.headers) as reply:
                assert reply.status == 202
                return str((await reply.json())["job_id"])

        return sent

    async def test_running_jobs_end_and_nothing_is_left(
        self,
        app: web.Application,
        client: aiohttp.ClientSession,
        me: Caller,
        user: User,
        analysis: Control,
        scripts: list[Script],
        upload: Upload,
    ) -> None:
        deps = app[DEPS]
        done = await upload(scripts[0])
        await follow(client, done)
        await analysis.behave("hold")
        held = await upload(scripts[1])
        await until(lambda: analysis.asked(held))
        anothers = await make_attempt(await make_user(), scripts[0])
        clip = scripts[0].token_id
        path = f"/mypage/tokens/{clip}/my-results"
        told = (await me.get(f"/mypage/tokens/{clip}/analysis-status"))["script_results"]
        assert [one.get("status") for one in told] == ["completed", "processing", None]
        assert told[0]["result"]["result"]["word_analysis"], "where the frontend reads it"
        assert [one["script_id"] for one in (await me.get(f"/tokens/{clip}/user-audios"))["audios"]] == [scripts[0].id]
        keys = [(await AnalysisResult.get(job_id=job_id)).s3_key for job_id in (done, held)]
        assert [await deps.storage.size(key) is not None for key in keys] == [True, True]
        await me.ask("DELETE", path, status=204)
        for job_id in (done, held):
            async with client.get(f"/scripts/analysis-result/{job_id}") as reply:
                assert reply.status == 404
        await analysis.release([held])

        async def gone() -> bool:
            return [await deps.storage.size(key) for key in keys] == [None, None]

        await until(gone)
        await until(lambda: analysis.webhooks(held))
        for job_id in (done, held):
            row = await AnalysisResult.get(job_id=job_id)
            assert row.deleted_at is not None
            assert [row.status, row.result, row.overall_score, row.message] == ["failed", None, None, None]
            [event] = row.history
            assert (event["actor"], event["cause"]) == (f"user:{user.id}", "the learner deleted their results")
        assert (await AnalysisResult.get(job_id=anothers)).deleted_at is None
        assert await me.refused("DELETE", path, 404) == "results_not_found"
        assert (await me.get("/mypage/overview"))["total_practice_count"] == 0
        assert await me.get(f"/tokens/{clip}/user-audios") == {"audios": []}

    async def test_of_what_was_never_practised(self, me: Caller, user: User, scripts: list[Script]) -> None:
        await make_attempt(await make_user(), scripts[0])
        await make_attempt(user, token=await make_token())
        for token_id in (scripts[0].token_id, NOBODYS, 2**31):
            assert await me.refused("DELETE", f"/mypage/tokens/{token_id}/my-results", 404) == "results_not_found"
