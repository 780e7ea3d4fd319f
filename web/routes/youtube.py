"""Videos: one is handed in, the preprocess server makes clips of it, and whoever handed it in follows that."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import structlog
from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field

from jobs.engine import Order
from models.user import User
from web.contract import Contract, Reply
from web.fields import Text
from web.job_access import RAISES, TicketQuery, kept_apart, readable
from web.replies import Streamed
from web.requests import REQUEST_ID
from web.routes.jobs import JobEvent, JobHeaders, JobPath, streamed
from web.routes.uploads import UploadHeaders
from web.wiring import ENGINE, SETTINGS
from yousync.errors import DependencyDown, PreprocessingNotConfigured, TooManyJobs
from yousync.failpoints import failpoints
from yousync.job import Job, Kind, clips_of
from yousync.youtube import canonical_video

routes = Contract(tag="Videos")

_KINDS = frozenset({Kind.YOUTUBE})
_MESSAGE = "영상 처리를 시작합니다"


def _video(text: str) -> str:
    found = canonical_video(text)
    if found is None:
        raise ValueError("not the address of a YouTube video")
    return found


Name = Annotated[Text, Field(max_length=200)]


class Video(BaseModel):
    """A video, and whose lines in it are wanted."""

    youtube_url: Annotated[str, Field(max_length=500), AfterValidator(_video)]
    movie_name: Name
    actor_name: Name


class VideoAccepted(BaseModel):
    """An accepted video: follow it by its job id."""

    job_id: str
    status: Literal["processing"] = "processing"
    message: str
    token_id: None = None


class VideoState(JobEvent):
    """A video's job as it stands; once it is completed, the clips that were made of it."""

    token_id: int | None
    token_ids: list[int] | None


@routes.post(
    "/youtube/process", status=202, limit="upload", raises=(PreprocessingNotConfigured, TooManyJobs, DependencyDown)
)
async def youtube_process(
    request: web.Request, *, body: Video, header: UploadHeaders, user: User
) -> Reply[VideoAccepted]:
    """Hand in a video. The same one again within ten minutes is the same job."""
    settings = request.app[SETTINGS]
    if not (settings.preprocess_server_url and settings.youtube_webhook_url):
        raise PreprocessingNotConfigured
    job = await _order(request, body.model_dump(), header, user)
    return Reply(
        VideoAccepted(job_id=job.id, message=_MESSAGE), headers={"Location": f"/youtube/process-status/{job.id}"}
    )


@failpoints("video.accept")
async def _order(request: web.Request, wanted: dict[str, Any], header: UploadHeaders, user: User) -> Job:
    job = await request.app[ENGINE].order(
        Order(
            kind=Kind.YOUTUBE,
            request=wanted,
            user_id=user.id,
            idempotency_key=header.idempotency_key,
            request_id=request[REQUEST_ID],
        )
    )
    structlog.contextvars.bind_contextvars(job_id=job.id)
    return job


@routes.get("/youtube/process-status/{job_id}", raises=(*RAISES, DependencyDown))
async def youtube_process_status(request: web.Request, *, path: JobPath, query: TicketQuery) -> Reply[VideoState]:
    """Read a video's job and, once completed, its clips."""
    view = await readable(request, path.job_id, query.ticket, _KINDS)
    token_id, token_ids = clips_of(view)
    state = VideoState(
        job_id=view.job_id,
        status=view.status,
        progress=view.progress,
        message=view.message,
        result=view.result,
        token_id=token_id,
        token_ids=token_ids,
    )
    return Reply(state, headers=kept_apart(request))


@routes.get("/youtube/process-progress/{job_id}", events=VideoState, raises=(*RAISES, DependencyDown))
async def youtube_process_progress(
    request: web.Request, *, path: JobPath, query: TicketQuery, header: JobHeaders
) -> Streamed:
    """Follow a video's job: its whole state at once and at every change, until it has ended."""
    return await streamed(request, path, query, header, _KINDS)
