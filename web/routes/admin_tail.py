"""Jobs as operators follow them: `yousync jobs tail` over HTTP, as server-sent events."""

# ruff: noqa: ARG001  # asking for an admin is what protects a route

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from jobs.deps import Deps
from jobs.tail import Line, tail, tail_all
from models.user import User
from web.contract import Contract
from web.replies import Streamed, encode
from web.routes.jobs import JobPath
from web.streams import Stream
from web.wiring import DEPS, HUB, KEEP_ALIVE
from yousync.errors import DependencyDown, JobNotFound
from yousync.job import Event
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

routes = Contract(tag="Operators")


class TailHeaders(BaseModel):
    """The `id` of the last event that a reconnecting client has."""

    last_event_id: Annotated[str, Field(max_length=64)] | None = None


class TailLine(BaseModel):
    """One event of one job."""

    job_id: str
    event: Event


@routes.get("/admin/jobs/{job_id}/events", events=TailLine, raises=(JobNotFound, DependencyDown))
async def admin_tail_job(request: web.Request, *, path: JobPath, header: TailHeaders, admin: User) -> Streamed:
    """Follow a job from its first event to its last. Whoever comes back goes on after the `id` they had last."""
    said = header.last_event_id or ""
    seen = int(said) if said.isascii() and said.isdigit() else 0
    return Streamed(partial(_tell, partial(tail, job_id=path.job_id), seen))


@routes.get("/admin/events", events=TailLine, raises=(DependencyDown,))
async def admin_tail_all(request: web.Request, *, admin: User) -> Streamed:
    """Follow all jobs: every event from now on."""
    return Streamed(partial(_tell, tail_all, None))


async def _tell(
    follow: Callable[[Deps], AsyncGenerator[Line, None]], seen: int | None, request: web.Request
) -> web.StreamResponse:
    """Send what is followed until that, the client, or this process ends; `seen` is None where jobs have no end."""
    hub, keep_alive, left = request.app[HUB], request.app[KEEP_ALIVE], asyncio.Event()
    stream = Stream(request, left.set)
    async with aclosing(follow(request.app[DEPS])) as lines:
        first = None if seen is None else await anext(lines, None)  # an unknown job is a 404, and no stream
        await stream.prepare(request)
        keep_alive.add(stream)
        sending = asyncio.create_task(_send(stream, first, lines, seen))
        others = [asyncio.create_task(end) for end in (left.wait(), hub.over())]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            keep_alive.discard(stream)
            await cancel(sending, *others)
        if not sending.cancelled():
            sending.result()
    return stream


async def _send(stream: Stream, first: Line | None, lines: AsyncGenerator[Line, None], seen: int | None) -> None:
    with suppress(DependencyDown, *VALKEY_DOWN):  # or the client is gone; whoever is still there comes back
        if first is not None:
            await _send_one(stream, first, seen)
        async for line in lines:
            await _send_one(stream, line, seen)


async def _send_one(stream: Stream, line: Line, seen: int | None) -> None:
    told = encode(line).decode()
    if seen is None:
        await stream.send(told)
    elif line.event.version > seen:
        await stream.send(told, id=str(line.event.version))
