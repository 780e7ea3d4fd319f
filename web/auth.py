"""Who is calling: from the Authorization header to an active user."""

from __future__ import annotations

from aiohttp import web

from models.user import User, active_user
from web.wiring import SETTINGS
from yousync.errors import TokenInvalid
from yousync.identity import verify


async def authenticate(request: web.Request) -> User | None:
    """The user of a request, None when it carries no Authorization header.

    A header that is there must hold: an expired or broken token is refused also where none is needed, so that
    nobody's recording is filed as anonymous by accident. Raises TokenExpired, TokenInvalid.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    caller = verify(request.app[SETTINGS], token.strip())
    user = await active_user(caller.user_id)
    if user is None:
        raise TokenInvalid
    return user
