"""From what a handler returns to the response, and from its annotation to the documented type."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

from aiohttp import web

from web.replies import Reply, Streamed, json_response


def reply_type(annotation: Any) -> Any:
    """The JSON body's type in a return annotation: `Reply[X] | X` is X, None and raw responses have no body."""
    if get_origin(annotation) in (Union, types.UnionType):
        found = [kind for kind in map(reply_type, get_args(annotation)) if kind is not None]
        unique = list(dict.fromkeys(found))
        return Union[tuple(unique)] if unique else None  # noqa: UP007 -- built at run time
    if get_origin(annotation) is Reply:
        return reply_type(get_args(annotation)[0])
    if annotation is None or annotation is type(None):
        return None
    if isinstance(annotation, type) and issubclass(annotation, web.StreamResponse | Streamed):
        return None
    return annotation


def respond(result: Any, status: int) -> web.StreamResponse:
    """The response to what a handler returned; a response is passed through, None is a body of no bytes."""
    if isinstance(result, web.StreamResponse):
        return result
    headers = None
    if isinstance(result, Reply):
        status, headers, result = result.status or status, result.headers, result.body
    if result is None:
        return web.Response(status=status, headers=headers)
    return json_response(result, status=status, headers=headers)
