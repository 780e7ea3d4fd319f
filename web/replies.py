"""What a handler hands back, and the one function that turns it into JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A reply that says more than its body: extra headers, or another status than the route's own."""

    body: T
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Encoded(Generic[T]):
    """A reply that was encoded and hashed before, as caches keep it: `T` is what the JSON holds, for the document."""

    body: bytes
    etag: str  # with its quotes, as `web.conditional.etag_of` makes it


@dataclass(frozen=True, slots=True)
class Streamed:
    """A reply that lasts: `run` prepares it, sends all of it and returns it.

    It is called when nothing of the request's input is held any more, so that ten thousand of them stay small.
    """

    run: Callable[[web.Request], Awaitable[web.StreamResponse]]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def encode(value: Any) -> bytes:
    """`value` as UTF-8 JSON on one line; models, dates, enums and UUIDs included, NaN and infinity as null.

    Raises TypeError for what has no JSON form.
    """
    return orjson.dumps(value, default=_plain)


def json_response(
    value: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> web.Response:
    """A response whose body is `value` as JSON."""
    return web.Response(body=encode(value), status=status, headers=headers, content_type=content_type)
