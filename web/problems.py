"""Every failure leaves as problem+json (RFC 9457): this middleware is the only place that renders them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import redis.exceptions
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from models.db import DATABASE_DOWN
from web.replies import json_response
from yousync.errors import (
    BadRequest,
    DependencyDown,
    Forbidden,
    NotFound,
    TokenExpired,
    TokenInvalid,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    YouSyncError,
)

PROBLEM_TYPE = "application/problem+json"
DOWN_RETRY_AFTER = 5.0  # seconds; about what a failover of Valkey or Postgres takes
CLIENT_GONE = 499  # nginx's word for it: nobody is left to read the answer

_log = structlog.stdlib.get_logger(__name__)

_UNREACHABLE = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    *DATABASE_DOWN,
)
_KNOWN: dict[int, type[YouSyncError]] = {
    error.status: error
    for error in (BadRequest, Unauthenticated, Forbidden, NotFound, TooLarge, Unprocessable, Unavailable)
}
_TITLES_KO = {
    405: "허용되지 않는 요청 방식입니다",
    408: "요청 시간이 초과되었습니다",
    415: "지원하지 않는 형식입니다",
    416: "요청한 범위를 제공할 수 없습니다",
    429: "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요",
}
_KEPT_HEADERS = ("Allow", "Location", "WWW-Authenticate", "Retry-After", "Content-Range")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into its problem; what nobody foresaw is logged and tells nothing."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_http(request, error)
    except YouSyncError as error:
        if _begun(request):
            return _cut(request, error)
        if error.status >= 500:
            _log.warning("request_refused", code=error.code, detail=error.detail)
        return render(request, error)
    except Exception as error:  # noqa: BLE001 -- the last line of defence is meant to be broad
        return _unforeseen(request, error)


def render(request: web.Request, error: YouSyncError) -> web.Response:
    """The problem+json answer to a foreseen failure, in the language the client prefers."""
    english = prefers_english(request.headers.get("Accept-Language", ""))
    title = error.title if english else error.title_ko
    headers: CIMultiDict[str] = CIMultiDict()
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge(error)
    return _problem(
        request,
        status=error.status,
        code=error.code,
        title=title,
        detail=error.in_english if english else error.detail,
        english=english,
        headers=headers,
        errors=error.errors,
    )


def challenge(error: YouSyncError) -> str:
    """The WWW-Authenticate value: an error attribute only where a token was sent (RFC 6750 section 3.1)."""
    if isinstance(error, (TokenInvalid, TokenExpired)):
        return f'Bearer error="invalid_token", error_description="{error.title}"'
    return "Bearer"


def prefers_english(accept_language: str) -> bool:
    """Whether `en` outranks `ko` in an Accept-Language header (RFC 9110 section 12.5.4); Korean is the default."""
    best = {"ko": 0.0, "en": 0.0, "*": 0.0}
    named = set()
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        language = tag.strip().split("-")[0]
        if language not in best:
            continue
        named.add(language)
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            weight = 0.0
        best[language] = max(best[language], weight)
    korean = best["ko"] if "ko" in named else best["*"]
    return best["en"] > korean


def _problem(
    request: web.Request,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    english: bool,
    headers: Mapping[str, str],
    errors: list[dict[str, str]] | None = None,
) -> web.Response:
    body: dict[str, Any] = {
        "type": problem_type(code),
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id(),
        "instance": request.rel_url.raw_path,
    }
    if errors:
        body["errors"] = errors
    language = {"Content-Language": "en" if english else "ko", "Vary": "Accept-Language", "Cache-Control": "no-store"}
    return json_response(body, status=status, headers={**language, **headers}, content_type=PROBLEM_TYPE)


def problem_type(code: str) -> str:
    """The URN that names a kind of problem for machines."""
    return f"urn:yousync:problem:{code}"


def request_id() -> str:
    """The id of the request being answered, as `web.requests` bound it; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """Aiohttp's own refusals, with the headers that belong to their status."""
    english = prefers_english(request.headers.get("Accept-Language", ""))
    known = _KNOWN.get(error.status)
    phrase = error.reason or "Error"
    if known:
        code, title = known.code, known.title if english else known.title_ko
    else:
        code = "_".join(re.findall(r"[a-z]+", phrase.lower()))
        title = phrase if english else _TITLES_KO.get(error.status, phrase)
    headers = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    return _problem(
        request, status=error.status, code=code, title=title, detail=title, english=english, headers=headers
    )


def _unforeseen(request: web.Request, error: Exception) -> web.StreamResponse:
    if isinstance(error, ConnectionError) and _gone(request):
        # aiohttp sees the closed transport when it writes this, and drops it without an error line.
        return web.Response(status=CLIENT_GONE)
    if _begun(request):
        return _cut(request, error)
    if is_dependency_down(error):
        _log.warning("dependency_down", error=f"{type(error).__name__}: {error}")
        return render(request, DependencyDown(retry_after=DOWN_RETRY_AFTER))
    _log.error("unhandled_error", exc_info=error)
    return render(request, YouSyncError())


def is_dependency_down(error: BaseException) -> bool:
    """Whether the failure is of a connection to Valkey, Postgres or another service, not of our code."""
    if isinstance(error, OSError):  # ConnectionError and TimeoutError among them; file errors carry a name
        return error.filename is None
    return isinstance(error, _UNREACHABLE)


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _begun(request: web.Request) -> bool:
    return request.writer.output_size > 0


def _cut(request: web.Request, error: Exception) -> web.StreamResponse:
    """A failure after the head was sent: cut the connection, so that a torso is not taken for the whole."""
    if not _gone(request):
        _log.error("stream_failed", exc_info=error)
        if request.transport is not None:
            request.transport.abort()
    return web.Response(status=CLIENT_GONE)
