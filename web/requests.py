"""Around every request: its id, its line in the access log, its count, and the security headers of its answer."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_urldispatcher import MatchInfoError, UrlMappingMatchInfo

from web.addresses import came_by_https
from web.problems import CLIENT_GONE, render
from yousync import metrics
from yousync.errors import BadRequest, YouSyncError
from yousync.job import is_job_id

REQUEST_ID_HEADER = "X-Request-Id"
HSTS = "max-age=31536000"  # of this host alone: its neighbours are not ours to speak for
API_CSP = "default-src 'none'; frame-ancestors 'none'"
MAX_SEGMENTS = 16  # twice what any path of ours has
_LOGGED_LETTERS = 500  # of a path, which may have 80,000: searching all of it for secrets takes as long as ten requests
PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_API_PREFIX = re.compile(r"^/api(?=/|$)")
_TRUSTWORTHY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

REQUEST_ID = web.RequestKey("request_id", str)
_ADDED = web.RequestKey("added_headers", dict[str, str])

_log = structlog.stdlib.get_logger("web.access")


@web.middleware
async def requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind request_id and job_id for every line logged on the way; write one line and count one at the end."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = given if _TRUSTWORTHY_ID.fullmatch(given) else uuid.uuid4().hex
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    job_id = request.match_info.get("job_id") or request.query.get("job_id", "")
    if is_job_id(job_id):
        structlog.contextvars.bind_contextvars(job_id=job_id)
    begun = time.perf_counter()
    status, sent = 500, None  # how much a file will be is not known before it is sent
    try:
        response = await handler(request)
        status = response.status
        sent = request.writer.output_size if response.prepared else response.content_length
    except web.HTTPException as error:  # redirects; every refusal has become a problem by now
        status = error.status
        raise
    except asyncio.CancelledError:  # the client left, or we are shutting down
        status = CLIENT_GONE
        raise
    else:
        return response
    finally:
        path, seconds = request.path, time.perf_counter() - begun
        method, route = request.method if request.method in _METHODS else "other", route_of(request)
        metrics.HTTP_REQUESTS.labels(method, route, status).inc()
        metrics.HTTP_SECONDS.labels(method, route).observe(seconds)
        _log.log(
            logging.DEBUG if path in PROBES and status < 400 else logging.INFO,
            "request",
            method=request.method,
            path=path[:_LOGGED_LETTERS],
            status=status,
            duration_ms=round(seconds * 1000, 2),
            bytes=sent,
        )
        structlog.contextvars.clear_contextvars()


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every refusal by its code; next to the handler, where `problems` has not yet rendered it."""
    try:
        return await handler(request)
    except YouSyncError as error:
        metrics.HTTP_REFUSALS.labels(route_of(request), error.code).inc()
        raise


def route_of(request: web.Request) -> str:
    """The documented path of the route that serves a request, whichever spelling was asked for."""
    resource = request.match_info.route.resource
    if resource is None:
        return "unmatched"
    return _API_PREFIX.sub("", resource.canonical).rstrip("/") or "/"


def add_headers(request: web.Request, headers: Mapping[str, str]) -> None:
    """Put these on the answer to `request`, whatever becomes of it: a reply, a problem or a stream."""
    request[_ADDED] = {**request.get(_ADDED, {}), **headers}


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer, streams and errors too; a route that set one of its own keeps it."""
    if REQUEST_ID in request:
        response.headers[REQUEST_ID_HEADER] = request[REQUEST_ID]
    response.headers.update(request.pop(_ADDED, {}))
    _secure(response)


def _secure(response: web.StreamResponse) -> None:
    headers = response.headers
    headers["Server"] = "yousync"  # aiohttp would name its version and Python's
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", API_CSP)


def _unreadable(
    handler: RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,  # noqa: ARG001  # it quotes what came
) -> web.StreamResponse:
    """In place of aiohttp's own answer to bytes that are no HTTP, and to heads that are too long."""
    if request.writer.output_size > 0:
        raise ConnectionError("an answer has begun")  # aiohttp cuts the connection
    named = uuid.uuid4().hex
    with structlog.contextvars.bound_contextvars(request_id=named):
        handler.log_exception("Error handling request", exc_info=exc)
        answer = render(cast(web.Request, request), BadRequest() if status < 500 else YouSyncError())
        answer.headers[REQUEST_ID_HEADER] = named
    answer.force_close()
    _secure(answer)
    return answer


def _no_protocol_noise(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP are the sender's fault: one line without a traceback, at debug."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        _log.debug("not_http", error=type(error).__name__)
        return False
    return True


def _bound_routing(app: web.Application) -> None:
    """A path of ever so many segments is nobody's: aiohttp looks for each of its beginnings, each time in a copy."""
    resolve = app.router.resolve

    async def bounded(request: web.Request) -> UrlMappingMatchInfo:
        if request.rel_url.raw_path.count("/") > MAX_SEGMENTS:
            return MatchInfoError(web.HTTPNotFound())
        return await resolve(request)

    app.router.resolve = bounded  # type: ignore[method-assign]  # a router of one's own is deprecated


def install_requests(app: web.Application, *, trusted_proxies: Sequence[str] = ()) -> None:
    """Add the headers to `app`, and put our words in place of aiohttp's own about malformed HTTP: answers and lines.

    Where `trusted_proxies` say that a request came to them by https, browsers are told never to come otherwise
    (RFC 6797). The middlewares are given to the Application by its maker, this one outermost.
    """

    async def only_https(request: web.Request, response: web.StreamResponse) -> None:
        if came_by_https(request, trusted_proxies):
            response.headers["Strict-Transport-Security"] = HSTS

    app.on_response_prepare.append(_headers)
    _bound_routing(app)
    if trusted_proxies:
        app.on_response_prepare.append(only_https)
    logging.getLogger("aiohttp.server").addFilter(_no_protocol_noise)
    RequestHandler.handle_error = _unreadable  # type: ignore[assignment,method-assign]  # no middleware sees these
