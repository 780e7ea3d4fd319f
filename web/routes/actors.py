"""Actors, and finding them and their clips by what people type."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from models import actor_search, token_lists
from web.contract import Contract, Encoded
from web.paging import Limit, PageQuery, Typed
from web.shapes import Actor, Token
from web.wiring import CATALOGUE
from yousync.errors import DependencyDown

routes = Contract(tag="Catalogue")

_ACTORS_MEANT = 10


class SearchPath(BaseModel):
    """A name or a part of one, in any script; spaces and case do not matter."""

    query: Typed


class SearchQuery(BaseModel):
    """How many to find."""

    limit: Limit = 10


@routes.get("/actors", raises=(DependencyDown,))
async def list_actors(request: web.Request, *, query: PageQuery) -> Encoded[list[Actor]]:
    """List actors, by id."""
    return await request.app[CATALOGUE].reply(actor_search.all_actors, query.skip, query.limit)


@routes.get("/actors/search/{query}", raises=(DependencyDown,))
async def search_actors(request: web.Request, *, path: SearchPath, query: SearchQuery) -> Encoded[list[Actor]]:
    """Find actors by any part of a name or alias; where there are few, by similar names too."""
    return await request.app[CATALOGUE].reply(actor_search.search_actors, path.query, query.limit)


@routes.get("/actors/{query}", raises=(DependencyDown,))
async def list_tokens_of_actors(request: web.Request, *, path: SearchPath, query: PageQuery) -> Encoded[list[Token]]:
    """List the clips of the actors a name may mean, at most ten: by a part of the name, else by similar names."""
    return await request.app[CATALOGUE].reply(_tokens_of, path.query, query.skip, query.limit)


async def _tokens_of(name: str, skip: int, limit: int) -> list[token_lists.Row]:
    actors = await actor_search.actors_meant(name, _ACTORS_MEANT)
    if not actors:
        return []
    return await token_lists.tokens_of_actors([actor["id"] for actor in actors], skip, limit)
