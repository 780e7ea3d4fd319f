"""Reading a job's stream as a browser does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass
class Message:
    """One event of a stream."""

    data: dict[str, Any]
    id: str = ""
    retry: str = ""
    event: str = ""


@dataclass
class Stream:
    """All that a stream sent until it ended."""

    messages: list[Message] = field(default_factory=list)
    comments: int = 0

    @property
    def statuses(self) -> list[str]:
        return [message.data["status"] for message in self.messages]

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1].data


async def read_stream(reply: aiohttp.ClientResponse, *, until: int | None = None) -> Stream:
    """Read events until the stream ends, or `until` of them have come."""
    stream, fields = Stream(), dict[str, str]()
    async for raw in reply.content:
        line = raw.decode().rstrip("\r\n")
        if line.startswith(":"):
            stream.comments += 1
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            stream.messages.append(Message(json.loads(fields.pop("data")), **fields))
            fields = {}
            if len(stream.messages) == until:
                break
    return stream


async def follow(
    client: aiohttp.ClientSession, job_id: str, *, last_event_id: str = "", noun: str = "scripts"
) -> Stream:
    """A job's stream from here to its end."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with asyncio.timeout(30), client.get(f"/{noun}/analysis-progress/{job_id}", headers=headers) as reply:
        assert reply.status == 200
        return await read_stream(reply)
