"""The handler's signature is the contract: what is parsed, validated, protected, answered and documented.

A handler's keyword-only parameters are the locations of its input, each one pydantic model:
`path`, `query`, `header`, `body` (JSON) and `form` (multipart with one file). `user` makes the route
bearer-protected, `user: ... | None` takes the bearer where there is one, `admin` wants an operator's. The
return annotation is the reply.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict, TypeVar, Unpack, get_type_hints

from aiohttp import web
from pydantic import BaseModel, Field

from web.answers import reply_type, respond
from web.inputs import bind, file_field
from web.replies import Reply, Streamed
from yousync.errors import (
    AdminOnly,
    FileTooLarge,
    MalformedBody,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TooLarge,
    UploadsBusy,
    UploadTooSlow,
    ValidationFailed,
    YouSyncError,
)

__all__ = ["AUTHENTICATE", "Contract", "DbId", "Endpoint", "Reply", "register", "spellings"]

Auth = Literal["none", "optional", "required", "admin"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Authenticate = Callable[[web.Request], Awaitable[Any]]
AnyHandler = TypeVar("AnyHandler", bound=Callable[..., Awaitable[Any]])

AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("authenticate")
"""Finds the user of a request: None without an Authorization header, else a user or an Unauthenticated error.

Of a user the contract knows `is_admin` alone.
"""

DbId = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""An id that a Postgres `integer` can hold; any other integer in a path names nothing and is a 404."""

LOCATIONS = ("path", "query", "header", "body", "form")
CALLERS = ("user", "admin")
_BODY_ERRORS = {
    "body": (MalformedBody, TooLarge, UploadTooSlow),
    "form": (MalformedBody, FileTooLarge, UploadTooSlow, UploadsBusy),
}
_AUTH_ERRORS: dict[Auth, tuple[type[YouSyncError], ...]] = {
    "none": (),
    "optional": (TokenInvalid, TokenExpired),
    "required": (TokenMissing, TokenInvalid, TokenExpired),
    "admin": (TokenMissing, TokenInvalid, TokenExpired, AdminOnly),
}


class Options(TypedDict, total=False):
    """What a route may declare; `Contract.route` explains each."""

    status: int
    raises: Sequence[type[YouSyncError]]
    events: type[BaseModel] | None
    name: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One operation: what was declared, and what its handler's signature says."""

    name: str  # unique, the operationId
    tag: str
    method: Method
    path: str  # the documented spelling
    status: int
    handler: Callable[..., Awaitable[Any]]
    inputs: dict[str, type[BaseModel]]  # by location
    auth: Auth
    reply: Any  # the type of the JSON body; None when there is none
    events: type[BaseModel] | None  # of each message of a text/event-stream
    raises: tuple[type[YouSyncError], ...]  # all of them, those of validation and auth included
    summary: str
    description: str

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer `request`: find the user, validate, call the handler, encode."""
        arguments = await self._caller(request)
        async with bind(request, self.inputs, self.raises) as values:
            result = await self.handler(request, **arguments, **values)
            if not isinstance(result, Streamed):
                return respond(result, self.status)
        del arguments, values
        return await result.run(request)

    async def _caller(self, request: web.Request) -> dict[str, Any]:
        if self.auth == "none":
            return {}
        caller = await request.app[AUTHENTICATE](request)
        if caller is None and self.auth != "optional":
            raise TokenMissing
        if self.auth != "admin":
            return {"user": caller}
        if not caller.is_admin:
            raise AdminOnly
        return {"admin": caller}


class Contract:
    """The endpoints of one noun, listed by its decorators; `register` adds them to an application."""

    def __init__(self, *, tag: str) -> None:
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def route(
        self,
        method: Method,
        path: str,
        *,
        status: int = 200,
        raises: Sequence[type[YouSyncError]] = (),
        events: type[BaseModel] | None = None,
        name: str | None = None,
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Declare a handler. `path` has neither the /api prefix nor, as a rule, a trailing slash.

        `raises` lists what the handler itself raises; the errors of auth and validation add themselves.
        `events` documents a text/event-stream: such a handler returns a Streamed.
        `name` is the operationId, the function's name unless given.
        """

        def declare(handler: AnyHandler) -> AnyHandler:
            self.endpoints.append(
                _endpoint(
                    handler,
                    tag=self.tag,
                    method=method,
                    path=path,
                    status=status,
                    raises=tuple(raises),
                    events=events,
                    name=name or handler.__name__,
                )
            )
            return handler

        return declare

    def get(self, path: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """`route` for GET; HEAD is answered as well, except by streams."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """`route` for POST."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """`route` for PUT."""
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """`route` for PATCH."""
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """`route` for DELETE."""
        return self.route("DELETE", path, **options)


def spellings(path: str) -> list[str]:
    """The forms existing clients use: with and without /api, with and without the trailing slash."""
    bare = path.rstrip("/")
    return [form for form in (bare, f"{bare}/", f"/api{bare}", f"/api{bare}/") if form]


def register(app: web.Application, contracts: Sequence[Contract]) -> None:
    """Serve every endpoint under each of its spellings, without redirects."""
    for contract in contracts:
        for endpoint in contract.endpoints:
            for path in spellings(endpoint.path):
                app.router.add_route(endpoint.method, path, endpoint.__call__)
                if endpoint.method == "GET" and endpoint.events is None:
                    app.router.add_route("HEAD", path, endpoint.__call__)


def _endpoint(
    handler: Callable[..., Awaitable[Any]],
    *,
    tag: str,
    method: Method,
    path: str,
    status: int,
    raises: tuple[type[YouSyncError], ...],
    events: type[BaseModel] | None,
    name: str,
) -> Endpoint:
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
    auth = _auth(keywords, hints)
    implied = (*_AUTH_ERRORS[auth], *(error for location in inputs for error in _BODY_ERRORS.get(location, ())))
    summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
    return Endpoint(
        name=name,
        tag=tag,
        method=method,
        path=path,
        status=status,
        handler=handler,
        inputs=inputs,
        auth=auth,
        reply=reply_type(hints.get("return")),
        events=events,
        raises=tuple(dict.fromkeys((*raises, *implied, *((ValidationFailed,) if inputs else ())))),
        summary=summary.strip().rstrip("."),
        description=description.strip(),
    )


def _auth(keywords: Sequence[str], hints: dict[str, Any]) -> Auth:
    if "admin" in keywords:
        return "admin"
    if "user" in keywords:
        return "optional" if type(None) in getattr(hints["user"], "__args__", ()) else "required"
    return "none"
