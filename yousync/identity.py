"""Our own tokens: JWTs that say who is calling (RFC 7519, profile of RFC 9068), and tickets to follow one job."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import jwt

from yousync.errors import TokenExpired, TokenInvalid
from yousync.settings import Settings

ISSUER = "yousync"
AUDIENCE = "yousync-api"
TICKET_SECONDS: Final = 60
_ALGORITHM = "HS256"
_ACCESS = "at+jwt"
_TICKET = "job-ticket+jwt"
_LEEWAY: Final = 5  # seconds that hosts' clocks may differ by
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a genuine token says."""

    user_id: int
    session_id: str
    token_id: str
    expired: bool = False  # only where `verify` was told to take such
    job_id: str = ""  # of a ticket


def mint(
    settings: Settings,
    *,
    user_id: int,
    email: str,
    session_id: str,
    token_id: str | None = None,
    issued_at: int | None = None,
) -> str:
    """A signed access token of a session, good for ACCESS_TOKEN_HOURS.

    `email` is there because existing clients know it; nothing of ours trusts it. The same arguments make the same
    token, letter by letter, where `token_id` and `issued_at` (seconds since 1970) are among them.
    """
    now = int(time.time()) if issued_at is None else issued_at
    claims = {
        "email": email,
        "jti": token_id or uuid.uuid4().hex,
        **_who(user_id, session_id, now, seconds=int(settings.access_token_hours * 3600)),
    }
    return _signed(settings, _ACCESS, claims)


def mint_ticket(settings: Settings, *, caller: Caller, job_id: str) -> str:
    """A signed ticket with which the caller may follow one job, for a minute: for clients that can send no header."""
    who = _who(caller.user_id, caller.session_id, int(time.time()), seconds=TICKET_SECONDS)
    return _signed(settings, _TICKET, {**who, "jti": uuid.uuid4().hex, "job": job_id})


def verify(settings: Settings, token: str, *, grace: timedelta = timedelta(0)) -> Caller:
    """Who this access token speaks for.

    The algorithm, issuer, audience and type are ours, never the token's choice (RFC 8725 section 3). Raises
    TokenExpired for a genuine token whose time has been over for more than `grace`, TokenInvalid for everything else.
    """
    claims = _claims(settings, _ACCESS, token, leeway=_LEEWAY + grace.total_seconds())
    return _caller(claims)


def verify_ticket(settings: Settings, ticket: str) -> Caller:
    """Who this ticket was given to, and for which job. Raises TokenExpired, TokenInvalid."""
    return _caller(_claims(settings, _TICKET, ticket, leeway=_LEEWAY))


def successor_of(token_id: str) -> str:
    """The id of the token that an expired one is exchanged for: always the same."""
    return hashlib.sha256(b"yousync-successor:" + token_id.encode()).hexdigest()[:32]


def _who(user_id: int, session_id: str, now: int, *, seconds: int) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": session_id,
        "iat": now,
        "exp": now + seconds,
    }


def _signed(settings: Settings, kind: str, claims: dict[str, Any]) -> str:
    key = settings.jwt_secret_key[0].get_secret_value()
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"typ": kind, "kid": _key_id(key)})


def _claims(settings: Settings, kind: str, token: str, *, leeway: float) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != kind:
            raise TokenInvalid
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(settings, header.get("kid")),
            algorithms=[_ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=leeway,
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                "verify_iat": False,  # it only tells when (RFC 7519 section 4.1.6); the issuer's clock may be ahead
            },
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, KeyError, UnicodeError):
        raise TokenInvalid from None
    return claims


def _caller(claims: dict[str, Any]) -> Caller:
    return Caller(
        user_id=_user_id(str(claims["sub"])),
        session_id=str(claims["sid"]),
        token_id=str(claims["jti"]),
        expired=time.time() >= int(claims["exp"]) + _LEEWAY,
        job_id=str(claims.get("job", "")),
    )


def _user_id(subject: str) -> int:
    if not (subject.isascii() and subject.isdigit() and len(subject) <= 10):
        raise TokenInvalid
    value = int(subject)
    if not 0 < value < 2**31:
        raise TokenInvalid
    return value


def _key(settings: Settings, key_id: object) -> str:
    """The key of ours that a token names; several while they rotate."""
    for key in settings.jwt_secret_key:
        if _key_id(key.get_secret_value()) == key_id:
            return key.get_secret_value()
    raise TokenInvalid


def _key_id(key: str) -> str:
    """A short name of the key that says nothing about it, so that keys can be told apart while they rotate."""
    return hashlib.sha256(b"yousync-kid:" + key.encode()).hexdigest()[:12]
