"""Asking the service in somebody's name."""

from __future__ import annotations

from typing import Any

import aiohttp

from models.user import User
from tests.factories import bearer_of
from yousync.settings import Settings


class Caller:
    """A client of the API: nobody, unless `signed_in`."""

    def __init__(self, client: aiohttp.ClientSession, headers: dict[str, str] | None = None) -> None:
        self._client = client
        self.headers = headers or {}

    @classmethod
    async def signed_in(cls, client: aiohttp.ClientSession, settings: Settings, user: User) -> Caller:
        """A client that has just signed in as this user."""
        return cls(client, await bearer_of(settings, user))

    def send(self, method: str, path: str, **sent: Any) -> Any:
        """The request, to be awaited with `async with`."""
        return self._client.request(method, path, headers=self.headers, **sent)

    async def ask(self, method: str, path: str, *, status: int = 200, **sent: Any) -> Any:
        """The JSON of an answer with this status; None where it has no body."""
        async with self.send(method, path, **sent) as reply:
            assert reply.status == status, f"{reply.status} {await reply.text()}"
            return await reply.json(content_type=None) if await reply.read() else None

    async def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        """`ask` for something to read."""
        return await self.ask("GET", path, status=status, params=query)

    async def refused(self, method: str, path: str, status: int, **sent: Any) -> str:
        """The code of the problem that a request is answered with."""
        return str((await self.ask(method, path, status=status, **sent))["code"])
