"""Clips ("tokens") as learners browse and open them."""

from __future__ import annotations

import time
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from models import token_lists
from web.contract import Contract, DbId, Encoded
from web.fields import Offset
from web.paging import Limit, PageQuery, Typed
from web.shapes import Token, TokenDetail, Viewed
from web.wiring import CATALOGUE, DETAILS, VIEWS
from yousync.errors import ActorNotFound, DependencyDown, TokenNotFound

routes = Contract(tag="Catalogue")

_DAY_SECONDS = 86_400


class TokenPath(BaseModel):
    """A clip."""

    token_id: DbId


class CategoryPath(BaseModel):
    """A category, or a part of its name."""

    category: Annotated[Typed, Field(examples=["로맨스", "액션", "애니메이션", "코미디", "판타지", "드라마"])]


class RelatedQuery(BaseModel):
    """Which part of a short list."""

    skip: Offset = 0
    limit: Limit = 5


@routes.get("/tokens", raises=(DependencyDown,))
async def list_tokens(request: web.Request, *, query: PageQuery) -> Encoded[list[Token]]:
    """List clips, the oldest first. View counts may be ten seconds old, here and in every list."""
    return await request.app[CATALOGUE].reply(token_lists.all_tokens, query.skip, query.limit)


@routes.get("/tokens/latest", raises=(DependencyDown,))
async def list_latest_tokens(request: web.Request, *, query: PageQuery) -> Encoded[list[Token]]:
    """List clips, the newest first."""
    return await request.app[CATALOGUE].reply(token_lists.latest_tokens, query.skip, query.limit)


@routes.get("/tokens/popular", raises=(DependencyDown,))
async def list_popular_tokens(request: web.Request, *, query: PageQuery) -> Encoded[list[Token]]:
    """List clips, the most viewed first."""
    return await request.app[CATALOGUE].reply(token_lists.popular_tokens, query.skip, query.limit)


@routes.get("/tokens/sync-collection", raises=(DependencyDown,))
async def list_short_tokens(request: web.Request, *, query: PageQuery) -> Encoded[list[Token]]:
    """List clips of less than 20 seconds, shuffled.

    The order holds for a day (UTC), so that pages neither repeat nor skip.
    """
    day = int(time.time() // _DAY_SECONDS)
    return await request.app[CATALOGUE].reply(token_lists.short_tokens, query.skip, query.limit, day)


@routes.get("/tokens/category/{category}", raises=(DependencyDown,))
async def list_tokens_in_category(
    request: web.Request, *, path: CategoryPath, query: PageQuery
) -> Encoded[list[Token]]:
    """List clips whose category contains this text, in upper or lower case, the oldest first."""
    found = token_lists.tokens_in_category
    return await request.app[CATALOGUE].reply(found, path.category, query.skip, query.limit)


@routes.get("/tokens/{token_id}", raises=(TokenNotFound, DependencyDown))
async def read_token(request: web.Request, *, path: TokenPath) -> Encoded[TokenDetail]:
    """Read a clip with its sentences, their words, its pitch and a link to its background sound."""
    return await request.app[CATALOGUE].reply(request.app[DETAILS].of, path.token_id)


@routes.get("/tokens/{token_id}/related", raises=(TokenNotFound, ActorNotFound, DependencyDown))
async def list_related_tokens(request: web.Request, *, path: TokenPath, query: RelatedQuery) -> Encoded[list[Token]]:
    """List other clips of the same actor, the most viewed first."""
    return await request.app[CATALOGUE].reply(_related, path.token_id, query.skip, query.limit)


@routes.post("/tokens/{token_id}/view", raises=(TokenNotFound, DependencyDown))
async def view_token(request: web.Request, *, path: TokenPath) -> Viewed:
    """Count a view, and tell how many that makes. There is no body."""
    count = await request.app[VIEWS].add(path.token_id)
    if count is None:
        raise TokenNotFound
    return Viewed(token_id=path.token_id, view_count=count)


async def _related(token_id: int, skip: int, limit: int) -> list[token_lists.Row]:
    actors = await token_lists.actors_of(token_id)
    if actors is None:
        raise TokenNotFound
    if not actors:
        raise ActorNotFound
    return await token_lists.related_tokens(token_id, actors, skip, limit)
