"""From what a handler returns to the response, and from its annotation to the documented type."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

from aiohttp import hdrs, web

from web.conditional import conditional
from web.replies import Encoded, Reply, Streamed, encode


def reply_type(annotation: Any) -> Any:
    """The JSON body's type in a return annotation: `Reply[X] | X` is X, None and raw responses have no body."""
    if get_origin(annotation) in (Union, types.UnionType):
        found = [kind for kind in map(reply_type, get_args(annotation)) if kind is not None]
        unique = list(dict.fromkeys(found))
        return Union[tuple(unique)] if unique else None  # noqa: UP007 -- built at run time
    if get_origin(annotation) in (Reply, Encoded):
        return reply_type(get_args(annotation)[0])
    if annotation is None or annotation is type(None):
        return None
    if isinstance(annotation, type) and issubclass(annotation, web.StreamResponse | Streamed):
        return None
    return annotation


def respond(request: web.Request, result: Any, status: int, *, personal: bool) -> web.StreamResponse:
    """The response to what a handler returned; a response is passed through, None is a body of no bytes.

    What was read has an ETag, and is not sent to those who have it; what was done is nobody's to keep. `personal`
    answers are another for each caller.
    """
    if isinstance(result, web.StreamResponse):
        return result
    headers: dict[str, str] = {}
    if isinstance(result, Reply):
        status, headers, result = result.status or status, dict(result.headers), result.body
    if hdrs.LOCATION in headers and request.path.startswith("/api/"):  # a proxy may pass on nothing else
        headers[hdrs.LOCATION] = f"/api{headers[hdrs.LOCATION]}"
    if result is None:
        return web.Response(status=status, headers=headers)
    encoded = result if isinstance(result, Encoded) else None
    body = encoded.body if encoded else encode(result)
    if status == 200 and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        return conditional(request, body, etag=encoded.etag if encoded else None, headers=headers, personal=personal)
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
