"""CORS (Fetch standard, "CORS protocol"): pages of exactly the origins on the list may read our answers.

No cookies are involved: browsers send the bearer as a header, so credentials are never allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from yousync.origin import canonical_origin

ALLOWED: web.AppKey[frozenset[str]] = web.AppKey("allowed_origins", frozenset)

MAX_AGE_SECONDS = 7200  # Chromium caches a preflight no longer
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "authorization, content-type, idempotency-key, if-none-match, last-event-id, prefer, x-request-id"
EXPOSED_HEADERS = (
    "Location, Retry-After, X-Request-Id, ETag, Deprecation, Link, RateLimit, RateLimit-Policy, Idempotency-Replayed"
)


def install_cors(app: web.Application, origins: Iterable[str]) -> None:
    """Let pages of `origins` read every answer of `app`; its maker adds the middleware `preflights`.

    The headers are put on as an answer is prepared: errors and streams, redirects and files have them too.
    """
    app[ALLOWED] = frozenset(origins)
    app.on_response_prepare.append(_headers)


@web.middleware
async def preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every preflight at once, whatever it asks about: no route, no bearer and no limit has a say.

    Whether the real request is served, the real request is told.
    """
    if (
        request.method != hdrs.METH_OPTIONS
        or hdrs.ORIGIN not in request.headers
        or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers
    ):
        return await handler(request)
    response = web.Response(status=204)
    if _allowed(request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = METHODS
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = REQUEST_HEADERS
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(MAX_AGE_SECONDS)
    return response


def _allowed(request: web.Request) -> str | None:
    """The request's Origin as it was sent, which is what browsers compare with; None when not on the list."""
    given = request.headers.getall(hdrs.ORIGIN, [])
    if len(given) != 1 or canonical_origin(given[0]) not in request.app[ALLOWED]:
        return None
    return given[0]


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    # Also for those not on the list and for requests without an Origin: caches must not mix the answers up.
    headers[hdrs.VARY] = ", ".join([*headers.getall(hdrs.VARY, []), hdrs.ORIGIN])
    origin = _allowed(request)
    if origin is not None:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS
