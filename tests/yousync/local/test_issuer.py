"""The local issuer against Google's own library, as production verifies."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest
from google.auth import exceptions, jwt

from yousync.local.program import CLIENT_ID
from yousync.local.stack import Stack

WHO = {"sub": "1234", "email": "mina@example.com", "name": "Mina", "picture": "https://example.com/m.png"}


async def certs(stack: Stack) -> Any:
    async with aiohttp.ClientSession() as session, session.get(stack.env()["GOOGLE_CERTS_URL"]) as response:
        assert "max-age=" in response.headers["Cache-Control"]
        return await response.json()


async def token(stack: Stack, **claims: Any) -> str:
    address = f"{stack.parts['issuer'].url}/token"
    async with aiohttp.ClientSession() as session, session.post(address, json=WHO | claims) as response:
        assert response.status == 200
        return str((await response.json())["id_token"])


async def test_googles_library_accepts_a_token(stack: Stack) -> None:
    claims = jwt.decode(await token(stack), certs=await certs(stack), audience=CLIENT_ID)  # type: ignore[no-untyped-call]  # google-auth has no types here
    assert claims["iss"] == "https://accounts.google.com"
    assert {name: claims[name] for name in WHO} == WHO
    assert claims["email_verified"] is True


async def test_an_odd_token_is_issued_as_asked_and_refused(stack: Stack) -> None:
    keys = await certs(stack)
    for odd in ({"exp": int(time.time()) - 60}, {"aud": "somebody-else"}):
        with pytest.raises((exceptions.MalformedError, exceptions.InvalidValue)):
            jwt.decode(await token(stack, **odd), certs=keys, audience=CLIENT_ID)  # type: ignore[no-untyped-call]  # as above
    claims = jwt.decode(await token(stack, email_verified=False, hd="x.org"), certs=keys, audience=CLIENT_ID)  # type: ignore[no-untyped-call]  # as above
    assert claims["email_verified"] is False
    assert claims["hd"] == "x.org"


async def test_the_key_outlives_a_restart(stack: Stack) -> None:
    before, old = await certs(stack), await token(stack)
    await stack.parts["issuer"].stop()
    await stack.parts["issuer"].start()
    after = await certs(stack)
    assert set(after) == set(before)
    jwt.decode(old, certs=after, audience=CLIENT_ID)  # type: ignore[no-untyped-call]  # as above


async def test_what_makes_no_sense_is_refused(stack: Stack) -> None:
    address = f"{stack.parts['issuer'].url}/token"
    async with aiohttp.ClientSession() as session:
        for body in (b"", b"[]", b'{"sub": 5}'):
            async with session.post(address, data=body) as response:
                assert response.status == 400
