"""The Authorization header with a bearer token in it (RFC 6750 section 2.1)."""

from __future__ import annotations

from aiohttp import web

from yousync.errors import TokenInvalid, TokenMissing


def bearer_token(request: web.Request) -> str:
    """The token as it was sent. Raises TokenMissing without a header, TokenInvalid for another scheme."""
    header = request.headers.get("Authorization")
    if header is None:
        raise TokenMissing
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    return token.strip()
