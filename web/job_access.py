"""Who may read a job: whoever knows its id, or, under STRICT_JOB_ACCESS, those it belongs to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from models.user import User
from web.auth import CALLER, authenticate, user_of
from web.wiring import ENGINE, SETTINGS
from yousync.errors import JobNotFound, TokenExpired, TokenInvalid, TokenMissing
from yousync.identity import mint_ticket, verify_ticket
from yousync.job import RECORDINGS, Kind, View, is_job_id

RAISES: Final = (JobNotFound, TokenMissing, TokenInvalid, TokenExpired)
"""What a route that tells of a job may raise; all but the first under STRICT_JOB_ACCESS alone."""
_PERSONAL: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class TicketQuery(BaseModel):
    """How a client that can send no header says who it is: EventSource."""

    ticket: Annotated[
        str | None,
        Field(max_length=2048, description="From POST /jobs/{job_id}/ticket; asked for where access to jobs is strict"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who asks for jobs, and which of them they may read."""

    user_id: int | None = None
    all_jobs: bool = False
    only: str | None = None  # the job that a ticket is for
    known: bool = True

    def may_read(self, view: View) -> bool:
        """Whether this job is told to them. One that nobody was signed in for is told to whoever knows its id."""
        if view.user_id is None:
            return True
        return self.only in (None, view.job_id) and (self.all_jobs or view.user_id == self.user_id)

    @property
    def refusal(self) -> type[JobNotFound | TokenMissing]:
        """What somebody is told of a job that is not theirs: the same as of one that does not exist."""
        return JobNotFound if self.known else TokenMissing


async def reader_of(request: web.Request, ticket: str | None = None) -> Reader:
    """Who asks for jobs: by bearer, else by ticket, else nobody; anybody at all unless access is strict.

    Raises TokenInvalid, TokenExpired for a bearer or ticket that does not hold.
    """
    settings = request.app[SETTINGS]
    if not settings.strict_job_access:
        return Reader(all_jobs=True)
    user = await authenticate(request)
    if user is not None:
        return _reader(user)
    if ticket is None:
        return Reader(known=False)
    caller = verify_ticket(settings, ticket)
    return _reader(await user_of(caller), only=caller.job_id)


async def readable(
    request: web.Request, job_id: str, ticket: str | None = None, kinds: Collection[Kind] = RECORDINGS
) -> View:
    """What clients see of a job of these kinds, for those who may. Raises RAISES, and DependencyDown."""
    reader = await reader_of(request, ticket)
    view = await _readable(request, job_id, reader)
    if view.kind not in kinds:
        raise reader.refusal
    return view


def kept_apart(request: web.Request) -> dict[str, str]:
    """What an answer that tells of jobs says to caches: where access is strict it is its reader's alone."""
    return _PERSONAL if request.app[SETTINGS].strict_job_access else {}


async def ticket_for(request: web.Request, job_id: str, user: User) -> str:
    """A ticket with which the caller, `user`, may follow this job for a minute. Raises JobNotFound, DependencyDown."""
    await _readable(request, job_id, _reader(user))
    return mint_ticket(request.app[SETTINGS], caller=request[CALLER], job_id=job_id)


def _reader(user: User, *, only: str | None = None) -> Reader:
    return Reader(user_id=user.id, all_jobs=user.is_admin, only=only)


async def _readable(request: web.Request, job_id: str, reader: Reader) -> View:
    view = await request.app[ENGINE].view(job_id) if is_job_id(job_id) else None
    if view is None or not reader.may_read(view):
        raise reader.refusal
    return view
