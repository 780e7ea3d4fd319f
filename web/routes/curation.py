"""Clips, sentences and actors as admins change them; whoever reads them afterwards reads what was written."""

# ruff: noqa: ARG001  # asking for an admin is what protects a route

from __future__ import annotations

from aiohttp import web

from jobs.retention import retain_anonymous
from models import curation, script_lists, token_lists
from models.user import User
from web.contract import Contract
from web.drafts import ActorDraft, ScriptDraft, TokenDraft
from web.routes.scripts import ScriptPath
from web.routes.tokens import TokenPath
from web.shapes import Actor, Done, Removed, Script, Token
from web.wiring import CATALOGUE, DEPS, OPS
from yousync.errors import ActorExists, DependencyDown, ScriptNotFound, TokenNotFound, ValidationFailed

routes = Contract(tag="Catalogue")

_OUTSIDE = {"pointer": "/body/words", "detail": "The words that it has would lie outside", "code": "out_of_place"}


@routes.post("/tokens", idempotent=True, raises=(DependencyDown,))
async def create_token(request: web.Request, *, body: TokenDraft, admin: User) -> Token:
    """Add a clip; its actor and video are added where they are new."""
    body.check()
    return await _token(request, await curation.add_token(body.model_dump()))


@routes.put("/tokens/{token_id}", raises=(TokenNotFound, DependencyDown))
async def replace_token(request: web.Request, *, path: TokenPath, body: TokenDraft, admin: User) -> Token:
    """Replace all of a clip but its view count and its sentences; what is left out is emptied."""
    body.check()
    await curation.replace_token(path.token_id, body.model_dump())
    return await _token(request, path.token_id)


@routes.delete("/tokens/{token_id}", raises=(TokenNotFound, DependencyDown))
async def delete_token(request: web.Request, *, path: TokenPath, admin: User) -> Removed:
    """Remove a clip for good, with its sentences and everybody's bookmarks and results.

    Jobs under way for it end by themselves, and recordings of it leave S3 within two days.
    """
    await curation.remove_token(path.token_id)
    request.app[CATALOGUE].forget()
    return Removed(detail="토큰이 삭제되었습니다")


@routes.post("/scripts", idempotent=True, raises=(TokenNotFound, DependencyDown))
async def create_script(request: web.Request, *, body: ScriptDraft, admin: User) -> Script:
    """Add a sentence to a clip, with its words if they are named."""
    body.check()
    values = body.model_dump()
    return await _script(request, await curation.add_script(values, values["words"] or []))


@routes.put("/scripts/{script_id}", raises=(ScriptNotFound, TokenNotFound, DependencyDown))
async def replace_script(request: web.Request, *, path: ScriptPath, body: ScriptDraft, admin: User) -> Script:
    """Replace a sentence; its words stay as they are unless `words` is there."""
    body.check()
    values = body.model_dump()
    try:
        await curation.replace_script(path.script_id, values, values["words"])
    except curation.WordsOutside:
        raise ValidationFailed(errors=[_OUTSIDE]) from None
    return await _script(request, path.script_id)


@routes.delete("/scripts/{script_id}", raises=(ScriptNotFound, DependencyDown))
async def delete_script(request: web.Request, *, path: ScriptPath, admin: User) -> Removed:
    """Remove a sentence for good, with its words and everybody's results."""
    await curation.remove_script(path.script_id)
    request.app[CATALOGUE].forget()
    return Removed(detail="스크립트가 삭제되었습니다")


@routes.post("/scripts/cleanup/anonymous-results", raises=(DependencyDown,))
async def remove_anonymous_results(request: web.Request, *, admin: User) -> Done:
    """Remove now what the engine removes each minute: results of nobody's, older than ANONYMOUS_RESULT_HOURS.

    Jobs under way are left alone.
    """
    removed = await retain_anonymous(request.app[DEPS], request.app[OPS])
    return Done(message=f"익명 분석 결과 {removed}개를 삭제했습니다")


@routes.post("/actors", idempotent=True, raises=(ActorExists, DependencyDown))
async def create_actor(request: web.Request, *, body: ActorDraft, admin: User) -> Actor:
    """Add an actor."""
    made = Actor(id=await curation.add_actor(body.name), name=body.name)
    request.app[CATALOGUE].forget()
    return made


async def _token(request: web.Request, token_id: int) -> Token:
    """The clip as it is now, for everybody who asks this process from here on."""
    request.app[CATALOGUE].forget()
    row = await token_lists.token_row(token_id)
    if row is None:  # somebody else removed it meanwhile
        raise TokenNotFound
    return Token.model_validate(row)


async def _script(request: web.Request, script_id: int) -> Script:
    request.app[CATALOGUE].forget()
    row = await script_lists.script_row(script_id)
    if row is None:
        raise ScriptNotFound
    return Script.model_validate(row)
