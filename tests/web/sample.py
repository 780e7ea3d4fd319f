"""A small API made with the same machinery as the real one, for the tests of that machinery."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field, RootModel

from web.contract import AUTHENTICATE, Contract, DbId, Encoded, Reply, register
from web.docs import install_docs
from web.openapi import document
from web.problems import problems
from web.requests import install_requests, requests
from web.uploads import AudioFile, UploadBudget, receive
from yousync.errors import TokenExpired, TokenInvalid, TokenNotFound, TooManyJobs

MAX_BYTES = 100_000
BUDGET = web.AppKey("budget", UploadBudget)
MADE = web.AppKey("made", list[str])
RAISE = web.AppKey("raise", dict[str, BaseException])


@dataclass
class Person:
    name: str
    is_admin: bool = False
    id: int = 1
    seen: list[str] = field(default_factory=list)


class ClipPath(BaseModel):
    token_id: DbId


class FailurePath(BaseModel):
    name: str


class Page(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many")] = 20
    tag: list[str] = []


class Retry(BaseModel):
    idempotency_key: str | None = None


class Preference(BaseModel):
    prefer: str | None = None


class Number(RootModel[int]):
    """A whole number."""


class Clip(BaseModel):
    """One clip."""

    id: int
    name: str
    tags: list[str] = []


class ClipIn(BaseModel):
    name: str
    start_time: float


class AudioForm(BaseModel):
    note: str = ""
    file: AudioFile


class Accepted(BaseModel):
    job_id: str
    size: int
    note: str


class Progress(BaseModel):
    job_id: str
    progress: int


routes = Contract(tag="Clips")


@routes.get("/clips/{token_id}", raises=(TokenNotFound,))
async def get_clip(_request: web.Request, *, path: ClipPath, query: Page, user: Person | None) -> Clip:
    """Read one clip.

    Signed in or not.
    """
    if path.token_id == 404:
        raise TokenNotFound
    return Clip(id=path.token_id, name=user.name if user else "nobody", tags=[*query.tag, str(query.limit)])


@routes.get("/clips/latest", aliases=("/clips/newest",))
async def latest(_request: web.Request) -> list[Clip]:
    """List the newest clips."""
    return [Clip(id=1, name="first")]


FROZEN: Encoded[Clip] = Encoded(b'{"id":9,"name":"frozen","tags":[]}', '"as-it-was-hashed"')


@routes.get("/clips/frozen")
async def frozen(_request: web.Request) -> Encoded[Clip]:
    """Read a clip that was encoded before."""
    return FROZEN


@routes.get("/films/{token_id}", deprecated_for="/clips/{token_id}")
async def film(_request: web.Request, *, path: ClipPath) -> Clip:
    """Read a clip as older clients do."""
    return Clip(id=path.token_id, name="film")


@routes.post("/clips", status=201, raises=(TooManyJobs,))
async def create_clip(_request: web.Request, *, header: Retry, body: ClipIn, user: Person) -> Reply[Clip]:
    """Create a clip."""
    made = Clip(id=7, name=body.name, tags=[user.name, header.idempotency_key or ""])
    return Reply(made, headers={"Location": "/clips/7"})


@routes.post("/numbers")
async def echo(_request: web.Request, *, body: Number) -> int:
    """Say the number again."""
    return body.root


@routes.post("/drafts", status=201, idempotent=True, raises=(TooManyJobs,))
async def create_draft(request: web.Request, *, body: ClipIn, query: Page, user: Person | None) -> Reply[Clip]:
    """Create a draft, or refuse to once."""
    made = request.app[MADE]
    made.append(body.name)
    await asyncio.sleep(body.start_time)
    if body.name == "refused once" and made.count(body.name) == 1:
        raise TooManyJobs
    clip = Clip(id=len(made), name=body.name, tags=[user.name if user else "nobody", *query.tag])
    return Reply(clip, headers={"Location": f"/drafts/{len(made)}"})


@routes.post("/drafts/{token_id}/copy", idempotent=True)
async def copy_draft(request: web.Request, *, path: ClipPath, header: Preference) -> Clip:
    """Copy a draft."""
    request.app[MADE].append(str(path.token_id))
    return Clip(id=path.token_id, name=header.prefer or "as you like")


@routes.delete("/clips/{token_id}", status=204)
async def delete_clip(_request: web.Request, *, path: ClipPath) -> None:
    """Delete a clip."""
    assert path.token_id


@routes.delete("/clips")
async def delete_clips(_request: web.Request, *, admin: Person) -> list[Clip]:
    """Delete all clips."""
    return [Clip(id=0, name=admin.name)]


@routes.post("/clips/{token_id}/audio", status=202, raises=(TokenNotFound,))
async def upload(request: web.Request, *, path: ClipPath, form: AudioForm) -> Reply[Accepted] | Accepted:
    """Upload a recording."""
    if path.token_id == 404:
        raise TokenNotFound
    data = await receive(
        form.file, max_bytes=MAX_BYTES, budget=request.app[BUDGET], min_bytes_per_s=1000, idle_timeout_s=0.5
    )
    return Accepted(job_id="job", size=len(data), note=form.note)


@routes.get("/clips/{token_id}/events", events=Progress)
async def events(request: web.Request, *, path: ClipPath) -> web.StreamResponse:
    """Follow a job."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b'data: {"job_id": "job", "progress": 10}\n\n')
    if path.token_id == 500:
        raise RuntimeError("in the middle")
    return response


@routes.get("/failures/{name}", name="fail")
async def fail(request: web.Request, *, path: FailurePath) -> None:
    """Raise what the test put there."""
    raise request.app[RAISE][path.name]


async def authenticate(request: web.Request) -> Person | None:
    match request.headers.get("Authorization", "").removeprefix("Bearer "):
        case "":
            return None
        case "expired":
            raise TokenExpired
        case "mina":
            return Person("mina")
        case "jun":
            return Person("jun", id=2)
        case "boss":
            return Person("boss", is_admin=True)
        case _:
            raise TokenInvalid


def make_app(*, budget: int = 1_000_000) -> web.Application:
    app = web.Application(middlewares=[requests, problems])
    app[AUTHENTICATE] = authenticate
    app[BUDGET] = UploadBudget(budget)
    app[RAISE] = {}
    app[MADE] = []
    install_requests(app)
    register(app, [routes])
    install_docs(app, document([routes], title="Sample", version="1.0.0", description="A sample."))
    return app
