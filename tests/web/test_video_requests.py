"""Video requests: one under review per learner, seen by all, removed by their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.user import User
from models.video_request import VideoRequest
from tests.factories import make_user
from tests.web.asking import Caller
from yousync.settings import Settings

WISH = {"actor": "송강호", "content": "이 장면을 연습하고 싶어요", "url": "https://www.youtube.com/watch?v=abcdefghijk"}


@pytest_asyncio.fixture
async def user(app: web.Application) -> User:
    return await make_user("김민아")


@pytest_asyncio.fixture
async def me(client: aiohttp.ClientSession, settings: Settings, user: User) -> Caller:
    return await Caller.signed_in(client, settings, user)


@pytest_asyncio.fixture
async def operator(client: aiohttp.ClientSession, settings: Settings, app: web.Application) -> Caller:
    admin = await make_user()
    await User.filter(id=admin.id).update(is_admin=True)
    return await Caller.signed_in(client, settings, admin)


async def test_a_request_is_filed_and_listed(me: Caller) -> None:
    asked = await me.ask("POST", "/api/request/", json=WISH | {"url": f"{WISH['url']}&t=1"})
    assert set(asked) == {"id", "actor", "content", "url", "status", "date", "requester"}
    assert (asked["actor"], asked["content"], asked["url"]) == (WISH["actor"], WISH["content"], f"{WISH['url']}&t=1")
    assert (asked["status"], asked["requester"]) == ("심사중", "김민아")
    assert datetime.fromisoformat(asked["date"]).tzinfo is not None
    assert await me.get("/request/mine") == [asked]
    assert (await me.get("/request/all"))[0] == asked


async def test_of_two_at_once_one_is_filed(me: Caller, user: User) -> None:
    async def ask() -> tuple[int, str | None]:
        async with me.send("POST", "/request", json=WISH) as reply:
            return reply.status, (await reply.json()).get("code")

    answers = await asyncio.gather(*(ask() for _ in range(6)))
    assert sorted(answers) == [(200, None), *[(400, "video_request_pending")] * 5]
    assert await VideoRequest.filter(user_id=user.id).count() == 1


async def test_another_may_follow_once_it_was_reviewed(me: Caller, operator: Caller) -> None:
    first = await me.ask("POST", "/request", json=WISH)
    for status in ("거절됨", "승인됨"):
        told = await operator.ask("PATCH", f"/request/{first['id']}/status", json={"status": status})
        assert status in told["detail"]
    second = await me.ask("POST", "/request", json=WISH)
    told = [(request["id"], request["status"]) for request in await me.get("/request/mine")]
    assert told == [(second["id"], "심사중"), (first["id"], "승인됨")]
    back = {"status": "심사중"}
    path = f"/request/{first['id']}/status"
    assert await operator.refused("PATCH", path, 400, json=back) == "video_request_pending"


async def test_only_operators_review(me: Caller, operator: Caller) -> None:
    asked = await me.ask("POST", "/request", json=WISH)
    body = {"status": "승인됨"}
    assert await me.refused("PATCH", f"/request/{asked['id']}/status", 403, json=body) == "admin_only"
    for nobodys in (2**31 - 1, 2**31):
        assert (
            await operator.refused("PATCH", f"/request/{nobodys}/status", 404, json=body) == "video_request_not_found"
        )
    wrong = {"status": "approved"}
    assert await operator.refused("PATCH", f"/request/{asked['id']}/status", 422, json=wrong) == "validation_failed"


async def test_one_removes_ones_own_once_it_was_rejected(
    client: aiohttp.ClientSession, settings: Settings, me: Caller, operator: Caller
) -> None:
    path = f"/request/{(await me.ask('POST', '/request', json=WISH))['id']}"
    other = await Caller.signed_in(client, settings, await make_user())
    assert await me.refused("DELETE", path, 400) == "video_request_not_rejected"
    await operator.ask("PATCH", f"{path}/status", json={"status": "거절됨"})
    for stranger in (other, operator):
        assert await stranger.refused("DELETE", path, 404) == "video_request_not_found"
    assert set(await me.ask("DELETE", path)) == {"detail"}
    assert await me.refused("DELETE", path, 404) == "video_request_not_found"
    assert await me.get("/request/mine") == []


@pytest.mark.parametrize("name", [None, "", "  ", "its e-mail"])
async def test_nobody_is_told_by_e_mail(
    client: aiohttp.ClientSession, settings: Settings, me: Caller, name: str | None
) -> None:
    other = await make_user()
    await User.filter(id=other.id).update(full_name=other.email if name == "its e-mail" else name)
    caller = await Caller.signed_in(client, settings, other)
    asked = await caller.ask("POST", "/request", json=WISH)
    assert asked["requester"] == "이름 없는 사용자"
    everybodys = await me.get("/request/all")
    assert asked in everybodys
    assert "@" not in str(everybodys)


@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": ""},
        {"actor": " \t"},
        {"actor": "x" * 256},
        {"actor": "a\x00b"},
        {"content": "x" * 4001},
        {"content": None},
        {"content": "a\x00b"},
        {"url": "javascript:alert(1)"},
        {"url": "ftp://example.com/x"},
        {"url": "https://"},
        {"url": "example.com/film"},
        {"url": 7},
        {"url": "https://user:secret@example.com/"},
        {"url": "https://example.com/a b"},
        {"url": f"https://example.com/{'x' * 2048}"},
    ],
)
async def test_nonsense_is_refused(me: Caller, wrong: dict[str, object]) -> None:
    assert await me.refused("POST", "/request", 422, json=WISH | wrong) == "validation_failed"


@pytest.mark.parametrize("url", ["http://youtu.be/abcdefghijk?si=1", "https://한국.kr:8443/영상#처음"])
async def test_links_of_all_sorts_are_kept_as_they_are(me: Caller, url: str) -> None:
    asked = await me.ask("POST", "/request", json=WISH | {"actor": "  송강호 ", "url": f" {url}\n"})
    assert (asked["actor"], asked["url"]) == ("송강호", url)


async def test_a_video_as_people_type_it_becomes_a_link_and_no_reason_need_be_given(me: Caller) -> None:
    asked = await me.ask("POST", "/request", json=WISH | {"content": " ", "url": " youtu.be/abcdefghijk?si=1"})
    assert (asked["content"], asked["url"]) == ("", "https://youtu.be/abcdefghijk?si=1")


async def test_pages_of_equal_times_neither_repeat_nor_skip(me: Caller, user: User) -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    rows = [VideoRequest(user_id=user.id, status="거절됨", **WISH) for _ in range(7)]
    await VideoRequest.bulk_create(rows)
    await VideoRequest.filter(user_id=user.id).update(created_at=at)
    for path in ("/request/mine", "/request/all"):
        pages = [await me.get(path, limit=3, offset=offset) for offset in (0, 3, 6)]
        ids = [request["id"] for page in pages for request in page][:7]
        assert ids == sorted(set(ids), reverse=True)
        assert len(ids) == 7
