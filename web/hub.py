"""The event hub: every open stream of this process, fed by one subscriber, each state read and encoded once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from jobs.changes import Changes
from jobs.engine import Engine
from models.db import DATABASE_DOWN
from web.replies import encode
from yousync.job import View
from yousync.metrics import EVENT_LAG, STREAMS_OPEN
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

_READ_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream: a job's whole state, encoded."""

    version: tuple[int, int]
    data: str
    final: bool
    moved_ms: int  # when the job got there, by Valkey's clock; 0 where only Postgres knows of it

    @property
    def id(self) -> str:
        """The SSE id; a reconnecting browser sends it back as Last-Event-ID."""
        return f"{self.version[0]}-{self.version[1]}"


def frame_of(view: View) -> Frame:
    """The message that tells what `view` says."""
    data = {
        "job_id": view.job_id,
        "status": view.status,
        "progress": view.progress,
        "message": view.message,
        "result": view.result,
    }
    return Frame(version=view.version, data=encode(data).decode(), final=view.final, moved_ms=view.moved_ms)


class Watcher:
    """One stream's place in the hub. It keeps the newest frame only: a slow reader skips what it missed."""

    __slots__ = ("_closed", "_frame", "_wake")

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._wake = asyncio.Event()
        self._closed = False

    def offer(self, frame: Frame) -> None:
        """Put a frame in place of the one that waits."""
        self._frame = frame
        self._wake.set()

    def close(self) -> None:
        """End the stream: the client is gone, or this process stops."""
        self._closed = True
        self._wake.set()

    async def next(self) -> Frame | None:
        """The newest frame not seen yet, as soon as there is one; None when the stream is to end."""
        await self._wake.wait()
        self._wake.clear()
        if self._closed:
            self._wake.set()
            return None
        frame, self._frame = self._frame, None
        return frame


@dataclass(slots=True)
class _Topic:
    """A watched job: who watches, what they were last told, and whether there is something new to read."""

    watchers: set[Watcher] = field(default_factory=set)
    frame: Frame | None = None
    stale: bool = False
    reader: asyncio.Task[None] | None = None

    def tell(self, frame: Frame) -> None:
        """Offer a frame to all watchers, unless it says nothing that the last one did not say."""
        last = self.frame
        if last is not None and (frame.data == last.data or (frame.version < last.version and not frame.final)):
            return
        self.frame = frame
        if last is not None and frame.moved_ms:  # the first frame is old news
            EVENT_LAG.observe(max(0.0, time.time() - frame.moved_ms / 1000))
        for watcher in self.watchers:
            watcher.offer(frame)


class Hub:
    """Streams by job. A hint marks a job stale; one reader per job reads it and tells all its watchers."""

    def __init__(self, engine: Engine, changes: Changes) -> None:
        self._engine = engine
        self._changes = changes
        self._topics: dict[str, _Topic] = {}
        self.closed = False

    @property
    def open_streams(self) -> int:
        """How many streams are open in this process."""
        return sum(len(topic.watchers) for topic in self._topics.values())

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[Watcher]:
        """A watcher that is offered the job's present state first and then every change."""
        watcher = Watcher()
        topic = self._topics.get(job_id)
        first = topic is None
        if topic is None:
            topic = self._topics[job_id] = _Topic()
        topic.watchers.add(watcher)
        try:
            if self.closed:
                watcher.close()
            elif first:
                await self._changes.follow(job_id)
                self._hint(job_id)
            elif topic.frame is not None:
                watcher.offer(topic.frame)
            with STREAMS_OPEN.track_inprogress():
                yield watcher
        finally:
            topic.watchers.discard(watcher)
            if not topic.watchers and self._topics.get(job_id) is topic:
                del self._topics[job_id]
                if topic.reader is not None:
                    topic.reader.cancel()
                await self._changes.unfollow(job_id)

    def close(self) -> None:
        """End every stream, now and from now on; browsers come back to another process."""
        self.closed = True
        for topic in self._topics.values():
            for watcher in topic.watchers:
                watcher.close()

    def _hint(self, job_id: str) -> None:
        topic = self._topics.get(job_id)
        if topic is None:
            return
        topic.stale = True
        if topic.reader is None or topic.reader.done():
            topic.reader = asyncio.create_task(self._read(job_id, topic))

    async def _read(self, job_id: str, topic: _Topic) -> None:
        """Read until nothing is stale: any number of hints during a read lead to one more."""
        while topic.stale:
            topic.stale = False
            try:
                view = await self._engine.live_view(job_id)
            except (*VALKEY_DOWN, *DATABASE_DOWN) as error:
                log.warning("stream_read_failed", job_id=job_id, cause=type(error).__name__)
                topic.stale = True
                await asyncio.sleep(_READ_AGAIN_SECONDS)
                continue
            if view is None:
                for watcher in topic.watchers:
                    watcher.close()
            else:
                topic.tell(frame_of(view))

    async def run(self) -> None:
        """Listen for hints until cancelled."""
        await self._changes.listen(self._hint)


@asynccontextmanager
async def running_hub(engine: Engine, changes: Changes) -> AsyncIterator[Hub]:
    """A hub that listens while inside."""
    hub = Hub(engine, changes)
    listening = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        hub.close()
        await cancel(listening)
