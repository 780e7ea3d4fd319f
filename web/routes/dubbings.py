"""Dubbings: a clip with the learner's own voice in it, made on demand and kept."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from jobs.dubbing import wish_of
from models.analysis_result import find_result
from models.dubbing_result import dubbing_of, latest_dubbing
from models.user import User
from web.contract import Contract, DbId, Reply
from web.dubbing import dubbed, order_dubbing
from web.job_access import RAISES, TicketQuery
from web.replies import Streamed
from web.requests import REQUEST_ID
from web.routes.jobs import JobEvent, JobHeaders, JobPath, streamed
from web.wiring import DEPS, ENGINE, HUB, SETTINGS
from yousync.errors import (
    BackgroundMissing,
    DependencyDown,
    DubbingFailed,
    DubbingNotFound,
    DubbingPending,
    JobNotFound,
    NothingRecorded,
    NotMixable,
    TokenNotFound,
    TooManyJobs,
)
from yousync.job import Kind, Status, is_job_id

routes = Contract(tag="Dubbings")

LINK_SECONDS: Final = 3600
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?:$|[,;])", re.IGNORECASE)
_KINDS: Final = frozenset({Kind.SYNTHESIS})


class DubbingPath(BaseModel):
    """A clip."""

    token_id: DbId


class PreferHeaders(BaseModel):
    """How the client would rather be answered (RFC 7240): `respond-async` is understood."""

    prefer: Annotated[str, Field(max_length=200)] | None = None


class Dubbing(BaseModel):
    """A finished dubbing; the link opens it for an hour."""

    status: Literal["success"] = "success"
    message: str = "더빙 합성이 완료되었습니다"
    dubbing_audio_url: str


class DubbingLink(BaseModel):
    """The newest dubbing; the link opens it for an hour."""

    url: str


class DubbingAccepted(BaseModel):
    """A dubbing that is being made: follow it by its job id."""

    status: Literal["processing"] = "processing"
    message: str = "더빙을 합성하고 있습니다"
    job_id: str


class DubbingJob(BaseModel):
    """A dubbing that is being made, or has been: then there is a link that opens it for an hour."""

    job_id: str
    token_id: int | None
    status: Status
    progress: int
    message: str | None
    created_at: datetime
    dubbing_audio_url: str | None


@routes.post(
    "/synthesize/{token_id}",
    limit="upload",
    also={202: DubbingAccepted},
    raises=(
        *(TokenNotFound, NothingRecorded, BackgroundMissing, NotMixable, TooManyJobs),
        *(DubbingFailed, DubbingPending, DependencyDown),
    ),
)
async def synthesize(
    request: web.Request, *, path: DubbingPath, header: PreferHeaders, user: User
) -> Reply[Dubbing] | Reply[DubbingAccepted]:
    """Make a dubbing of a clip from the caller's recordings of its sentences.

    The newest recording of each sentence is laid over the background, the original voice fills what is left. What was
    made of the same recordings before is answered at once. Otherwise the answer waits until it is made; a 503 says
    that it takes longer: the same request then finds it under way, or ready. With `Prefer: respond-async` nobody
    waits: a 202 names the job, which can be read and followed.
    """
    app = request.app
    wish = await wish_of(app[DEPS], user.id, path.token_id)
    key = await dubbing_of(user.id, path.token_id, wish.model_dump(mode="json"))
    if key is None:
        job = await order_dubbing(
            app[ENGINE], wish, user_id=user.id, token_id=path.token_id, request_id=request[REQUEST_ID]
        )
        if _ASYNC.search(header.prefer or ""):
            told = {"Location": f"/synthesize/jobs/{job.id}", "Preference-Applied": "respond-async"}
            return Reply(DubbingAccepted(job_id=job.id), status=202, headers=told)
        key = await dubbed(app[HUB], job.id, seconds=app[SETTINGS].synthesis_wait_seconds)
    return Reply(Dubbing(dubbing_audio_url=await _link(request, key)))


@routes.get("/synthesize/jobs/{job_id}", raises=(JobNotFound, DependencyDown))
async def dubbing_job(request: web.Request, *, path: JobPath, user: User) -> DubbingJob:
    """Read how far a dubbing of the caller's is and, once it is made, where it lies."""
    row = await find_result(path.job_id) if is_job_id(path.job_id) else None
    if row is None or row.kind != Kind.SYNTHESIS or row.user_id != user.id:
        raise JobNotFound
    view = await request.app[ENGINE].view(path.job_id)
    if view is None:
        raise JobNotFound
    made = view.status is Status.COMPLETED
    return DubbingJob(
        job_id=view.job_id,
        token_id=view.token_id,
        status=view.status,
        progress=view.progress,
        message=view.message,
        created_at=view.created_at,
        dubbing_audio_url=await _link(request, row.s3_key) if made else None,
    )


@routes.get("/synthesize/jobs/{job_id}/progress", events=JobEvent, raises=(*RAISES, DependencyDown))
async def dubbing_progress(request: web.Request, *, path: JobPath, query: TicketQuery, header: JobHeaders) -> Streamed:
    """Follow a dubbing: its whole state at once and at every change, until it is made or has failed."""
    return await streamed(request, path, query, header, _KINDS)


@routes.get("/tokens/{token_id}/latest-dubbing", raises=(DubbingNotFound,))
async def latest_dubbing_of_token(request: web.Request, *, path: DubbingPath, user: User) -> DubbingLink:
    """Get a link to the caller's newest dubbing of a clip."""
    key = await latest_dubbing(user.id, path.token_id)
    if key is None:
        raise DubbingNotFound
    return DubbingLink(url=await _link(request, key))


async def _link(request: web.Request, key: str) -> str:
    return await request.app[DEPS].storage.presigned(key, LINK_SECONDS)
