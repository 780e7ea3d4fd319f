"""Only a token we made, of the right kind and in its time, says who is calling."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from typing import Any

import jwt
import pytest

from tests.yousync.test_webhooks import with_keys
from yousync.errors import TokenExpired, TokenInvalid
from yousync.identity import AUDIENCE, ISSUER, mint, verify
from yousync.settings import Settings, SettingsMissing

SETTINGS = with_keys("w" * 32)
KEY = SETTINGS.jwt_secret_key[0].get_secret_value()


def forged(
    *, key: str = KEY, algorithm: str = "HS256", headers: dict[str, Any] | None = None, drop: str = "", **claims: Any
) -> str:
    """A token as `mint` makes it, with changes."""
    good = mint(SETTINGS, user_id=7, email="a@example.com", session_id="s")
    body = jwt.decode(good, options={"verify_signature": False}) | claims
    body.pop(drop, None)
    kept = {name: value for name, value in jwt.get_unverified_header(good).items() if name != "alg"}
    return jwt.encode(body, key, algorithm=algorithm, headers=kept | (headers or {}))


def test_a_minted_token_says_who_and_which_session() -> None:
    caller = verify(SETTINGS, mint(SETTINGS, user_id=7, email="a@example.com", session_id="s"))
    assert (caller.user_id, caller.session_id) == (7, "s")


def test_it_carries_what_existing_clients_know() -> None:
    claims = jwt.decode(
        mint(SETTINGS, user_id=7, email="a@example.com", session_id="s"), options={"verify_signature": False}
    )
    assert (claims["sub"], claims["email"], claims["iss"], claims["aud"]) == ("7", "a@example.com", ISSUER, AUDIENCE)
    assert claims["exp"] - claims["iat"] == 12 * 3600


def rotated(*keys: str) -> Settings:
    return Settings.load(_env_file=None, **(SETTINGS.model_dump() | {"jwt_secret_key": ",".join(keys)}))


def test_keys_rotate_with_sessions_that_go_on() -> None:
    token = mint(rotated("o" * 32), user_id=7, email="a@example.com", session_id="s")
    for both in (rotated("o" * 32, "n" * 32), rotated("n" * 32, "o" * 32)):
        assert verify(both, token).user_id == 7
    with pytest.raises(TokenInvalid):
        verify(rotated("n" * 32), token)
    newer = mint(rotated("n" * 32, "o" * 32), user_id=7, email="a@example.com", session_id="s")
    assert verify(rotated("o" * 32, "n" * 32), newer).user_id == 7


def test_each_key_has_to_be_long_enough() -> None:
    for keys in (("",), ("short",), ("o" * 32, "n" * 31)):
        with pytest.raises(SettingsMissing, match="JWT_SECRET_KEY"):
            rotated(*keys)


def test_the_same_words_make_the_same_token() -> None:
    first, second = (
        mint(SETTINGS, user_id=7, email="a@example.com", session_id="s", token_id="t", issued_at=1) for _ in range(2)
    )
    assert first == second


def test_grace_is_for_genuine_tokens_alone() -> None:
    old = mint(SETTINGS, user_id=7, email="a@example.com", session_id="s", issued_at=int(time.time()) - 20 * 3600)
    assert verify(SETTINGS, old, grace=timedelta(hours=9)).expired
    with pytest.raises(TokenExpired):
        verify(SETTINGS, old, grace=timedelta(hours=7))
    with pytest.raises(TokenInvalid):
        verify(SETTINGS, f"{old[:-6]}AAAAAA", grace=timedelta(hours=9))


def test_an_old_one_has_expired() -> None:
    with pytest.raises(TokenExpired):
        verify(SETTINGS, forged(exp=int(time.time()) - 60))


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "k" * 32},
        {"iss": "someone"},
        {"aud": "another-api"},
        {"aud": [AUDIENCE, "another-api"]},
        {"headers": {"typ": "JWT"}},
        {"headers": {"kid": "other"}},
        {"headers": {"kid": "../../etc/passwd"}},
        {"algorithm": "HS384"},
        {"sub": "0"},
        {"sub": "-7"},
        {"sub": "seven"},
        {"sub": "٧"},
        {"sub": "99999999999"},
        *({"drop": claim} for claim in ("exp", "iat", "iss", "aud", "sub", "sid", "jti")),
    ],
    ids=str,
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        verify(SETTINGS, forged(**changes))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_no_algorithm_is_no_signature(algorithm: str) -> None:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    body = part(f'{{"sub":"7","iss":"{ISSUER}","aud":"{AUDIENCE}","exp":9999999999}}')
    for signature in ("", "AAAA"):
        with pytest.raises(TokenInvalid):
            verify(SETTINGS, f'{part(f"""{{"alg":"{algorithm}","typ":"at+jwt"}}""")}.{body}.{signature}')


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "ü.ü.ü", "." * 3, "e30.e30.e30", "\x00"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        verify(SETTINGS, text)
