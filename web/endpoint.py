"""One operation of the API: what its declaration and its handler's signature say, and how a request goes through it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

from aiohttp import web
from pydantic import BaseModel, Field, create_model

from web.answers import reply_type, respond
from web.bearer import bearer_token
from web.inputs import MAX_ADMIN_JSON_BYTES, MAX_JSON_BYTES, bind, file_field
from web.replies import Streamed
from yousync.errors import (
    AdminOnly,
    FileTooLarge,
    IdempotencyKeyBusy,
    IdempotencyKeyReused,
    MalformedBody,
    RateLimited,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TooLarge,
    TooManyStreams,
    Unauthenticated,
    UploadsBusy,
    UploadTooSlow,
    ValidationFailed,
    YouSyncError,
)

Auth = Literal["none", "optional", "required", "admin", "presented"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Limit = Literal["default", "login", "upload", "bookmarks", "none"]
Authenticate = Callable[[web.Request], Awaitable[Any]]
Limiter = Callable[[web.Request, Limit, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under an Idempotency-Key: who wants what done."""

    caller: Any
    route: str
    key: str
    asked: Mapping[str, Any]  # the input, header fields aside


Repeater = Callable[[web.Request, Attempt, Callable[[], Awaitable[web.StreamResponse]]], Awaitable[web.StreamResponse]]

AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("authenticate")
"""Finds the user of a request: None without an Authorization header, else a user or an Unauthenticated error.

Of a user the contract knows `is_admin` alone.
"""

LIMITER: web.AppKey[Limiter] = web.AppKey("limiter")
"""Counts a request against its caller (None: nobody we know), or raises RateLimited."""

REPEATER: web.AppKey[Repeater] = web.AppKey("repeater")
"""Runs an attempt that carries an Idempotency-Key, or answers it as it was answered before."""

LOCATIONS = ("path", "query", "header", "body", "form")
CALLERS = ("user", "admin", "bearer")
_PARAMETER: dict[Auth, str] = {"optional": "user", "required": "user", "admin": "admin", "presented": "bearer"}
_BODY_ERRORS = {
    "body": (MalformedBody, TooLarge, UploadTooSlow),
    "form": (MalformedBody, FileTooLarge, UploadTooSlow, UploadsBusy),
}
_AUTH_ERRORS: dict[Auth, tuple[type[YouSyncError], ...]] = {
    "none": (),
    "optional": (TokenInvalid, TokenExpired),
    "required": (TokenMissing, TokenInvalid, TokenExpired),
    "admin": (TokenMissing, TokenInvalid, TokenExpired, AdminOnly),
    "presented": (TokenMissing, TokenInvalid, TokenExpired),
}


class Repeatable(BaseModel):
    """How a client says that two requests are one."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One operation: what was declared, and what its handler's signature says."""

    name: str  # unique, the operationId
    tag: str
    method: Method
    path: str  # the documented spelling
    status: int
    also: Mapping[int, type[BaseModel]]  # replies of other statuses, by those
    handler: Callable[..., Awaitable[Any]]
    inputs: dict[str, type[BaseModel]]  # by location
    auth: Auth
    reply: Any  # the type of the JSON body; None when there is none
    events: type[BaseModel] | None  # of each message of a text/event-stream
    raises: tuple[type[YouSyncError], ...]  # all of them, those of validation and auth included
    limit: Limit
    idempotent: bool
    takes_header: bool  # whether the handler itself does
    deprecated_for: str | None  # the path that took its place
    summary: str
    description: str

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer `request`: find the user, validate, call the handler, encode."""
        caller = await self._caller(request)
        arguments = {_PARAMETER[self.auth]: caller} if self.auth in _PARAMETER else {}
        max_json = MAX_ADMIN_JSON_BYTES if self.auth == "admin" else MAX_JSON_BYTES
        async with bind(request, self.inputs, self.raises, max_json=max_json) as values:
            if self.idempotent and (key := values["header"].idempotency_key) is not None:
                return await self._once(request, caller, key, arguments | values)
            result = await self.handler(request, **arguments, **self._wanted(values))
            if not isinstance(result, Streamed):
                return respond(request, result, self.status, personal=self.auth != "none")
        del arguments, caller, values
        return await result.run(request)

    def _wanted(self, values: dict[str, Any]) -> dict[str, Any]:
        """What the handler asks for: an Idempotency-Key may be all that `header` holds."""
        if self.takes_header or "header" not in values:
            return values
        return {name: value for name, value in values.items() if name != "header"}

    async def _once(self, request: web.Request, caller: Any, key: str, given: dict[str, Any]) -> web.StreamResponse:
        async def run() -> web.StreamResponse:
            result = await self.handler(request, **self._wanted(given))
            return respond(request, result, self.status, personal=True)

        asked: dict[str, Any] = {
            place: given[place].model_dump(mode="json") for place in ("path", "query", "body") if place in given
        }
        route = f"{self.method} {self.deprecated_for or self.path}"
        return await request.app[REPEATER](request, Attempt(caller, route, key, asked), run)

    async def _caller(self, request: web.Request) -> Any:
        """Whoever asks, counted: those that are turned away as well."""
        if self.auth == "none":
            await self._count(request, None)
            return None
        try:
            presented = self.auth == "presented"
            caller: Any = bearer_token(request) if presented else await request.app[AUTHENTICATE](request)
            if caller is None and self.auth != "optional":
                raise TokenMissing
        except Unauthenticated:
            await self._count(request, None)
            raise
        await self._count(request, None if presented else caller)
        if self.auth == "admin" and not caller.is_admin:
            raise AdminOnly
        return caller

    async def _count(self, request: web.Request, caller: Any) -> None:
        # One round trip to Valkey, while the body of an upload goes on arriving.
        if self.limit != "none" and (limiter := request.app.get(LIMITER)) is not None:
            await limiter(request, self.limit, caller)


def endpoint(
    handler: Callable[..., Awaitable[Any]],
    *,
    tag: str,
    method: Method,
    path: str,
    name: str,
    status: int = 200,
    also: Mapping[int, type[BaseModel]] | None = None,
    raises: Sequence[type[YouSyncError]] = (),
    events: type[BaseModel] | None = None,
    limit: Limit = "default",
    idempotent: bool = False,
    deprecated_for: str | None = None,
) -> Endpoint:
    """The operation that `handler` is. TypeError where its signature is not what the contract can keep."""
    hints = get_type_hints(handler, include_extras=True)
    keywords = [
        parameter.name
        for parameter in inspect.signature(handler).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    known = (*LOCATIONS, *CALLERS)
    unknown = set(keywords) - set(known)
    if unknown:
        raise TypeError(f"{name}: {', '.join(sorted(unknown))} is no location; there are {', '.join(known)}")
    inputs = {location: hints[location] for location in LOCATIONS if location in keywords}
    placeholders = set(re.findall(r"{(\w+)", path))
    if placeholders != set(inputs["path"].model_fields if "path" in inputs else ()):
        raise TypeError(f"{name}: {path} and the model of `path` name different things")
    if "form" in inputs:
        file_field(inputs["form"])  # fails here and not at the first request
    takes_header = "header" in inputs
    if idempotent:
        inputs["header"] = _repeatable(inputs.get("header"))
    auth = _auth(keywords, hints)
    implied = [*_AUTH_ERRORS[auth], *(error for location in inputs for error in _BODY_ERRORS.get(location, ()))]
    implied += [ValidationFailed] if inputs else []
    implied += [IdempotencyKeyReused, IdempotencyKeyBusy] if idempotent else []
    implied += [RateLimited] if limit != "none" else []
    implied += [TooManyStreams] if events is not None else []
    summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
    return Endpoint(
        name=name,
        tag=tag,
        method=method,
        path=path,
        status=status,
        also=also or {},
        handler=handler,
        inputs=inputs,
        auth=auth,
        reply=_apart_from(also or {}, reply_type(hints.get("return"))),
        events=events,
        raises=tuple(dict.fromkeys((*raises, *implied))),
        limit=limit,
        idempotent=idempotent,
        takes_header=takes_header,
        deprecated_for=deprecated_for,
        summary=summary.strip().rstrip("."),
        description=description.strip(),
    )


def _repeatable(headers: type[BaseModel] | None) -> type[BaseModel]:
    """These headers with an Idempotency-Key beside them."""
    if headers is None:
        return Repeatable
    return create_model(f"{headers.__name__}AndKey", __base__=(headers, Repeatable), __doc__=headers.__doc__)


def _apart_from(also: Mapping[int, type[BaseModel]], reply: Any) -> Any:
    """The body of the usual reply: of those that the handler gives, the one that is documented with no other status."""
    usual = [kind for kind in getattr(reply, "__args__", ()) if kind not in also.values()] if also else []
    return usual[0] if len(usual) == 1 else reply


def _auth(keywords: Sequence[str], hints: dict[str, Any]) -> Auth:
    if "admin" in keywords:
        return "admin"
    if "bearer" in keywords:
        return "presented"
    if "user" in keywords:
        return "optional" if type(None) in getattr(hints["user"], "__args__", ()) else "required"
    return "none"
