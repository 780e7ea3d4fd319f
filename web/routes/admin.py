"""Jobs, as operators see and move them: `yousync jobs` over HTTP. Each change needs a reason."""

# ruff: noqa: ARG001  # asking for an admin is what protects a route

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from jobs.bulk import Action, Operation, Refusal, do, do_to_all
from jobs.detail import Detail, describe
from jobs.filter import AGE, REASON_CHARACTERS, Filter, age
from jobs.ops import By
from jobs.search import Page, count, search
from models.user import User
from web.contract import Contract, DbId
from web.routes.jobs import JobPath
from web.wiring import DEPS, OPS
from yousync.errors import DependencyDown, JobNotFound, OperationRefused, ValidationFailed
from yousync.job import Stage, State

routes = Contract(tag="Operators")

MAX_PAGE = 1000
MAX_BULK = 1000

Age = Annotated[str, Field(pattern=f"^{AGE}$", examples=["90s", "10m", "7d"])]
_RAISES = (JobNotFound, OperationRefused, DependencyDown)


class Criteria(BaseModel):
    """Which jobs: all that meet every criterion that is given. Ages count from the upload."""

    model_config = ConfigDict(extra="forbid")  # a misspelt criterion must not widen what is done to jobs

    state: list[State] = []
    stage: Annotated[Stage | None, Field(description="The one they are in, or had got to when they ended")] = None
    user: Annotated[str, Field(max_length=320, description="Id or e-mail")] = ""
    token_id: DbId | None = None
    older_than: Age | None = None
    younger_than: Age | None = None
    code: Annotated[str, Field(max_length=64, description="Error code of the last failure")] = ""

    def filter(self) -> Filter:
        """The same for the engine."""
        return Filter(
            states=frozenset(self.state or State),
            stage=self.stage,
            user=self.user,
            token_id=self.token_id,
            older_than=age(self.older_than) if self.older_than else None,
            younger_than=age(self.younger_than) if self.younger_than else None,
            code=self.code,
        )


class ListQuery(Criteria):
    """Which jobs, and which page of them."""

    limit: Annotated[int, Field(ge=1), AfterValidator(lambda limit: min(limit, MAX_PAGE))] = 50
    cursor: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="`next_cursor` of the page before")] = None


class Reason(BaseModel):
    """Why; kept with who in each job's event log."""

    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS)]


class Retry(Reason):
    """Where to begin; by default where the job had got to."""

    stage: Stage | None = None


class Bulk(Retry):
    """What to do to which jobs; without `dry_run: false` they are only counted."""

    action: Action
    filter: Criteria
    dry_run: bool = True


class Moved(BaseModel):
    """Where the job stands now."""

    job_id: str
    state: State
    run: int


class BulkReport(BaseModel):
    """What was done to which jobs: at most 1000 at a time, the newest; `matched` counts those it was meant for."""

    action: Action
    dry_run: bool
    matched: int
    done: list[str] = []
    refused: list[Refusal] = []


@routes.get("/admin/jobs", raises=(DependencyDown,))
async def admin_list_jobs(request: web.Request, *, query: ListQuery, admin: User) -> Page:
    """List jobs, newest first."""
    return await search(request.app[DEPS], query.filter(), cursor=query.cursor, limit=query.limit)


@routes.get("/admin/jobs/{job_id}", raises=(JobNotFound, DependencyDown))
async def admin_show_job(request: web.Request, *, path: JobPath, admin: User) -> Detail:
    """Show a job: where it stands, every event that got it there, and a link to its audio.

    Of a deleted one: by whom and why, for a week.
    """
    return await describe(request.app[DEPS], path.job_id)


@routes.post("/admin/jobs/{job_id}/retry", raises=_RAISES)
async def admin_retry_job(request: web.Request, *, path: JobPath, body: Retry, admin: User) -> Moved | None:
    """Let a job that ended go on, as a new run; a completed one only from a stage that is named."""
    return await _do(request, path, Operation(action=Action.RETRY, by=by(admin, body), stage=body.stage))


@routes.post("/admin/jobs/{job_id}/cancel", raises=_RAISES)
async def admin_cancel_job(request: web.Request, *, path: JobPath, body: Reason, admin: User) -> Moved | None:
    """End a job that is unfinished or parked."""
    return await _do(request, path, Operation(action=Action.CANCEL, by=by(admin, body)))


@routes.post("/admin/jobs/{job_id}/accept-late-result", raises=_RAISES)
async def admin_accept_late_result(request: web.Request, *, path: JobPath, body: Reason, admin: User) -> Moved | None:
    """Take the result that came after a job's end for the job's own."""
    return await _do(request, path, Operation(action=Action.ACCEPT_LATE, by=by(admin, body)))


@routes.post("/admin/jobs/{job_id}/delete", status=202, raises=(JobNotFound, DependencyDown))
async def admin_delete_job(request: web.Request, *, path: JobPath, body: Reason, admin: User) -> None:
    """Delete a job for good, with its result; its recording goes from S3 soon after."""
    await _do(request, path, Operation(action=Action.DELETE, by=by(admin, body)))


@routes.post("/admin/jobs/bulk", raises=(DependencyDown,))
async def admin_bulk(request: web.Request, *, body: Bulk, admin: User) -> BulkReport:
    """Do one thing to all jobs that a filter finds, or count them first.

    Of more than 1000 the newest are taken; the same request again takes the next.
    """
    deps, wanted = request.app[DEPS], body.filter.filter()
    if wanted == Filter():
        fault = {"pointer": "/body/filter", "detail": "At least one criterion is needed", "code": "missing"}
        raise ValidationFailed(errors=[fault])
    operation = Operation(action=body.action, by=by(admin, body), stage=body.stage)
    report = BulkReport(
        action=body.action, dry_run=body.dry_run, matched=await count(deps, operation.applicable(wanted))
    )
    if not body.dry_run:
        async for done in do_to_all(deps, request.app[OPS], operation, wanted, limit=MAX_BULK):
            report.done += done.done
            report.refused += done.refused
    return report


def by(admin: User, body: Reason) -> By:
    """Who says so, by a name that is no personal data."""
    return By(who=f"user:{admin.id}", why=body.reason)


async def _do(request: web.Request, path: JobPath, operation: Operation) -> Moved | None:
    job = await do(request.app[OPS], operation, path.job_id)
    return None if job is None else Moved(job_id=job.id, state=job.state, run=job.run)
