"""My page: what a learner has practised, how it stands, and how to be rid of it."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from models.bookmark import BookmarkItem, bookmarks_of
from models.practice import DubbedToken, TokenStatus, dubbed_tokens, practice_of, recordings_of, token_status
from models.user import User
from web.contract import Contract
from web.people import UserView
from web.routes.bookmarks import MyPage
from web.routes.uploads import TokenPath
from web.wiring import DEPS, ENGINE
from yousync.errors import ResultsNotFound, TokenNotFound

routes = Contract(tag="My page")

ALL = 1000
"""How many entries the overview shows at most: the frontend pages through them by itself and counts them."""
AUDIO_LINK_SECONDS = 3600


class Overview(BaseModel):
    """My page at a glance; `average_completion_rate` is on 0-100 with two decimals.

    Running and failed jobs, and what was deleted, count nowhere.
    """

    user_info: UserView
    total_bookmarks: int
    total_dubbed_tokens: int
    total_practice_count: int
    average_completion_rate: float
    recent_bookmarks: list[BookmarkItem]
    recent_dubbed_tokens: list[DubbedToken]


class UserAudio(BaseModel):
    """A recording, by a link that lasts an hour."""

    script_id: int
    url: str


class UserAudios(BaseModel):
    """The latest stored recording of each sentence."""

    audios: list[UserAudio]


@routes.get("/mypage/overview")
async def my_overview(_request: web.Request, *, user: User) -> Overview:
    """Read everything my page shows: all bookmarks and dubbed clips up to 1000 each, and one's numbers."""
    practice = await practice_of(user.id)
    return Overview(
        user_info=UserView.of(user),
        total_bookmarks=practice.bookmarks,
        total_dubbed_tokens=practice.dubbed_tokens,
        total_practice_count=practice.attempts,
        average_completion_rate=practice.average,
        recent_bookmarks=await bookmarks_of(user.id, limit=ALL),
        recent_dubbed_tokens=await dubbed_tokens(user.id, limit=ALL),
    )


@routes.get("/mypage/my-dubbed-tokens")
async def my_dubbed_tokens(_request: web.Request, *, query: MyPage, user: User) -> list[DubbedToken]:
    """List the clips one has results for, the one dubbed last first."""
    return await dubbed_tokens(user.id, limit=query.limit, offset=query.offset)


@routes.get("/mypage/tokens/{token_id}/analysis-status", raises=(TokenNotFound,))
async def my_analysis_status(_request: web.Request, *, path: TokenPath, user: User) -> TokenStatus:
    """Read how one stands with each sentence of a clip: its latest result, or its latest attempt while it has none."""
    status = await token_status(user.id, path.token_id)
    if status is None:
        raise TokenNotFound
    return status


@routes.delete("/mypage/tokens/{token_id}/my-results", status=204, raises=(ResultsNotFound,))
async def delete_my_results(request: web.Request, *, path: TokenPath, user: User) -> None:
    """Delete one's results of a clip for good; jobs that are under way end, and recordings go from S3 soon after."""
    if not await request.app[ENGINE].delete_results(user.id, path.token_id):
        raise ResultsNotFound


@routes.get("/tokens/{token_id}/user-audios")
async def my_recordings(request: web.Request, *, path: TokenPath, user: User) -> UserAudios:
    """List one's recordings of a clip: of each sentence the latest that is stored."""
    storage = request.app[DEPS].storage
    found = await recordings_of(user.id, path.token_id)
    return UserAudios(
        audios=[
            UserAudio(script_id=script_id, url=await storage.presigned(key, AUDIO_LINK_SECONDS))
            for script_id, key in found
        ]
    )
