"""Video requests: learners ask for videos, operators say what becomes of it."""

# ruff: noqa: ARG001  # asking for a user or an admin is what protects a route

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from tortoise.exceptions import IntegrityError

from models.user import User
from models.video_request import (
    Review,
    VideoRequestView,
    Wish,
    all_requests,
    ask_for,
    requests_of,
    review,
    withdraw,
)
from web.contract import Contract, DbId
from web.fields import Offset, Text, WebAddress, at_most
from yousync.errors import RequestNotRejected, RequestPending, VideoRequestNotFound
from yousync.youtube import canonical_video

routes = Contract(tag="Video requests")

MAX_PAGE = 1000


class RequestsQuery(BaseModel):
    """Which part of the list; the frontend, which asks for none, gets 1000, and nobody more."""

    limit: Annotated[int, Field(ge=1), at_most(MAX_PAGE)] = MAX_PAGE
    offset: Offset = 0


class RequestPath(BaseModel):
    """A request."""

    request_id: DbId


def _whole(url: object) -> object:
    """A video's address as people type it has no scheme: it is given one, so that a page may link it."""
    typed = isinstance(url, str) and "://" not in url and canonical_video(url) is not None
    return f"https://{str(url).strip()}" if typed else url


class RequestBody(BaseModel):
    """What to add: whose lines, of which video, and why, if they say so."""

    actor: Annotated[Text, Field(max_length=255)]
    content: Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$"), AfterValidator(str.strip)]
    url: Annotated[WebAddress, BeforeValidator(_whole)]


class ReviewBody(BaseModel):
    """What became of it: under review, approved or rejected."""

    status: Review


class Said(BaseModel):
    """What was done, for people."""

    detail: str


@routes.post("/request", idempotent=True, raises=(RequestPending,))
async def request_video(_request: web.Request, *, body: RequestBody, user: User) -> VideoRequestView:
    """Ask for a video; until that was reviewed, for no other."""
    asked = await ask_for(user, Wish(actor=body.actor, content=body.content, url=body.url))
    if asked is None:
        raise RequestPending
    return asked


@routes.get("/request/mine")
async def my_video_requests(_request: web.Request, *, query: RequestsQuery, user: User) -> list[VideoRequestView]:
    """List one's own requests, newest first."""
    return await requests_of(user.id, limit=query.limit, offset=query.offset)


@routes.get("/request/all")
async def all_video_requests(_request: web.Request, *, query: RequestsQuery, user: User) -> list[VideoRequestView]:
    """List everybody's requests, newest first; who asked is told by name, never by e-mail."""
    return await all_requests(limit=query.limit, offset=query.offset)


@routes.patch("/request/{request_id}/status", raises=(VideoRequestNotFound, RequestPending))
async def review_video_request(_request: web.Request, *, path: RequestPath, body: ReviewBody, admin: User) -> Said:
    """Approve or reject a request, or put it back under review where its learner has no other there."""
    try:
        found = await review(path.request_id, body.status)
    except IntegrityError:
        raise RequestPending from None
    if not found:
        raise VideoRequestNotFound
    return Said(detail=f"요청 상태를 {body.status}(으)로 변경했습니다")


@routes.delete("/request/{request_id}", raises=(VideoRequestNotFound, RequestNotRejected))
async def withdraw_video_request(_request: web.Request, *, path: RequestPath, user: User) -> Said:
    """Remove one's own request once it was rejected; anybody else's is not found."""
    removed = await withdraw(path.request_id, user_id=user.id)
    if removed is None:
        raise VideoRequestNotFound
    if not removed:
        raise RequestNotRejected
    return Said(detail="요청을 삭제했습니다")
