"""Uploads: a recording comes in, is checked, and becomes a job before the answer goes out."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from jobs.engine import Recording
from models.token import Token
from models.user import User
from web.addresses import client_address
from web.contract import Contract, DbId, Reply
from web.requests import REQUEST_ID
from web.uploads import AudioFile, receive
from web.wiring import BUDGET, CATALOGUE, ENGINE, PROBER, SETTINGS
from yousync.errors import (
    AudioTooLong,
    DependencyDown,
    EmptyAudio,
    NotAudio,
    ScriptNotFound,
    StagingFull,
    TokenNotFound,
    TooManyJobs,
)
from yousync.failpoints import failpoints
from yousync.job import Job, Kind

routes = Contract(tag="Recordings")

Body = TypeVar("Body", bound="ScriptUpload")

_RAISES = (EmptyAudio, NotAudio, AudioTooLong, TooManyJobs, StagingFull, DependencyDown)


class TokenPath(BaseModel):
    """A clip."""

    token_id: DbId


class ScriptPath(BaseModel):
    """A sentence."""

    script_id: DbId


class AudioForm(BaseModel):
    """One recording: webm, ogg, mp4, wav, mp3 or flac, decided by its content."""

    file: AudioFile


class UploadHeaders(BaseModel):
    """How a client says that two requests are one."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class TokenInfo(BaseModel):
    """What belongs to the clip."""

    id: int
    s3_textgrid_url: str | None
    s3_pitch_url: str | None


class ScriptUpload(BaseModel):
    """An accepted recording: follow it by its job id."""

    message: str
    job_id: str
    status: Literal["processing"] = "processing"


class TokenUpload(ScriptUpload):
    """An accepted recording of a whole clip."""

    token_info: TokenInfo


@routes.post("/tokens/{token_id}/upload-audio", status=202, limit="upload", raises=(TokenNotFound, *_RAISES))
async def upload_token_audio(
    request: web.Request, *, path: TokenPath, header: UploadHeaders, form: AudioForm, user: User
) -> Reply[TokenUpload]:
    """Upload a recording of a whole clip.

    Answered as soon as the recording can no longer be lost; storing, analysis and scores follow. The same
    bytes sent again within ten minutes are the same job.
    """
    token = await Token.get_or_none(id=path.token_id)
    if token is None:
        raise TokenNotFound
    job = await _accept(request, form, header, kind=Kind.TOKEN, token_id=token.id, script_id=None, user=user)
    return _accepted(
        TokenUpload(
            message=_MESSAGE,
            job_id=job.id,
            token_info=TokenInfo(id=token.id, s3_textgrid_url=token.s3_textgrid_url, s3_pitch_url=token.s3_pitch_url),
        )
    )


@routes.post("/scripts/{script_id}/upload-audio", status=202, limit="upload", raises=(ScriptNotFound, *_RAISES))
async def upload_script_audio(
    request: web.Request, *, path: ScriptPath, header: UploadHeaders, form: AudioForm, user: User | None
) -> Reply[ScriptUpload]:
    """Upload a recording of one sentence, signed in or not.

    Answered as soon as the recording can no longer be lost; storing, analysis and scores follow. The same
    bytes sent again within ten minutes are the same job.
    """
    token_id = await request.app[CATALOGUE].token_of(path.script_id)
    if token_id is None:
        raise ScriptNotFound
    job = await _accept(request, form, header, kind=Kind.SCRIPT, token_id=token_id, script_id=path.script_id, user=user)
    return _accepted(ScriptUpload(message=_MESSAGE, job_id=job.id))


_MESSAGE = "업로드가 완료되었습니다. 분석을 시작합니다"


@failpoints("upload.accept")
async def _accept(
    request: web.Request,
    form: AudioForm,
    header: UploadHeaders,
    *,
    kind: Kind,
    token_id: int,
    script_id: int | None,
    user: User | None,
) -> Job:
    app = request.app
    settings = app[SETTINGS]
    audio = await receive(form.file, max_bytes=settings.max_upload_bytes, budget=app[BUDGET])
    probe = await app[PROBER].probe(audio)
    job = await app[ENGINE].accept(
        Recording(
            kind=kind,
            audio=audio,
            container=probe.container,
            duration_s=probe.duration_s,
            token_id=token_id,
            script_id=script_id,
            user_id=None if user is None else user.id,
            address=client_address(request, settings.trusted_proxies),
            idempotency_key=header.idempotency_key,
            request_id=request[REQUEST_ID],
        )
    )
    structlog.contextvars.bind_contextvars(job_id=job.id)
    return job


def _accepted(body: Body) -> Reply[Body]:
    noun = "tokens" if isinstance(body, TokenUpload) else "scripts"
    return Reply(body, headers={"Location": f"/{noun}/analysis-result/{body.job_id}"})
