"""Jobs as clients follow them: the present state, or a stream of every state until the end."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from jobs.engine import Engine
from web.contract import Contract
from web.hub import Frame, Watcher
from web.replies import Streamed
from web.streams import Stream
from web.wiring import ENGINE, HUB, KEEP_ALIVE
from yousync.errors import DependencyDown, JobNotFound
from yousync.job import Status, View, is_job_id

routes = Contract(tag="Recordings")

_RETRY_MS = 1500
_COME_BACK = f"retry: {_RETRY_MS}\r\n\r\n".encode()
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


async def _result(request: web.Request, path: JobPath) -> JobState:
    view = await _view(request.app[ENGINE], path.job_id)
    return JobState(
        job_id=view.job_id,
        token_id=view.token_id,
        status=view.status,
        progress=view.progress,
        result=view.result,
        message=view.message,
        created_at=view.created_at,
    )


@routes.get("/tokens/analysis-result/{job_id}", raises=(JobNotFound, DependencyDown))
async def token_analysis_result(request: web.Request, *, path: JobPath) -> JobState:
    """Read a job's state and, once completed, its result."""
    return await _result(request, path)


@routes.get("/scripts/analysis-result/{job_id}", raises=(JobNotFound, DependencyDown))
async def script_analysis_result(request: web.Request, *, path: JobPath) -> JobState:
    """Read a job's state and, once completed, its result."""
    return await _result(request, path)


@routes.get("/tokens/analysis-progress/{job_id}", events=JobEvent, raises=(JobNotFound, DependencyDown))
async def token_analysis_progress(_request: web.Request, *, path: JobPath, header: JobHeaders) -> Streamed:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return _streamed(path.job_id, header.last_event_id)


@routes.get("/scripts/analysis-progress/{job_id}", events=JobEvent, raises=(JobNotFound, DependencyDown))
async def script_analysis_progress(_request: web.Request, *, path: JobPath, header: JobHeaders) -> Streamed:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return _streamed(path.job_id, header.last_event_id)


async def _view(engine: Engine, job_id: str) -> View:
    view = await engine.view(job_id) if is_job_id(job_id) else None
    if view is None or not view.kind.recorded:
        raise JobNotFound
    return view


def _streamed(job_id: str, last_event_id: str | None) -> Streamed:
    if not is_job_id(job_id):
        raise JobNotFound
    return Streamed(partial(_stream, job_id, _version(last_event_id)))


async def _stream(job_id: str, seen: tuple[int, int], request: web.Request) -> web.StreamResponse:
    """Send frames until the last one, the client's end, or ours.

    A client that has seen the present state already (Last-Event-ID) is sent the next one; the last state is
    always sent. An unknown job is a 404, at which EventSource stops trying; a process that stops says nothing and
    ends, at which it comes back to another.
    """
    hub, keep_alive = request.app[HUB], request.app[KEEP_ALIVE]
    with hub.watch(job_id) as watcher:
        first = await watcher.next()
        if (first is None and not hub.closed) or (first is not None and not first.kind.recorded):
            raise JobNotFound
        stream = Stream(request, watcher.close)
        await stream.prepare(request)
        if first is None:
            await stream.write(_COME_BACK)
            return stream
        keep_alive.add(stream)
        try:
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
            await stream.send(frame.data, id=frame.id, retry=_RETRY_MS)
        if frame.final:
            return
        frame = await watcher.next()


def _version(last_event_id: str | None) -> tuple[int, int]:
    match = _LAST_EVENT_ID.fullmatch(last_event_id or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)
