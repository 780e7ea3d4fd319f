"""Our access tokens: JWTs that say who is calling (RFC 7519, profile of RFC 9068)."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from yousync.errors import TokenExpired, TokenInvalid
from yousync.settings import Settings

ISSUER = "yousync"
AUDIENCE = "yousync-api"
_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a valid token says."""

    user_id: int
    session_id: str


def mint(settings: Settings, *, user_id: int, email: str, session_id: str | None = None) -> str:
    """A signed access token for this user, good for ACCESS_TOKEN_HOURS.

    `email` is there because existing clients know it; nothing of ours trusts it.
    """
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "email": email,
        "sid": session_id or uuid.uuid4().hex,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + int(settings.access_token_hours * 3600),
    }
    key = settings.jwt_secret_key.get_secret_value()
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"typ": _TYPE, "kid": _key_id(key)})


def verify(settings: Settings, token: str) -> Caller:
    """Who this token speaks for.

    The algorithm, issuer, audience and type are ours, never the token's choice (RFC 8725 section 3). Raises
    TokenExpired for a genuine token whose time is over and TokenInvalid for everything else.
    """
    key = settings.jwt_secret_key.get_secret_value()
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != _TYPE or header.get("kid") != _key_id(key):
            raise TokenInvalid
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=5,
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                "verify_iat": False,  # it only tells when (RFC 7519 section 4.1.6); the issuer's clock may be ahead
            },
        )
        return Caller(user_id=_user_id(claims["sub"]), session_id=str(claims["sid"]))
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, KeyError, UnicodeError):
        raise TokenInvalid from None


def _user_id(subject: str) -> int:
    if not (subject.isascii() and subject.isdigit() and len(subject) <= 10):
        raise TokenInvalid
    value = int(subject)
    if not 0 < value < 2**31:
        raise TokenInvalid
    return value


def _key_id(key: str) -> str:
    """A short name of the key that says nothing about it, so that keys can be told apart while they rotate."""
    return hashlib.sha256(b"yousync-kid:" + key.encode()).hexdigest()[:12]
