"""Signing in and out: from Google's ID token to ours, and from an old one of ours to a new one."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from models.session import end_session
from models.user import User
from web.auth import CALLER, refresh, sign_in_with_google
from web.contract import Contract, Reply
from web.people import UserView
from web.wiring import GOOGLE, SETTINGS
from yousync.errors import (
    AccountDeactivated,
    DependencyDown,
    EmailTaken,
    EmailUnverified,
    GoogleTokenInvalid,
    SignInNotConfigured,
    TokenReused,
)

routes = Contract(tag="Signing in")

_NEVER_KEPT = {"Cache-Control": "no-store"}  # RFC 6749 section 5.1


class GoogleSignIn(BaseModel):
    """What Google's sign-in hands a page as `credential`."""

    id_token: Annotated[str, Field(min_length=1, max_length=8192)]


class AccessToken(BaseModel):
    """What to send as `Authorization: Bearer` from now on."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 -- a kind of token, not one


class SignedOut(BaseModel):
    """Who was signed out."""

    message: str
    user_id: int


@routes.post(
    "/auth/google",
    name="sign_in",
    limit="login",
    raises=(GoogleTokenInvalid, EmailUnverified, AccountDeactivated, EmailTaken, SignInNotConfigured, DependencyDown),
    aliases=("/auth/google-login",),
)
async def google(request: web.Request, *, body: GoogleSignIn) -> Reply[AccessToken]:
    """Sign in with Google: an ID token that was issued for us becomes an access token of ours.

    Whoever comes for the first time gets an account, or the one with their e-mail where no other Google account
    signs in to it. Name and picture are Google's at each sign-in.
    """
    token = await sign_in_with_google(request.app[GOOGLE], request.app[SETTINGS], body.id_token)
    return Reply(AccessToken(access_token=token), headers=_NEVER_KEPT)


@routes.post("/auth/refresh", raises=(TokenReused, DependencyDown))
async def refresh_token(request: web.Request, *, bearer: str) -> Reply[AccessToken]:
    """Exchange an access token for a new one.

    A valid token may be exchanged at any time and stays valid. One that has expired is good once, for
    two weeks: within a minute the same exchange is answered in the same way, after that it ends the session.
    """
    return Reply(AccessToken(access_token=await refresh(request.app[SETTINGS], bearer)), headers=_NEVER_KEPT)


@routes.get("/auth/me", raises=(DependencyDown,))
async def me(_request: web.Request, *, user: User) -> UserView:
    """Read one's own account."""
    return UserView.of(user)


@routes.post("/auth/logout", raises=(DependencyDown,))
async def logout(request: web.Request, *, user: User) -> SignedOut:
    """End the session: none of its tokens is good for anything any more."""
    await end_session(request[CALLER].session_id)
    return SignedOut(message="로그아웃되었습니다", user_id=user.id)
