"""The handler's signature is the contract: what is parsed, validated, protected, answered and documented.

A handler's keyword-only parameters are the locations of its input, each one pydantic model:
`path`, `query`, `header`, `body` (JSON) and `form` (multipart with one file). `user` makes the route
bearer-protected, `user: ... | None` takes the bearer where there is one, `admin` wants an operator's, and
`bearer` is the token as it was sent, for the handler to judge. The return annotation is the reply.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypedDict, TypeVar, Unpack

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, Field

from web.deprecation import instead_of
from web.endpoint import AUTHENTICATE, Endpoint, Limit, Method, endpoint
from web.replies import Encoded, Reply
from yousync.errors import YouSyncError

__all__ = ["AUTHENTICATE", "MAX_ID", "Contract", "DbId", "Encoded", "Endpoint", "Reply", "register", "spellings"]

AnyHandler = TypeVar("AnyHandler", bound=Callable[..., Awaitable[Any]])

MAX_ID: Final = 2**31 - 1
DbId = Annotated[int, Field(ge=1, le=MAX_ID)]
"""An id that a Postgres `integer` can hold; any other integer in a path names nothing and is a 404."""


class Options(TypedDict, total=False):
    """What a route may declare; `Contract.route` explains each."""

    status: int
    also: Mapping[int, type[BaseModel]]
    raises: Sequence[type[YouSyncError]]
    events: type[BaseModel] | None
    name: str | None
    limit: Limit
    idempotent: bool
    deprecated_for: str | None
    aliases: Sequence[str]


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
        also: Mapping[int, type[BaseModel]] | None = None,
        raises: Sequence[type[YouSyncError]] = (),
        events: type[BaseModel] | None = None,
        name: str | None = None,
        limit: Limit = "default",
        idempotent: bool = False,
        deprecated_for: str | None = None,
        aliases: Sequence[str] = (),
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Declare a handler. `path` has neither the /api prefix nor, as a rule, a trailing slash.

        `also` documents replies of another status than `status`, which the handler gives to its Reply.
        `raises` lists what the handler itself raises; the errors of auth and validation add themselves.
        `events` documents a text/event-stream: such a handler returns a Streamed.
        `name` is the operationId, the function's name unless given.
        `limit` names the rate limit that counts its requests.
        `idempotent` lets a client send a POST again under the same Idempotency-Key, for the same reply.
        `deprecated_for` is the path that took this one's place; answers and document say so.
        `aliases` are older paths of the same operation, each deprecated for `path`.
        """

        def declare(handler: AnyHandler) -> AnyHandler:
            named = name or handler.__name__
            spelt = [(named, path, deprecated_for)]
            spelt += [(f"{named}_alias{n or ''}", alias, path) for n, alias in enumerate(aliases)]
            self.endpoints += [
                endpoint(
                    handler,
                    tag=self.tag,
                    method=method,
                    path=spelling,
                    name=operation,
                    status=status,
                    also=also,
                    raises=raises,
                    events=events,
                    limit=limit,
                    idempotent=idempotent,
                    deprecated_for=successor,
                )
                for operation, spelling, successor in spelt
            ]
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
    by_path: dict[str, list[Endpoint]] = {}
    for contract in contracts:
        for served in contract.endpoints:
            by_path.setdefault(served.path, []).append(served)
    for documented, endpoints in by_path.items():
        for path in spellings(documented):
            methods: set[str] = set()
            for served in endpoints:
                handler = instead_of(served, path)
                app.router.add_route(served.method, path, handler)
                methods.add(served.method)
                if served.method == "GET" and served.events is None:
                    app.router.add_route("HEAD", path, handler)
                    methods.add("HEAD")
            if "{" not in path:
                app.router.add_route("*", path, _not_allowed(methods))


def _not_allowed(methods: Iterable[str]) -> Handler:
    """Refuses any other method here, so that no path with a placeholder is tried: /things/all is not thing `all`."""
    allowed = sorted(methods)

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, allowed)

    return refuse
