"""Webhooks of the analysis server: authenticated by the token in the URL we handed out, durable before 200.

Where WEBHOOK_SECRET is set they must be signed besides, as Standard Webhooks says.
"""

from __future__ import annotations

from typing import Annotated, Literal

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from jobs.engine import Delivery
from web.contract import Contract
from web.metering import read_body
from web.wiring import DEPS, ENGINE, SETTINGS
from yousync import webhooks
from yousync.errors import (
    DependencyDown,
    MalformedWebhook,
    WebhookSignatureInvalid,
    WebhookTokenInvalid,
    WebhookTooLarge,
)
from yousync.failpoints import failpoints

routes = Contract(tag="Webhooks")

_RAISES = (MalformedWebhook, WebhookTokenInvalid, WebhookSignatureInvalid, WebhookTooLarge, DependencyDown)


class WebhookQuery(BaseModel):
    """What the URL says that was handed out."""

    job_id: Annotated[str, Field(max_length=64)] = ""
    token: str = ""
    task_id: Annotated[str, Field(max_length=200)] | None = None


class WebhookHeaders(BaseModel):
    """The signature, looked at where WEBHOOK_SECRET is set."""

    webhook_id: str = ""
    webhook_timestamp: str = ""
    webhook_signature: str = ""


class ScriptReceipt(BaseModel):
    """The result is safe."""

    received: Literal[True] = True
    job_id: str
    message: str | None = None


class TokenReceipt(ScriptReceipt):
    """The result is safe."""

    task_id: str | None = None


@routes.post("/tokens/webhook/analysis-complete", limit="none", raises=_RAISES)
async def token_analysis_complete(request: web.Request, *, query: WebhookQuery, header: WebhookHeaders) -> TokenReceipt:
    """Take the result of an analysis; early, late and repeated ones are answered alike.

    The body is the result, or `{"analysis_results": {...}}`, or a report of failure.
    """
    message = await _deliver(request, query, header)
    return TokenReceipt(job_id=query.job_id, task_id=query.task_id, message=message)


@routes.post("/scripts/webhook/analysis-complete", limit="none", raises=_RAISES)
async def script_analysis_complete(
    request: web.Request, *, query: WebhookQuery, header: WebhookHeaders
) -> ScriptReceipt:
    """Take the result of a sentence's analysis; early, late and repeated ones are answered alike.

    The body is an object with a `result`, or the result itself, or a report of failure.
    """
    return ScriptReceipt(job_id=query.job_id, message=await _deliver(request, query, header))


@routes.post("/youtube/webhook/process-complete", limit="none", raises=_RAISES)
async def youtube_process_complete(
    request: web.Request, *, query: WebhookQuery, header: WebhookHeaders
) -> ScriptReceipt:
    """Take the clips of a video; early, late and repeated reports are answered alike.

    The body is `{"token_ids": [...]}` (or `token_id`), with `status` and `message` where it failed.
    """
    return ScriptReceipt(job_id=query.job_id, message=await _deliver(request, query, header))


@failpoints("webhook.deliver")
async def _deliver(request: web.Request, query: WebhookQuery, header: WebhookHeaders) -> str | None:
    settings = request.app[SETTINGS]
    if not query.job_id:
        raise MalformedWebhook("job_id가 필요합니다")
    if not webhooks.verify(settings, query.job_id, query.token):
        raise WebhookTokenInvalid
    body = await read_body(request, max_bytes=settings.max_webhook_bytes, too_large=WebhookTooLarge)
    if settings.webhook_secret and not await _is_signed(request, header, body):
        raise WebhookSignatureInvalid
    delivery = await request.app[ENGINE].deliver(query.job_id, body)
    structlog.contextvars.bind_contextvars(delivery=delivery.value)  # for the request's own line
    return None if delivery is Delivery.DELIVERED else _MESSAGES[delivery]


async def _is_signed(request: web.Request, header: WebhookHeaders, body: bytes) -> bool:
    """Whether these very bytes were signed within minutes, by the one clock that everything here goes by."""
    deps = request.app[DEPS]
    return webhooks.is_signed(
        deps.settings,
        message_id=header.webhook_id,
        timestamp=header.webhook_timestamp,
        signatures=header.webhook_signature,
        body=body,
        now=(await deps.store.now()).timestamp(),
    )


_MESSAGES = {
    Delivery.KEPT: "결과를 보관했습니다",
    Delivery.DUPLICATE: "이미 처리된 작업입니다",
    Delivery.LATE: "작업이 이미 끝났습니다",
    Delivery.DROPPED: "기다리는 작업이 없습니다",
}
