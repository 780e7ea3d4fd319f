"""Google's ID tokens: only what it signed for us counts; its certificates are asked for as seldom as it says."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
import pytest_asyncio
import time_machine
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.forging import by_hand
from yousync.errors import DependencyDown, EmailUnverified, GoogleTokenInvalid, SignInNotConfigured
from yousync.google import ASK_AGAIN, STALE, Certificates, Google
from yousync.local.issuer import Issuer, TokenRequest

OURS, OTHERS = "ours.apps.example", "theirs.apps.example"
MINA = {"sub": "1234", "email": "mina@example.com", "name": "Mina", "picture": "https://example.com/m.png"}
KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


@dataclass
class Published:
    """What stands in for Google: publishes the certificates of some issuers, and counts who asks."""

    issuers: list[Issuer]
    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": "public, max-age=1000"})
    status: int = 200
    body: str | None = None
    slow: float = 0.0
    asked: int = 0
    url: str = ""

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.slow)
        told = {name: text for issuer in self.issuers for name, text in issuer.certs().items()}
        return web.Response(text=self.body or json.dumps(told), status=self.status, headers=self.headers)


@pytest_asyncio.fixture
async def published() -> AsyncIterator[Published]:
    made = Published([Issuer(KEYS[0], OURS)])
    app = web.Application()
    app.router.add_get("/certs", made.answer)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/certs"))
        yield made


@pytest_asyncio.fixture
async def google(published: Published) -> AsyncIterator[Google]:
    async with ClientSession(timeout=ClientTimeout(total=0.3)) as session:
        yield Google(Certificates(session, published.url), [OTHERS, OURS])


def token(issuer: Issuer, **claims: Any) -> str:
    return issuer.token(TokenRequest.model_validate(MINA | {"exp": int(time.time()) + 3600} | claims))


class TestTokens:
    async def test_of_ours_say_who_signed_in(self, google: Google, published: Published) -> None:
        account = await google.verify(token(published.issuers[0]))
        assert account.model_dump(include=set(MINA)) == MINA

    @pytest.mark.parametrize("iss", ["accounts.google.com", "https://accounts.google.com"])
    async def test_google_has_two_names(self, google: Google, published: Published, iss: str) -> None:
        account = await google.verify(resigned(token(published.issuers[0]), iss=iss))
        assert account.iss == iss

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "another.apps.example"},
            {"aud": [OURS]},
            {"aud": ""},
            {"aud": None},
            {"iss": "https://accounts.example.com"},
            {"iss": None},
            {"exp": -11},
            {"exp": None},
            {"exp": "soon"},
            {"iat": 60},
            {"iat": None},
            {"sub": ""},
            {"sub": None},
            {"sub": "ü"},
            {"sub": "1" * 256},
            {"email": "mina"},
            {"email": None},
            {"email": "m\x00@example.com"},
            {"name": "M\x00na"},
            {"name": 5},
            {"email_verified": "true"},
        ],
        ids=str,
    )
    async def test_that_say_anything_else_are_refused(
        self, google: Google, published: Published, claims: dict[str, Any]
    ) -> None:
        now = int(time.time())
        moved = {
            name: now + value if name in {"exp", "iat"} and isinstance(value, int) else value
            for name, value in claims.items()
        }
        with pytest.raises(GoogleTokenInvalid):
            await google.verify(resigned(token(published.issuers[0]), **moved))

    async def test_clocks_may_differ_a_little(self, google: Google, published: Published) -> None:
        now = int(time.time())
        await google.verify(resigned(token(published.issuers[0]), iat=now + 8))
        await google.verify(resigned(token(published.issuers[0]), exp=now - 8))

    @pytest.mark.parametrize("verified", [False, None])
    async def test_of_an_unproven_e_mail_are_refused_as_such(
        self, google: Google, published: Published, verified: Any
    ) -> None:
        with pytest.raises(EmailUnverified):
            await google.verify(resigned(token(published.issuers[0]), email_verified=verified))

    async def test_forged_in_any_known_way_are_refused(self, google: Google, published: Published) -> None:
        good = token(published.issuers[0])
        claims = jwt.decode(good, options={"verify_signature": False})
        kid, pem = next(iter(published.issuers[0].certs().items()))
        own = jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[1].public_key(), as_dict=True)
        forged = {
            "another key": jwt.encode(claims, KEYS[1], algorithm="RS256", headers={"kid": kid}),
            "another key, and its own": jwt.encode(
                claims, KEYS[1], algorithm="RS256", headers={"kid": kid, "jwk": own}
            ),
            "a key from elsewhere": jwt.encode(
                claims, KEYS[1], algorithm="RS256", headers={"kid": kid, "jku": published.url}
            ),
            "an unknown key": jwt.encode(claims, KEYS[0], algorithm="RS256", headers={"kid": "x"}),
            "no key named": jwt.encode(claims, KEYS[0], algorithm="RS256"),
            "another algorithm": jwt.encode(claims, KEYS[0], algorithm="RS512", headers={"kid": kid}),
            "the certificate as a password": by_hand({"alg": "HS256", "kid": kid}, claims, pem),
            "no signature": f"{good.rpartition('.')[0]}.",
            "half a signature": good[:-40],
            **{name: by_hand({"alg": name, "kid": kid}, claims, "") for name in ("none", "None", "NONE")},
            **{
                repr(text[:5]): text
                for text in ("", "a", "a.b", "a.b.c", "ü.ü.ü", "\x00", "e30.e30.e30", "e30.W10.", "..")
            },
            "nested without end": f"{base64.urlsafe_b64encode(b'[' * 5000).decode()}.e30.e30",
        }
        for name, text in forged.items():
            with pytest.raises(GoogleTokenInvalid):
                await google.verify(text)
                pytest.fail(name)

    async def test_without_a_client_id_nobody_can_sign_in(self, published: Published) -> None:
        async with ClientSession() as session:
            with pytest.raises(SignInNotConfigured):
                await Google(Certificates(session, published.url), []).verify(token(published.issuers[0]))
        assert published.asked == 0


class TestCertificates:
    async def test_are_fetched_once_while_they_hold(self, google: Google, published: Published) -> None:
        published.headers = {"Cache-Control": "public, max-age=1000, must-revalidate", "Age": "400"}
        with time_machine.travel(time.time(), tick=False) as clock:
            for asked, seconds in ((1, 0), (1, 599), (2, 1), (2, 599)):
                clock.shift(seconds)
                await google.verify(token(published.issuers[0]))
                assert published.asked == asked

    async def test_are_fetched_by_one_of_many_at_once(self, google: Google, published: Published) -> None:
        published.slow = 0.05
        await asyncio.gather(*(google.verify(token(published.issuers[0])) for _ in range(20)))
        assert published.asked == 1

    async def test_a_new_key_is_found_at_once_and_made_up_ones_do_not_hammer_google(
        self, google: Google, published: Published
    ) -> None:
        new = Issuer(KEYS[2], OURS)
        with time_machine.travel(time.time(), tick=False) as clock:
            await google.verify(token(published.issuers[0]))
            clock.shift(ASK_AGAIN)
            published.issuers.append(new)
            await google.verify(token(new))
            assert published.asked == 2
            for _ in range(5):
                with pytest.raises(GoogleTokenInvalid):
                    await google.verify(token(Issuer(KEYS[1], OURS)))
            assert published.asked == 2, "not again within half a minute"
            clock.shift(ASK_AGAIN)
            with pytest.raises(GoogleTokenInvalid):
                await google.verify(token(Issuer(KEYS[1], OURS)))
            assert published.asked == 3

    @pytest.mark.parametrize(
        "down",
        [
            {"status": 503},
            {"status": 302, "headers": {"Location": "/"}},
            {"body": "<html>"},
            {"body": "{}"},
            {"slow": 1},
        ],
        ids=str,
    )
    async def test_that_are_old_serve_while_google_is_away(
        self, google: Google, published: Published, down: dict[str, Any]
    ) -> None:
        with time_machine.travel(time.time(), tick=False) as clock:
            await google.verify(token(published.issuers[0]))
            vars(published).update(down)
            clock.shift(1000)
            for _ in range(3):
                await google.verify(token(published.issuers[0]))
            assert published.asked == 2, "who is away is not asked by everybody"
            with pytest.raises(DependencyDown):
                await google.verify(token(Issuer(KEYS[1], OURS)))  # it may be a new one of Google's
            clock.shift(STALE - 1)
            await google.verify(token(published.issuers[0]))
            clock.shift(1)
            with pytest.raises(DependencyDown):
                await google.verify(token(published.issuers[0]))
            vars(published).update(vars(Published(published.issuers, asked=0)) | {"url": published.url})
            clock.shift(5)
            await google.verify(token(published.issuers[0]))

    async def test_that_were_never_had_are_asked_for_again_soon(self, google: Google, published: Published) -> None:
        published.status = 500
        with time_machine.travel(time.time(), tick=False) as clock:
            for _ in range(2):
                with pytest.raises(DependencyDown):
                    await google.verify(token(published.issuers[0]))
            assert published.asked == 1
            published.status = 200
            clock.shift(5)
            await google.verify(token(published.issuers[0]))


def resigned(text: str, **claims: Any) -> str:
    """The token with other claims (None: without), signed as before."""
    body = jwt.decode(text, options={"verify_signature": False}) | claims
    header = {"kid": jwt.get_unverified_header(text)["kid"]}
    kept = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(kept, KEYS[0], algorithm="RS256", headers=header)
