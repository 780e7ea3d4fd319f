"""Bookmarks: the clips a learner keeps."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field
from tortoise.exceptions import IntegrityError

from models.bookmark import BookmarkItem, add_bookmark, bookmarks_of, remove_bookmark
from models.user import User
from web.contract import MAX_ID, Contract, DbId
from web.fields import Offset, at_most
from yousync.errors import BookmarkExists, TokenNotFound

routes = Contract(tag="My page")

MAX_PAGE = 100


class MyPage(BaseModel):
    """Which part of a list of one's own; more than 100 are 100."""

    limit: Annotated[int, Field(ge=1), at_most(MAX_PAGE)] = 20
    offset: Offset = 0


class BookmarkBody(BaseModel):
    """The clip to keep."""

    token_id: DbId


class BookmarkPath(BaseModel):
    """The clip to let go. A number that no clip can have names none that is kept, like any other."""

    token_id: int


class Kept(BaseModel):
    """A clip that is kept now."""

    token_id: int


@routes.post("/mypage/bookmarks", status=201, idempotent=True, raises=(TokenNotFound, BookmarkExists))
async def add_my_bookmark(_request: web.Request, *, body: BookmarkBody, user: User) -> Kept:
    """Bookmark a clip."""
    try:
        added = await add_bookmark(user.id, body.token_id)
    except IntegrityError:
        raise TokenNotFound from None
    if not added:
        raise BookmarkExists
    return Kept(token_id=body.token_id)


@routes.delete("/mypage/bookmarks/{token_id}", status=204)
async def remove_my_bookmark(_request: web.Request, *, path: BookmarkPath, user: User) -> None:
    """Remove a bookmark; one that is not there is removed already."""
    if 0 < path.token_id <= MAX_ID:
        await remove_bookmark(user.id, path.token_id)


@routes.get("/mypage/bookmarks", limit="bookmarks")
async def my_bookmarks(_request: web.Request, *, query: MyPage, user: User) -> list[BookmarkItem]:
    """List one's bookmarks, newest first."""
    return await bookmarks_of(user.id, limit=query.limit, offset=query.offset)
