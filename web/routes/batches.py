"""Batches: recordings of several clips that come together, all of them accepted or none, and how they stand."""

from __future__ import annotations

from typing import Annotated, Literal

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from jobs.engine import Recording
from models.token import existing_tokens
from models.user import User
from web.addresses import client_address
from web.contract import Contract, Reply
from web.job_access import TicketQuery, kept_apart, reader_of
from web.requests import REQUEST_ID
from web.uploads import AudioFiles, receive_all
from web.wiring import BUDGET, DEPS, ENGINE, PROBER, SETTINGS
from yousync.audio import Probe
from yousync.errors import (
    AudioTooLong,
    BatchMismatch,
    DependencyDown,
    EmptyAudio,
    JobIdsMissing,
    NotAudio,
    StagingFull,
    TokenExpired,
    TokenInvalid,
    TokenNotFound,
    TooManyJobs,
    ValidationFailed,
)
from yousync.failpoints import failpoints
from yousync.failures import StageFailure
from yousync.job import Job, Kind, Status, View, is_job_id

log = structlog.get_logger(__name__)

routes = Contract(tag="Recordings")

MAX_ASKED = 100
"""Jobs that may be asked about at once."""
_MESSAGE = "업로드가 완료되었습니다. 분석을 시작합니다"
_MAX_ID = 2**31 - 1


class BatchForm(BaseModel):
    """Recordings of whole clips, and which clip each of them is of."""

    files: AudioFiles
    token_ids: Annotated[str, Field(description="Ids with commas, one for each file, in the same order")] = ""


class BatchAccepted(BaseModel):
    """Accepted recordings: follow each by its job id. The ids stand in the order of the files."""

    message: str
    job_ids: list[str]
    total_files: int


class BatchQuery(TicketQuery):
    """Which jobs."""

    job_ids: Annotated[str, Field(max_length=40 * MAX_ASKED, description="Job ids with commas")] = ""


class BatchEntry(BaseModel):
    """A job as it stands."""

    job_id: str
    status: Status
    progress: int
    message: str | None
    token_id: int | None


class BatchMissing(BaseModel):
    """A job that nobody knows of, or not for whoever asks."""

    job_id: str
    status: Literal["not_found"] = "not_found"
    progress: Literal[0] = 0
    message: str = "작업을 찾을 수 없습니다"


class BatchSummary(BaseModel):
    """All of them, counted; who is not found counts as failed."""

    total_jobs: int
    completed: int
    failed: int
    in_progress: int
    overall_progress: Annotated[float, Field(description="The mean of all, 0 to 100")]


class BatchProgress(BaseModel):
    """How a batch stands."""

    batch_results: list[BatchEntry | BatchMissing]
    summary: BatchSummary


@routes.post(
    "/tokens/batch-upload",
    status=202,
    limit="upload",
    raises=(
        *(BatchMismatch, TokenNotFound, EmptyAudio, NotAudio, AudioTooLong),
        *(TooManyJobs, StagingFull, DependencyDown),
    ),
)
async def batch_upload(request: web.Request, *, form: BatchForm, user: User) -> Reply[BatchAccepted]:
    """Upload recordings of several clips at once. If any of them cannot be taken none is.

    The same bytes for the same clip sent again within ten minutes are the same job.
    """
    jobs = await _accept(request, form, user)
    ids = [job.id for job in jobs]
    where = {"Location": f"/tokens/batch-progress?job_ids={','.join(ids)}"}
    return Reply(BatchAccepted(message=_MESSAGE, job_ids=ids, total_files=len(ids)), headers=where)


@failpoints("batch.accept")
async def _accept(request: web.Request, form: BatchForm, user: User) -> list[Job]:
    settings = request.app[SETTINGS]
    files, texts = await receive_all(
        form.files,
        max_files=settings.max_batch_files,
        max_bytes=settings.max_upload_bytes,
        budget=request.app[BUDGET],
    )
    token_ids = _ids(texts.get("token_ids", form.token_ids))
    if len(token_ids) != len(files):
        raise BatchMismatch
    if missing := set(token_ids) - set(await existing_tokens(token_ids)):
        raise TokenNotFound(f"토큰을 찾을 수 없습니다: {', '.join(map(str, sorted(missing)))}")
    probes = [await _probe(request, number, audio) for number, audio in enumerate(files, start=1)]
    jobs = await request.app[ENGINE].accept_all(
        [
            Recording(
                kind=Kind.BATCH,
                audio=audio,
                container=probe.container,
                duration_s=probe.duration_s,
                token_id=token_id,
                script_id=None,
                user_id=user.id,
                address=client_address(request, settings.trusted_proxies),
                request_id=request[REQUEST_ID],
            )
            for audio, probe, token_id in zip(files, probes, token_ids, strict=True)
        ]
    )
    structlog.contextvars.bind_contextvars(job_ids=[job.id for job in jobs])
    return jobs


async def _probe(request: web.Request, number: int, audio: bytes) -> Probe:
    try:
        return await request.app[PROBER].probe(audio)
    except (EmptyAudio, NotAudio, AudioTooLong) as error:
        raise type(error)(f"{number}번째 파일: {error.detail}") from error


def _ids(text: str) -> list[int]:
    """The ids in a comma list. Raises ValidationFailed for what cannot be one."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 and 0 < int(part) <= _MAX_ID for part in parts):
        fault = {"pointer": "/form/token_ids", "detail": "쉼표로 나눈 토큰 번호여야 합니다", "code": "token_ids"}
        raise ValidationFailed(errors=[fault])
    return [int(part) for part in parts]


@routes.get("/tokens/batch-progress", raises=(JobIdsMissing, TokenInvalid, TokenExpired, DependencyDown))
async def batch_progress(request: web.Request, *, query: BatchQuery) -> Reply[BatchProgress]:
    """Read how several recordings stand: each of them, and all together."""
    wanted = [part.strip() for part in query.job_ids.split(",") if part.strip()]
    if not wanted:
        raise JobIdsMissing
    if len(wanted) > MAX_ASKED:
        detail = f"한 번에 {MAX_ASKED}개까지 조회할 수 있습니다"
        raise ValidationFailed(errors=[{"pointer": "/query/job_ids", "detail": detail, "code": "too_many"}])
    reader = await reader_of(request, query.ticket)
    asked = {job_id for job_id in wanted if is_job_id(job_id)}
    views = await request.app[ENGINE].live_views(sorted(asked), unseen=asked, results=False)
    if views.unsure:
        raise DependencyDown(retry_after=5)
    told = {job_id: view for job_id, view in views.known.items() if view.kind.recorded and reader.may_read(view)}
    progress = _progress([_entry(job_id, told.get(job_id)) for job_id in wanted])
    return Reply(progress, headers=kept_apart(request))


class QueueInfo(BaseModel):
    """What SQS says of the queue, in strings as it says it."""

    messages_available: str
    messages_in_flight: str
    queue_url: str


class QueueStatus(BaseModel):
    """The queue of analysis requests."""

    status: Literal["success"] = "success"
    queue_info: QueueInfo
    sqs_enabled: Literal[True] = True


class NoQueueStatus(BaseModel):
    """Why nothing is told of it."""

    status: Literal["error"] = "error"
    message: str
    sqs_enabled: bool


@routes.get("/tokens/queue/status")
async def queue_status(request: web.Request, *, admin: User) -> QueueStatus | NoQueueStatus:  # noqa: ARG001  # asking for an admin is what protects a route
    """Read how full the queue of analysis requests is."""
    queue = request.app[DEPS].analysis.queue
    if queue is None:
        return NoQueueStatus(message="SQS 대기열을 사용하지 않습니다", sqs_enabled=False)
    try:
        depth = await queue.depth()
    except StageFailure as failure:
        log.warning("queue_unknown", code=failure.code, cause=failure.cause)
        return NoQueueStatus(message="SQS 대기열이 응답하지 않습니다", sqs_enabled=True)
    return QueueStatus(
        queue_info=QueueInfo(
            messages_available=str(depth.waiting), messages_in_flight=str(depth.taken), queue_url=queue.url
        )
    )


def _entry(job_id: str, view: View | None) -> BatchEntry | BatchMissing:
    if view is None:
        return BatchMissing(job_id=job_id[:64])
    return BatchEntry(
        job_id=job_id, status=view.status, progress=view.progress, message=view.message, token_id=view.token_id
    )


def _progress(entries: list[BatchEntry | BatchMissing]) -> BatchProgress:
    completed = sum(entry.status is Status.COMPLETED for entry in entries)
    failed = sum(entry.status in {Status.FAILED, "not_found"} for entry in entries)
    summary = BatchSummary(
        total_jobs=len(entries),
        completed=completed,
        failed=failed,
        in_progress=len(entries) - completed - failed,
        overall_progress=round(sum(entry.progress for entry in entries) / len(entries), 1),
    )
    return BatchProgress(batch_results=entries, summary=summary)
