"""Who is calling: from the Authorization header to an active user of a session that goes on, and on to a new token."""

from __future__ import annotations

import time
from datetime import timedelta

from aiohttp import web

from models.session import end_session, exchange, open_session, renew_session, signed_in
from models.user import User, user_of_google
from web.bearer import bearer_token
from web.wiring import SETTINGS
from yousync.errors import AccountDeactivated, TokenInvalid, TokenReused
from yousync.google import Google
from yousync.identity import Caller, mint, successor_of, verify
from yousync.settings import Settings

CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""What the bearer token of a request says, once `authenticate` has found it good."""


async def authenticate(request: web.Request) -> User | None:
    """The user of a request, None when it carries no Authorization header.

    A header that is there must hold: an expired or broken token is refused also where none is needed, so that
    nobody's recording is filed as anonymous by accident. Raises TokenExpired, TokenInvalid.
    """
    if "Authorization" not in request.headers:
        return None
    caller = verify(request.app[SETTINGS], bearer_token(request))
    user = await user_of(caller)
    request[CALLER] = caller
    return user


async def sign_in(settings: Settings, user: User) -> str:
    """The first access token of a new session."""
    return mint(settings, user_id=user.id, email=user.email, session_id=await open_session(user.id))


async def sign_in_with_google(google: Google, settings: Settings, id_token: str) -> str:
    """The first access token of a new session for whoever Google says it is.

    Raises what Google.verify does, EmailTaken, and AccountDeactivated: a 403, as signing in again does not help.
    """
    user = await user_of_google(await google.verify(id_token))
    if not user.is_active:
        raise AccountDeactivated
    return await sign_in(settings, user)


async def refresh(settings: Settings, token: str) -> str:
    """A new access token for one that is valid, or that expired less than REFRESH_DAYS ago.

    A valid one stays what it is. An expired one is good once: asked again within a minute (two tabs, a lost reply)
    its successor is the same, letter by letter; asked later somebody has a token that is not theirs, and the session
    ends. Raises TokenExpired, TokenReused, TokenInvalid.
    """
    caller = verify(settings, token, grace=timedelta(days=settings.refresh_days))
    user = await user_of(caller)
    if not caller.expired:
        if not await renew_session(caller.session_id):
            raise TokenInvalid
        return mint(settings, user_id=user.id, email=user.email, session_id=caller.session_id)
    found = await exchange(caller.token_id, caller.session_id, iat=int(time.time()))
    if found is None:
        raise TokenInvalid
    if found.late:
        await end_session(caller.session_id)
        raise TokenReused
    return mint(
        settings,
        user_id=user.id,
        email=user.email,
        session_id=caller.session_id,
        token_id=successor_of(caller.token_id),
        issued_at=found.successor_iat,
    )


async def user_of(caller: Caller) -> User:
    """The active user whose session a genuine token is of. Raises TokenInvalid when there is none any more."""
    user = await signed_in(caller.user_id, caller.session_id)
    if user is None:
        raise TokenInvalid
    return user
