"""Sentences ("scripts") of clips, with their words."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from models import script_lists
from web.contract import Contract, DbId, Encoded
from web.paging import PageQuery
from web.routes.tokens import TokenPath
from web.shapes import Script
from web.wiring import CATALOGUE
from yousync.errors import DependencyDown, ScriptNotFound

routes = Contract(tag="Catalogue")


class ScriptPath(BaseModel):
    """A sentence."""

    script_id: DbId


@routes.get("/scripts", raises=(DependencyDown,))
async def list_scripts(request: web.Request, *, query: PageQuery) -> Encoded[list[Script]]:
    """List sentences with their words, by id."""
    return await request.app[CATALOGUE].reply(script_lists.all_scripts, query.skip, query.limit)


@routes.get("/scripts/{script_id}", raises=(ScriptNotFound, DependencyDown))
async def read_script(request: web.Request, *, path: ScriptPath) -> Encoded[Script]:
    """Read a sentence with its words."""
    return await request.app[CATALOGUE].reply(_script, path.script_id)


@routes.get("/scripts/token/{token_id}", raises=(DependencyDown,))
async def list_scripts_of_token(request: web.Request, *, path: TokenPath, query: PageQuery) -> Encoded[list[Script]]:
    """List a clip's sentences with their words, by id; none for a clip that is not there."""
    return await request.app[CATALOGUE].reply(script_lists.scripts_of_token, path.token_id, query.skip, query.limit)


async def _script(script_id: int) -> script_lists.Row:
    found = await script_lists.script_row(script_id)
    if found is None:
        raise ScriptNotFound
    return found
