"""Telling the stand-in analysis server how to behave, and reading what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp


class Control:
    """The stand-in's own controls."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def _post(self, path: str, body: Any = None) -> None:
        async with self._session.post(path, json=body) as reply:
            assert reply.status == 200, await reply.text()

    async def behave(self, mode: str, **how: Any) -> None:
        """Treat requests like this from now on, or the next `count` of them."""
        await self._post("/behaviour", {"mode": mode} | how)

    async def plan(self, *behaviours: dict[str, Any]) -> None:
        """Treat the next requests like this, one after the other."""
        await self._post("/behaviour", list(behaviours))

    async def release(self, job_ids: list[str] | None = None) -> None:
        """Send the webhooks that were held, all or those of these jobs."""
        await self._post("/release", {"job_ids": job_ids})

    async def reset(self) -> None:
        """Forget everything, webhooks under way included."""
        await self._post("/reset")

    async def asked(self, job_id: str) -> int:
        """How often an analysis of this job was asked for."""
        return len(await self.requests(job_id))

    async def requests(self, job_id: str) -> list[dict[str, Any]]:
        """The ledger's lines about requests for this job."""
        return await self._lines("request", job_id)

    async def runs(self, job_id: str) -> int:
        """How many analyses of this job were begun: a request with a key that is known begins none."""
        return len(await self._lines("run", job_id))

    async def webhooks(self, job_id: str) -> list[dict[str, Any]]:
        """The ledger's lines about attempts to tell the result: how each was answered, and since when it was there."""
        return await self._lines("webhook", job_id)

    async def _lines(self, event: str, job_id: str) -> list[dict[str, Any]]:
        async with self._session.get("/ledger", params={"job_id": job_id}) as reply:
            return [line for line in (await reply.json())["lines"] if line["event"] == event]


@asynccontextmanager
async def control(url: str) -> AsyncIterator[Control]:
    """The controls of the stand-in at `url`, which behaves normally before and after."""
    async with aiohttp.ClientSession(url) as session:
        made = Control(session)
        await made.reset()
        try:
            yield made
        finally:
            await made.reset()
