"""Signing in with Google: who it makes of whom, and that nobody gets somebody else's account."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from models.session import Session
from models.user import User
from tests.factories import make_user
from web.wiring import GOOGLE
from yousync.local.stack import Stack


def somebody(**claims: Any) -> dict[str, Any]:
    """A Google account that has never been here."""
    name = secrets.token_hex(6)
    return {"sub": secrets.token_hex(10), "email": f"{name}@example.com", "name": f"Learner {name}"} | claims


async def id_token(stack: Stack, account: dict[str, Any]) -> str:
    url = f"{stack.parts['issuer'].url}/token"
    async with aiohttp.ClientSession() as session, session.post(url, json=account) as reply:
        return str((await reply.json())["id_token"])


async def sign_in(
    client: aiohttp.ClientSession, stack: Stack, account: dict[str, Any], path: str = "/auth/google-login"
) -> tuple[int, Any]:
    async with client.post(path, json={"id_token": await id_token(stack, account)}) as reply:
        return reply.status, await reply.json()


async def user_of(client: aiohttp.ClientSession, stack: Stack, account: dict[str, Any]) -> dict[str, Any]:
    """The account as /auth/me shows it after a sign-in that went well."""
    status, body = await sign_in(client, stack, account)
    assert (status, body["token_type"]) == (200, "bearer")
    async with client.get("/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"}) as reply:
        assert reply.status == 200
        found: dict[str, Any] = await reply.json()
        return found


@pytest.mark.parametrize(
    "path", ["/auth/google", "/auth/google-login", "/auth/google-login/", "/api/auth/google", "/api/auth/google-login"]
)
async def test_both_paths_sign_in(client: aiohttp.ClientSession, stack: Stack, path: str) -> None:
    status, body = await sign_in(client, stack, somebody(), path)
    assert status == 200
    assert body.keys() == {"access_token", "token_type"}


async def test_a_newcomer_gets_an_account_and_the_same_one_next_time(
    client: aiohttp.ClientSession, stack: Stack
) -> None:
    account = somebody(picture="https://example.com/1.png")
    user = await user_of(client, stack, account)
    assert (user["google_id"], user["email"], user["full_name"]) == (account["sub"], account["email"], account["name"])
    assert (user["profile_picture"], user["login_type"], user["is_active"]) == (account["picture"], "google", True)
    renamed = account | {"name": "Mina", "picture": "https://example.com/2.png", "email": "moved@example.com"}
    again = await user_of(client, stack, renamed)
    assert (again["id"], again["full_name"], again["profile_picture"]) == (user["id"], "Mina", renamed["picture"])
    assert again["email"] == user["email"], "whom it belongs to is asked of Google by sub alone"
    silent = await user_of(client, stack, account | {"name": "", "picture": ""})
    assert (silent["full_name"], silent["profile_picture"]) == ("Mina", renamed["picture"])


async def test_a_user_without_a_google_account_is_linked_by_a_proven_e_mail(
    client: aiohttp.ClientSession, stack: Stack
) -> None:
    named, nameless = await make_user("Their own name"), await make_user()
    for user, name in ((named, "Their own name"), (nameless, "Google's name")):
        account = somebody(email=user.email, name="Google's name", picture="https://example.com/p.png")
        linked = await user_of(client, stack, account)
        assert (linked["id"], linked["google_id"], linked["login_type"]) == (user.id, account["sub"], "google")
        assert (linked["full_name"], linked["profile_picture"]) == (name, account["picture"])


async def test_nobody_takes_over_an_account_by_its_e_mail(client: aiohttp.ClientSession, stack: Stack) -> None:
    """Neither with an e-mail that Google has not checked, nor once another Google account signs in to it."""
    victim = await make_user()
    status, body = await sign_in(client, stack, somebody(email=victim.email, email_verified=False))
    assert (status, body["code"]) == (400, "email_unverified")
    await user_of(client, stack, somebody(email=victim.email))
    taken = await User.get(id=victim.id)
    status, body = await sign_in(client, stack, somebody(email=victim.email))
    assert (status, body["code"]) == (409, "email_taken")
    now = await User.get(id=victim.id)
    assert (now.google_id, now.full_name) == (taken.google_id, taken.full_name)
    assert await User.filter(email=victim.email).count() == 1


@pytest.mark.parametrize("whom", ["new", "linked"])
async def test_first_sign_ins_at_once_end_as_one_user(client: aiohttp.ClientSession, stack: Stack, whom: str) -> None:
    account = somebody()
    if whom == "linked":
        await User.create(email=account["email"])
    token = await id_token(stack, account)

    async def once() -> int:
        async with client.post("/auth/google", json={"id_token": token}) as reply:
            return reply.status

    assert await asyncio.gather(*(once() for _ in range(8))) == [200] * 8
    user = await User.get(email=account["email"])
    assert user.google_id == account["sub"]
    assert await Session.filter(user_id=user.id).count() == 8


async def test_a_deactivated_learner_is_told_so(client: aiohttp.ClientSession, stack: Stack) -> None:
    account = somebody()
    user = await user_of(client, stack, account)
    await User.filter(id=user["id"]).update(is_active=False)
    sessions = await Session.filter(user_id=user["id"]).count()
    status, body = await sign_in(client, stack, account)
    assert (status, body["code"]) == (403, "account_deactivated"), "a 401 would send frontends to refresh"
    assert await Session.filter(user_id=user["id"]).count() == sessions


async def test_what_google_did_not_say_to_us_is_refused(client: aiohttp.ClientSession, stack: Stack) -> None:
    status, body = await sign_in(client, stack, somebody(aud="another.apps.example"))
    assert (status, body["code"]) == (400, "google_token_invalid")
    async with client.post("/auth/google-login", json={"id_token": "x.y.z"}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "google_token_invalid")
        assert "WWW-Authenticate" not in reply.headers
    for body in ({}, {"id_token": ""}, {"id_token": 5}, {"id_token": "x" * 8193}):
        async with client.post("/auth/google-login", json=body) as reply:
            assert (reply.status, (await reply.json())["code"]) == (422, "validation_failed")


async def test_our_own_tokens_and_googles_are_two_things(
    client: aiohttp.ClientSession, stack: Stack, bearer: dict[str, str]
) -> None:
    ours = bearer["Authorization"].removeprefix("Bearer ")
    async with client.post("/auth/google", json={"id_token": ours}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "google_token_invalid")
    theirs = {"Authorization": f"Bearer {await id_token(stack, somebody())}"}
    for method, path in (("GET", "/auth/me"), ("POST", "/auth/refresh")):
        async with client.request(method, path, headers=theirs) as reply:
            assert (reply.status, (await reply.json())["code"]) == (401, "token_invalid")


async def test_where_it_is_not_set_up_the_answer_says_so(
    client: aiohttp.ClientSession, app: web.Application, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app[GOOGLE], "_client_ids", [])
    status, body = await sign_in(client, stack, somebody())
    assert (status, body["code"]) == (503, "sign_in_not_configured")
