"""Only a token we made, of the right kind and in its time, says who is calling."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest

from tests.forging import by_hand, forgeries
from tests.yousync.test_webhooks import with_keys
from yousync.errors import TokenExpired, TokenInvalid
from yousync.identity import AUDIENCE, ISSUER, mint, verify, verify_ticket
from yousync.settings import Settings, SettingsMissing

SETTINGS = with_keys("w" * 32)
KEY = SETTINGS.jwt_secret_key[0].get_secret_value()


def forged(**claims: Any) -> str:
    """A token as `mint` makes it, with other claims."""
    good = mint(SETTINGS, user_id=7, email="a@example.com", session_id="s")
    body = jwt.decode(good, options={"verify_signature": False}) | claims
    return by_hand(jwt.get_unverified_header(good), body, KEY)


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


@pytest.mark.parametrize("subject", ["-7", "seven", "٧", "99999999999", "7 ", ""])
def test_a_subject_is_the_id_of_a_user(subject: str) -> None:
    with pytest.raises(TokenInvalid):
        verify(SETTINGS, forged(sub=subject))


FORGED = forgeries(SETTINGS, user_id=7, session_id="s")


@pytest.mark.parametrize("trick", FORGED)
def test_what_we_did_not_make_is_refused(trick: str) -> None:
    for grace in (timedelta(0), timedelta(days=14)):
        with pytest.raises(TokenInvalid):
            verify(SETTINGS, FORGED[trick], grace=grace)


def test_a_ticket_is_for_one_job_and_no_access_token_is_a_ticket() -> None:
    others = dict(forgeries(SETTINGS, user_id=7, session_id="s"))  # made now: a ticket holds for a minute
    ticket = verify_ticket(SETTINGS, others.pop("a ticket"))
    assert (ticket.user_id, ticket.session_id, ticket.job_id) == (7, "s", "0" * 32)
    for text in (*others.values(), mint(SETTINGS, user_id=7, email="a@example.com", session_id="s")):
        with pytest.raises(TokenInvalid):
            verify_ticket(SETTINGS, text)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "ü.ü.ü", "." * 3, "e30.e30.e30", "\x00"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        verify(SETTINGS, text)
