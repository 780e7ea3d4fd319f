"""Progress streams as browsers follow them: opened, read event by event, opened again when they break off."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

import orjson
from typing_extensions import override

from benchmarks.wire import HOST, ReplyReader, get

_FINAL: Final = frozenset({"completed", "failed", "error"})
_RETRY_SECONDS: Final = 3.0  # what browsers wait unless the stream says otherwise
_LOOK_SECONDS: Final = 0.02


@dataclass(slots=True)
class Watched:
    """One job as its stream tells of it. Times are time.perf_counter's."""

    job_id: str
    opened: float = 0.0  # when the newest connection was answered with 200, 0 while there is none
    last_id: str = ""
    retry_seconds: float = _RETRY_SECONDS
    events: int = 0
    progress: int = 0
    last_event: float = 0.0
    status: str = ""
    ended: float = 0.0
    transport: asyncio.Transport | None = field(default=None, repr=False)


class Follower:
    """Follows jobs of one server; `sources` are the addresses to connect from, in turn."""

    def __init__(self, port: int, *, sources: Iterable[str] = (HOST,)) -> None:
        self._port = port
        self._sources = cycle(sources)
        self._opening: set[asyncio.Task[None]] = set()
        self._scout: asyncio.Task[None] | None = None
        self._closed = False
        self.jobs: dict[str, Watched] = {}
        self.progressed = time.perf_counter()  # when anything last came in

    def follow(self, job_id: str) -> None:
        """Open a stream, and go on opening it until the job has ended."""
        self.jobs[job_id] = Watched(job_id)
        self._open(self.jobs[job_id])

    @property
    def open_streams(self) -> int:
        """How many are answered and unbroken."""
        return sum(job.opened > 0 for job in self.jobs.values())

    @property
    def unended(self) -> int:
        """Jobs whose end nobody has heard of."""
        return sum(not job.ended for job in self.jobs.values())

    async def settled(self, *, stall: float) -> bool:
        """Wait until every job has ended, or nothing has come for `stall` seconds; whether all have ended."""
        return await self.until(lambda: not self.unended, stall=stall)

    async def until(self, condition: Callable[[], object], *, stall: float, most: float = math.inf) -> bool:
        """Wait for a condition as long as anything comes in at least every `stall` seconds, `most` seconds in all."""
        begun = self.progressed = time.perf_counter()
        while not condition():
            now = time.perf_counter()
            if now - self.progressed > stall or now - begun > most:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def close(self) -> None:
        """Hang up on all."""
        self._closed = True
        for task in self._opening:
            task.cancel()
        for job in self.jobs.values():
            if job.transport is not None:
                job.transport.abort()
        if self._scout is not None:
            self._scout.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _open(self, job: Watched) -> None:
        if self._closed or job.ended:
            return
        if self._scout is not None:  # it would be refused
            self.broken(job)
            return
        task = asyncio.create_task(self._connect(job))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, job: Watched) -> None:
        source = (next(self._sources), 0)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Stream(self, job), HOST, self._port, local_addr=source)
        except ConnectionRefusedError:
            self._scout = self._scout or asyncio.create_task(self._look_out())
            self.broken(job)
        except OSError:
            self.broken(job)

    async def _look_out(self) -> None:
        """Find out when the server listens again, on behalf of all: refusals by the thousand would cost us a core."""
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, self._port)
                except OSError:
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    writer.close()
                    break
        self._scout = None

    def broken(self, job: Watched) -> None:
        """A stream is gone: where its job has not ended it is opened again, after the time it was told to wait."""
        job.opened, job.transport = 0.0, None
        if not (self._closed or job.ended):
            asyncio.get_running_loop().call_later(job.retry_seconds, self._open, job)

    def told(self, job: Watched, event: bytes) -> None:
        """Take one event, as it stood on the wire."""
        for line in event.splitlines():
            name, _, value = line.partition(b":")
            match name:
                case b"id":
                    job.last_id = value.strip().decode()
                case b"retry":
                    job.retry_seconds = int(value) / 1000
                case b"data":
                    self._heard(job, orjson.loads(value))

    def _heard(self, job: Watched, data: dict[str, Any]) -> None:
        self.progressed = job.last_event = time.perf_counter()
        job.events += 1
        job.status = str(data.get("status", "error"))
        job.progress = int(data.get("progress") or 0)
        if job.status in _FINAL and not job.ended:
            job.ended = job.last_event
            if job.transport is not None:
                job.transport.abort()


class _Stream(asyncio.Protocol):
    """One connection of one stream."""

    __slots__ = ("_buffer", "_follower", "_job", "_reader", "_transport")

    def __init__(self, follower: Follower, job: Watched) -> None:
        self._follower = follower
        self._job = job
        self._reader = ReplyReader(self._head, self._body, self._end)
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = self._job.transport = transport
            path = f"/scripts/analysis-progress/{self._job.job_id}"
            transport.write(get(path, last_event_id=self._job.last_id))

    @override
    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._follower.broken(self._job)

    def _head(self, status: int) -> None:
        if status == 200:
            self._job.opened = self._follower.progressed = time.perf_counter()

    def _body(self, piece: bytes) -> None:
        self._buffer += piece.replace(b"\r\n", b"\n")
        *events, self._buffer = self._buffer.split(b"\n\n")
        for event in events:
            self._follower.told(self._job, event)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.abort()
