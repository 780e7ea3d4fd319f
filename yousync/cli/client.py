"""YouSync's HTTP API from the outside, as much of it as a demonstration needs."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import aiohttp

from yousync.cli.failure import CommandError, Exit

FINAL = {"completed", "failed", "error"}
_RECONNECT_SECONDS = 0.5
_PAGE = 500


class Client:
    """One server, by its public URL."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def script_id(self, token_name: str, place: int) -> int | None:
        """The id of a clip's sentence, counted from 0 in the order of time; None where the catalogue has none such."""
        skip = 0
        while page := await self._json(f"/tokens?skip={skip}&limit={_PAGE}"):
            for token in page:
                if token["token_name"] == token_name:
                    scripts = await self._json(f"/scripts/token/{token['id']}?limit={_PAGE}")
                    found = sorted(scripts, key=itemgetter("start_time"))[place : place + 1]
                    return int(found[0]["id"]) if found else None
            skip += _PAGE
        return None

    async def upload(self, script_id: int, recording: Path) -> str:
        """Send a recording of this sentence; the job's id. Each call is a job of its own."""
        content = await asyncio.to_thread(recording.read_bytes)
        form = aiohttp.FormData()
        form.add_field("file", content, filename=recording.name, content_type="application/octet-stream")
        address = f"{self._url}/scripts/{script_id}/upload-audio"
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        async with self._session.post(address, data=form, headers=headers) as response:
            accepted = await self._checked(response)
        return str(accepted["job_id"])

    async def progress(self, job_id: str) -> AsyncIterator[dict[str, Any]]:
        """The job's states as they are pushed, to the last; a stream that is cut is taken up where it ended."""
        address = f"{self._url}/scripts/analysis-progress/{job_id}"
        headers = {"Accept": "text/event-stream"}
        unlimited = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        while True:
            try:
                async with self._session.get(address, headers=headers, timeout=unlimited) as response:
                    if response.status != 200:
                        await self._checked(response)
                    async for raw in response.content:
                        field, _, value = raw.decode().rstrip("\r\n").partition(":")
                        if field == "id":
                            headers["Last-Event-ID"] = value.strip()
                        elif field == "data":
                            event = json.loads(value)
                            yield event
                            if event.get("status") in FINAL:
                                return
            except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, TimeoutError):
                pass
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def result(self, job_id: str) -> dict[str, Any]:
        """The job as `GET /scripts/analysis-result/{job_id}` answers."""
        found = await self._json(f"/scripts/analysis-result/{job_id}")
        if not isinstance(found, dict):
            raise CommandError(f"{self._url} answered with something that is no job", Exit.UNREACHABLE)
        return found

    async def _json(self, path: str) -> Any:
        async with self._session.get(f"{self._url}{path}") as response:
            return await self._checked(response)

    async def _checked(self, response: aiohttp.ClientResponse) -> Any:
        try:
            body = await response.json(content_type=None)
        except ValueError:
            body = None
        if response.status >= 400 or body is None:
            detail = body.get("detail") if isinstance(body, dict) else None
            raise CommandError(
                f"{response.method} {response.url.path} was answered with {response.status}"
                + (f": {detail}" if detail else ""),
                Exit.FAILED,
            )
        return body
