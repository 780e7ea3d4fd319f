"""Scores: one's own averages, and who practises most."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from models.practice import Recorder, average_score
from models.user import User
from web.contract import Contract
from web.routes.uploads import TokenPath
from web.wiring import TOP_RECORDERS
from yousync.errors import ScoreNotFound

routes = Contract(tag="Scores")


class TokenScore(BaseModel):
    """The mean of one's latest scores in a clip, in their own unit."""

    token_id: int
    average_score: float


class MyScore(BaseModel):
    """The mean of one's latest scores in all clips, in their own unit."""

    user_id: int
    average_score: float


class Leaderboard(BaseModel):
    """Those with the most results first. Their e-mails are nobody's business: `email` is always null."""

    users: list[Recorder]


@routes.get("/score/{token_id}/score", raises=(ScoreNotFound,))
async def my_token_score(_request: web.Request, *, path: TokenPath, user: User) -> TokenScore:
    """Read one's average in a clip: of each sentence the latest score counts, and of recordings of the whole clip."""
    average = await average_score(user.id, path.token_id)
    if average is None:
        raise ScoreNotFound
    return TokenScore(token_id=path.token_id, average_score=average)


@routes.get("/score/me/average", raises=(ScoreNotFound,))
async def my_average_score(_request: web.Request, *, user: User) -> MyScore:
    """Read one's average in all clips, counted as for one."""
    average = await average_score(user.id)
    if average is None:
        raise ScoreNotFound
    return MyScore(user_id=user.id, average_score=average)


@routes.get("/score/leaderboard/top-recorders")
async def leaderboard(request: web.Request) -> Leaderboard:
    """Read which three have the most results; of millions it may lag some seconds."""
    return Leaderboard(users=await request.app[TOP_RECORDERS].get())
