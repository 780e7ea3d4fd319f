"""Asking the service in somebody's name."""

from __future__ import annotations

from typing import Any

import aiohttp

from models.user import User
from yousync.identity import mint
from yousync.settings import Settings


class Caller:
    """A client of the API, signed in as `user` unless that is None."""

    def __init__(self, client: aiohttp.ClientSession, settings: Settings, user: User | None) -> None:
        self._client = client
        token = None if user is None else mint(settings, user_id=user.id, email=user.email)
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

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
