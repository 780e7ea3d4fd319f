"""Signing in and out over HTTP: what a frontend sees of its session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from redis.asyncio import Redis

from models.db import connection
from models.session import Session, SpentToken, open_session
from models.user import User
from tests.factories import bearer_of, make_user
from tests.forging import forgeries
from tests.queries import counted
from web.auth import user_of
from web.wiring import DEPS
from yousync.identity import mint, verify
from yousync.settings import Settings


@pytest_asyncio.fixture
async def learner(app: web.Application) -> User:
    return await make_user()


async def token_of(settings: Settings, user: User, *, hours_ago: float = 0.0) -> str:
    """The token of a new session that was issued a while ago."""
    session_id = await open_session(user.id)
    issued_at = int(time.time() - hours_ago * 3600)
    return mint(settings, user_id=user.id, email=user.email, session_id=session_id, issued_at=issued_at)


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask(
    client: aiohttp.ClientSession, method: str, path: str, token: str | None = None
) -> tuple[int, Any, Mapping[str, str]]:
    """Status, JSON and headers; with neither body nor content type, as frontends send it."""
    sent = {} if token is None else headers(token)
    async with client.request(method, path, headers=sent, skip_auto_headers=["Content-Type"]) as reply:
        return reply.status, await reply.json(content_type=None), reply.headers


async def test_an_account_is_shown_to_its_owner(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    status, body, _ = await ask(client, "GET", "/auth/me", await token_of(settings, learner))
    assert status == 200
    assert body.pop("created_at")
    assert body.pop("updated_at")
    assert body == {
        "id": learner.id,
        "email": learner.email,
        "google_id": None,
        "full_name": None,
        "profile_picture": None,
        "is_active": True,
        "login_type": "email",
    }


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/refresh/", "/api/auth/refresh"])
async def test_a_valid_token_is_exchanged_and_stays_valid(
    client: aiohttp.ClientSession, settings: Settings, learner: User, path: str
) -> None:
    old = await token_of(settings, learner)
    status, body, sent = await ask(client, "POST", path, old)
    assert (status, body["token_type"]) == (200, "bearer")
    assert sent["Cache-Control"] == "no-store"
    for token in (old, body["access_token"]):
        assert (await ask(client, "GET", "/auth/me", token))[0] == 200


async def test_an_expired_session_goes_on_as_frontends_do_it(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    """401, refresh with the same token, and the request again."""
    old = await token_of(settings, learner, hours_ago=13)
    status, body, sent = await ask(client, "GET", "/auth/me", old)
    assert (status, body["code"]) == (401, "token_expired")
    assert sent["WWW-Authenticate"].startswith("Bearer")
    status, body, _ = await ask(client, "POST", "/auth/refresh", old)
    assert status == 200
    assert (await ask(client, "GET", "/auth/me", body["access_token"]))[0] == 200
    status, again, _ = await ask(client, "POST", "/auth/refresh", old)
    assert (status, again) == (200, body), "a second tab gets the same"


async def test_many_tabs_at_once_get_one_successor(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    old = await token_of(settings, learner, hours_ago=13)
    answers = await asyncio.gather(*(ask(client, "POST", "/auth/refresh", old) for _ in range(8)))
    assert {status for status, _, _ in answers} == {200}
    assert len({body["access_token"] for _, body, _ in answers}) == 1
    assert await SpentToken.filter(session__user_id=learner.id).count() == 1


async def test_a_stolen_token_ends_the_session_of_both(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    old = await token_of(settings, learner, hours_ago=13)
    _, body, _ = await ask(client, "POST", "/auth/refresh", old)
    spent = await SpentToken.get(session__user_id=learner.id)
    await SpentToken.filter(jti=spent.jti).update(spent_at=spent.spent_at - timedelta(seconds=61))
    status, refused, sent = await ask(client, "POST", "/auth/refresh", old)
    assert (status, refused["code"]) == (401, "token_reused")
    assert 'error="invalid_token"' in sent["WWW-Authenticate"]
    for method, path in (("GET", "/auth/me"), ("POST", "/auth/refresh")):
        status, refused, _ = await ask(client, method, path, body["access_token"])
        assert (status, refused["code"]) == (401, "token_invalid")


@pytest.mark.parametrize("path", ["/auth/logout", "/api/auth/logout/"])
async def test_after_signing_out_no_token_of_the_session_is_good(
    client: aiohttp.ClientSession, settings: Settings, learner: User, path: str
) -> None:
    token = await token_of(settings, learner)
    other = await token_of(settings, learner)
    _, body, _ = await ask(client, "POST", "/auth/refresh", token)
    status, left, _ = await ask(client, "POST", path, token)
    assert (status, left["user_id"], bool(left["message"])) == (200, learner.id, True)
    for dead in (token, body["access_token"]):
        for method, place in (("GET", "/auth/me"), ("POST", "/auth/refresh"), ("POST", "/auth/logout")):
            status, refused, sent = await ask(client, method, place, dead)
            assert (status, refused["code"]) == (401, "token_invalid")
            assert "WWW-Authenticate" in sent
    assert (await ask(client, "GET", "/auth/me", other))[0] == 200, "another device goes on"


async def test_a_deactivated_learner_is_out_with_the_next_request(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    token, old = await token_of(settings, learner), await token_of(settings, learner, hours_ago=13)
    await User.filter(id=learner.id).update(is_active=False)
    for method, path, sent in (
        ("GET", "/auth/me", token),
        ("POST", "/auth/refresh", token),
        ("POST", "/auth/refresh", old),
    ):
        status, body, _ = await ask(client, method, path, sent)
        assert (status, body["code"]) == (401, "token_invalid")
    assert (await ask(client, "POST", "/auth/refresh", old))[0] == 401


async def test_sessions_go_with_their_learner(settings: Settings, learner: User) -> None:
    await bearer_of(settings, learner)
    await learner.delete()
    assert not await Session.filter(user_id=learner.id).exists()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("", "token_invalid"),
        ("Bearer", "token_invalid"),
        ("Bearer ", "token_invalid"),
        ("Basic dTpw", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        ("Bearer \u00fc", "token_invalid"),
        ("Bearer " + "e30." * 1500, "token_invalid"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/auth/me"), ("POST", "/auth/refresh"), ("POST", "/auth/logout")])
async def test_what_is_no_token_is_a_401_with_a_challenge(
    client: aiohttp.ClientSession, method: str, path: str, header: str | None, code: str
) -> None:
    sent = {} if header is None else {"Authorization": header}
    async with client.request(method, path, headers=sent) as reply:
        assert (reply.status, (await reply.json())["code"]) == (401, code)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_too_old_a_token_is_exchanged_for_nothing(
    client: aiohttp.ClientSession, settings: Settings, learner: User
) -> None:
    old = await token_of(settings, learner, hours_ago=12 + 14 * 24 + 1)
    status, body, _ = await ask(client, "POST", "/auth/refresh", old)
    assert (status, body["code"]) == (401, "token_expired")


async def test_no_forgery_gets_in(client: aiohttp.ClientSession, settings: Settings, learner: User) -> None:
    tricks = forgeries(settings, user_id=learner.id, session_id=await open_session(learner.id))
    for trick, token in tricks.items():
        for method, path in (("GET", "/auth/me"), ("POST", "/auth/refresh"), ("POST", "/scripts/1/upload-audio")):
            status, body, sent = await ask(client, method, path, token)
            assert (status, body["code"]) == (401, "token_invalid"), trick
            assert 'error="invalid_token"' in sent["WWW-Authenticate"]


async def test_authentication_is_one_query(app: web.Application, settings: Settings, learner: User) -> None:
    caller = verify(settings, await token_of(settings, learner))
    with counted() as statements:
        assert await user_of(caller) == learner
    assert len(statements) == 1


async def test_no_token_is_found_in_what_we_keep(
    client: aiohttp.ClientSession, app: web.Application, settings: Settings, learner: User
) -> None:
    """Neither one that was signed, nor its signature: every row of every table, and every key of Valkey."""
    old = await token_of(settings, learner, hours_ago=13)
    _, first, _ = await ask(client, "POST", "/auth/refresh", old)
    _, second, _ = await ask(client, "POST", "/auth/refresh", first["access_token"])
    kept = [row for table in await tables() for row in await rows(table)] + await everything(app[DEPS].valkey)
    assert any(learner.email in text for text in kept)
    assert any(verify(settings, second["access_token"]).session_id in text for text in kept)
    for token in (old, first["access_token"], second["access_token"]):
        for secret in (token, token.rpartition(".")[2]):
            assert not [text for text in kept if secret in text]


async def tables() -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return [row["tablename"] for row in await connection().execute_query_dict(query)]


async def rows(table: str) -> list[str]:
    found = await connection().execute_query_dict(f'SELECT kept::text AS text FROM "{table}" AS kept')
    return [row["text"] for row in found]


async def everything(valkey: Redis) -> list[str]:
    return [str(key) + str(await valkey.dump(key)) for key in await valkey.keys("*")]
