"""Jobs as clients follow them: the present state, or a stream of every state until the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response
from pydantic import BaseModel, Field
from typing_extensions import override

from jobs.engine import Engine
from web.contract import Contract
from web.hub import Frame, Watcher
from web.wiring import ENGINE, HUB, SETTINGS
from yousync.errors import DependencyDown, JobNotFound
from yousync.job import Status, View, is_job_id

routes = Contract(tag="Recordings")

_RETRY_MS = 1500
_SEND_TIMEOUT_SECONDS = 25.0
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
    token_id: int
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
async def token_analysis_progress(request: web.Request, *, path: JobPath, header: JobHeaders) -> web.StreamResponse:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return await _stream(request, path.job_id, header.last_event_id)


@routes.get("/scripts/analysis-progress/{job_id}", events=JobEvent, raises=(JobNotFound, DependencyDown))
async def script_analysis_progress(request: web.Request, *, path: JobPath, header: JobHeaders) -> web.StreamResponse:
    """Follow a job: its whole state at once and at every change, until it has ended."""
    return await _stream(request, path.job_id, header.last_event_id)


async def _view(engine: Engine, job_id: str) -> View:
    view = await engine.view(job_id) if is_job_id(job_id) else None
    if view is None:
        raise JobNotFound
    return view


async def _stream(request: web.Request, job_id: str, last_event_id: str | None) -> web.StreamResponse:
    """Send frames until the last one, the client's end, or ours.

    A client that has seen the present state already (Last-Event-ID) is sent the next one; the last state is
    always sent. An unknown job is a 404, at which EventSource stops trying.
    """
    if not is_job_id(job_id):
        raise JobNotFound
    hub = request.app[HUB]
    async with hub.watch(job_id) as watcher:
        first = await watcher.next()
        if first is None:
            raise DependencyDown(retry_after=1) if hub.closed else JobNotFound
        async with sse_response(
            request,
            ping_interval=request.app[SETTINGS].sse_keepalive_seconds,
            send_timeout=_SEND_TIMEOUT_SECONDS,
            response_cls=_Stream,
        ) as stream:
            stream.gone = watcher.close
            # A client that is gone, or reads nothing, comes back with its Last-Event-ID.
            with suppress(ConnectionResetError, TimeoutError, DependencyDown):
                await _follow(stream, watcher, first, _version(last_event_id))
    return stream


class _Stream(EventSourceResponse):
    """Calls `gone` when it ends: it is the keep-alive that notices a vanished client."""

    gone: Callable[[], None] = staticmethod(lambda: None)

    @override
    async def _ping(self) -> None:
        try:
            await super()._ping()
        finally:
            self.gone()


async def _follow(stream: EventSourceResponse, watcher: Watcher, first: Frame, seen: tuple[int, int]) -> None:
    frame: Frame | None = first
    while frame is not None:
        if frame.version > seen or frame.final:
            seen = frame.version
            await _send(stream, frame)
        if frame.final:
            return
        frame = await watcher.next()


async def _send(stream: EventSourceResponse, frame: Frame) -> None:
    await stream.send(frame.data, id=frame.id, retry=_RETRY_MS)


def _version(last_event_id: str | None) -> tuple[int, int]:
    match = _LAST_EVENT_ID.fullmatch(last_event_id or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)
