"""Jobs as clients follow them: the present state, or a stream of every state until the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from models.user import User
from web.contract import Contract, Reply
from web.hub import Frame, Watcher
from web.job_access import RAISES, TicketQuery, kept_apart, readable, ticket_for
from web.replies import Streamed
from web.streams import Stream
from web.wiring import HUB, KEEP_ALIVE, SETTINGS, STREAM_CAP
from yousync.errors import DependencyDown, JobNotFound
from yousync.identity import TICKET_SECONDS
from yousync.job import RECORDINGS, Kind, Status, is_job_id

routes = Contract(tag="Recordings")

_RETRY_MS = 1500
_COME_BACK = f"retry: {_RETRY_MS}\r\n\r\n".encode()
UNCHECKED_SECONDS = 600.0
"""How long a stream goes on under STRICT_JOB_ACCESS before whoever follows it has to say again who they are."""
_LAST_EVENT_ID = re.compile(r"(\d{1,9})-(\d{1,9})")


class JobPath(BaseModel):
    """A job, by the id its upload was answered with."""

    job_id: Annotated[str, Field(max_length=64)]


class JobHeaders(BaseModel):
    """Where a reconnecting stream left off."""

    last_event_id: Annotated[str, Field(max_length=64)] | None = None


class JobState(BaseModel):
    """A job as it stands."""

    job_id: str
    token_id: int | None
    status: Status
    progress: int
    result: Any
    message: str | None
    created_at: datetime


class JobEvent(BaseModel):
    """One message of a job's stream: its whole state."""

    job_id: str
    status: Status
    progress: int
    message: str | None
    result: Any


class JobTicket(BaseModel):
    """What to add as `?ticket=` to a URL that tells of this job."""

    ticket: str
    expires_in: Annotated[int, Field(description="Seconds")]


async def _result(request: web.Request, path: JobPath, query: TicketQuery) -> Reply[JobState]:
    view = await readable(request, path.job_id, query.ticket)
    state = JobState(
        job_id=view.job_id,
        token_id=view.token_id,
        status=view.status,
        progress=view.progress,
        result=view.result,
        message=view.message,
        created_at=view.created_at,
    )
    return Reply(state, headers=kept_apart(request))


@routes.get("/tokens/analysis-result/{job_id}", raises=(*RAISES, DependencyDown))
async def token_analysis_result(request: web.Request, *, path: JobPath, query: TicketQuery) -> Reply[JobState]:
    """Read a job's state and, once completed, its result."""
    return await _result(request, path, query)


@routes.get("/scripts/analysis-result/{job_id}", raises=(*RAISES, DependencyDown))
async def script_analysis_result(request: web.Request, *, path: JobPath, query: TicketQuery) -> Reply[JobState]:
    """Read a job's state and, once completed, its result."""
    return await _result(request, path, query)


@routes.get("/tokens/analysis-progress/{job_id}", events=JobEvent, raises=(*RAISES, DependencyDown))
async def token_analysis_progress(
    request: web.Request, *, path: JobPath, query: TicketQuery, header: JobHeaders
) -> Streamed:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return await streamed(request, path, query, header)


@routes.get("/scripts/analysis-progress/{job_id}", events=JobEvent, raises=(*RAISES, DependencyDown))
async def script_analysis_progress(
    request: web.Request, *, path: JobPath, query: TicketQuery, header: JobHeaders
) -> Streamed:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return await streamed(request, path, query, header)


@routes.post("/jobs/{job_id}/ticket", raises=(JobNotFound, DependencyDown))
async def job_ticket(request: web.Request, *, path: JobPath, user: User) -> Reply[JobTicket]:
    """Get a ticket to follow one's own job where no header can be sent: good for a minute, this job and its reading.

    A stream that was opened with it goes on after that; to open it again takes another one.
    """
    ticket = await ticket_for(request, path.job_id, user)
    return Reply(JobTicket(ticket=ticket, expires_in=TICKET_SECONDS), headers={"Cache-Control": "no-store"})


async def streamed(
    request: web.Request,
    path: JobPath,
    query: TicketQuery,
    header: JobHeaders,
    kinds: Collection[Kind] = RECORDINGS,
) -> Streamed:
    """The stream of a job of these kinds, for those who may read it. Raises RAISES."""
    strict = request.app[SETTINGS].strict_job_access
    if strict:
        await readable(request, path.job_id, query.ticket, kinds)
    if not is_job_id(path.job_id):
        raise JobNotFound
    seen = _version(header.last_event_id)
    return Streamed(partial(_stream, path.job_id, seen, kinds, UNCHECKED_SECONDS if strict else None))


async def _stream(
    job_id: str, seen: tuple[int, int], kinds: Collection[Kind], seconds: float | None, request: web.Request
) -> web.StreamResponse:
    """Send frames until the last one, the client's end, or ours.

    A client that has seen the present state already (Last-Event-ID) is sent the next one; the last state is
    always sent. An unknown job is a 404, at which EventSource stops trying; a process that stops says nothing and
    ends, at which it comes back to another; after `seconds` it is to come back, and say again who it is. Raises
    TooManyStreams.
    """
    hub, keep_alive, cap = request.app[HUB], request.app[KEEP_ALIVE], request.app[STREAM_CAP]
    with cap.place(request), hub.watch(job_id) as watcher:
        first = await watcher.next()
        if first.kind not in kinds if first else not hub.closed:
            raise JobNotFound
        stream = Stream(request, watcher.close)
        await stream.prepare(request)
        if first is None:
            await stream.write(_COME_BACK)
            return stream
        keep_alive.add(stream)
        try:
            async with asyncio.timeout(seconds):
                await _follow(stream, watcher, first, seen)
        except (ConnectionResetError, TimeoutError, DependencyDown):
            pass  # a client that is gone, or reads nothing, comes back with its Last-Event-ID
        finally:
            keep_alive.discard(stream)
    return stream


async def _follow(stream: Stream, watcher: Watcher, first: Frame, seen: tuple[int, int]) -> None:
    frame: Frame | None = first
    while frame is not None:
        if frame.version > seen or frame.final:
            seen = frame.version
            await stream.tell(frame.data, id=frame.id, retry=_RETRY_MS)
        if frame.final:
            return
        frame = await watcher.next()


def _version(last_event_id: str | None) -> tuple[int, int]:
    match = _LAST_EVENT_ID.fullmatch(last_event_id or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)
