"""The event hub: every open stream of this process, fed by one subscriber; states are read in batches, encoded once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from jobs.changes import Changes, Hint
from jobs.engine import Engine, running
from web.replies import encode
from yousync.errors import DependencyDown
from yousync.job import Job, Kind, View, clips_of
from yousync.metrics import EVENT_LAG, STREAMS_OPEN
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

_READ_AGAIN_SECONDS = 1.0
_BATCH = 200
_READERS = 3  # so that one that waits for Postgres keeps nobody else waiting


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream: a job's whole state, encoded."""

    kind: Kind
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
    data: dict[str, Any] = {
        "job_id": view.job_id,
        "status": view.status,
        "progress": view.progress,
        "message": view.message,
        "result": view.result,
    }
    if view.kind is Kind.YOUTUBE:
        data |= dict(zip(("token_id", "token_ids"), clips_of(view), strict=True))
    return Frame(view.kind, view.version, encode(data).decode(), final=view.final, moved_ms=view.moved_ms)


class Watcher:
    """One stream's place in the hub. It keeps the newest frame only: a slow reader skips what it missed."""

    __slots__ = ("_closed", "_failed", "_frame", "_wake")

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._wake = asyncio.Event()
        self._closed = False
        self._failed = False

    def offer(self, frame: Frame) -> None:
        """Put a frame in place of the one that waits."""
        self._frame = frame
        self._wake.set()

    def close(self) -> None:
        """End the stream: there is no such job (any more), the client is gone, or this process stops."""
        self._closed = True
        self._wake.set()

    def fail(self) -> None:
        """Nothing can be said of the job at this moment."""
        self._failed = True
        self._wake.set()

    async def next(self) -> Frame | None:
        """The newest frame not seen yet, as soon as there is one; None when the stream is to end.

        Raises DependencyDown when what knows of the job is away.
        """
        await self._wake.wait()
        self._wake.clear()
        if self._closed:
            self._wake.set()
            return None
        if self._failed:
            raise DependencyDown(retry_after=5)
        frame, self._frame = self._frame, None
        return frame


@dataclass(slots=True)
class _Topic:
    """A watched job: who watches, and what they were last told."""

    watchers: set[Watcher] = field(default_factory=set)
    frame: Frame | None = None

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
    """Streams by job. A hint tells of a job, or marks it stale; readers take what is stale, many at a time."""

    def __init__(self, engine: Engine, changes: Changes) -> None:
        self._engine = engine
        self._changes = changes
        self._topics: dict[str, _Topic] = {}
        self._stale: dict[str, Job | None] = {}  # in the order of their hints, which may have told of their ends
        self._woken = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether streams have to end, because this process does."""
        return self._over.is_set()

    async def over(self) -> None:
        """Wait until they have to."""
        await self._over.wait()

    @property
    def open_streams(self) -> int:
        """How many streams are open in this process."""
        return sum(len(topic.watchers) for topic in self._topics.values())

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watcher]:
        """A watcher that is offered the job's present state first and then every change."""
        watcher = Watcher()
        topic = self._topics.get(job_id)
        first = topic is None
        if topic is None:
            topic = self._topics[job_id] = _Topic()
        topic.watchers.add(watcher)
        STREAMS_OPEN.inc()
        try:
            if self.closed:
                watcher.close()
            elif first:
                self._reads(job_id)
            elif topic.frame is not None:
                watcher.offer(topic.frame)
            yield watcher
        finally:
            STREAMS_OPEN.dec()
            topic.watchers.discard(watcher)
            if not topic.watchers and self._topics.get(job_id) is topic:
                del self._topics[job_id]

    def close(self) -> None:
        """End every stream, now and from now on; browsers come back to another process."""
        self._over.set()
        for topic in self._topics.values():
            for watcher in topic.watchers:
                watcher.close()

    def _hint(self, hint: Hint) -> None:
        """A running job is told of by its hint; how one ended, only its row knows."""
        topic = self._topics.get(hint.job_id)
        if topic is None:
            return
        job = hint.job()
        view = None if job is None or topic.frame is None else running(job)
        if view is None:
            self._reads(hint.job_id, job)
        else:
            topic.tell(frame_of(view))

    def _reads(self, job_id: str, job: Job | None = None) -> None:
        self._stale[job_id] = job if job is not None and job.state.final else None
        self._woken.set()

    def _missed(self) -> None:
        """Hints may have been lost: whatever is watched is stale."""
        self._stale |= dict.fromkeys(self._topics)
        self._woken.set()

    async def read_forever(self) -> None:
        """Read what is stale until cancelled: any number of hints during a read lead to one more."""
        while True:
            await self._woken.wait()
            while batch := dict(itertools.islice(self._stale.items(), _BATCH)):
                for job_id in batch:
                    del self._stale[job_id]
                unread = await self._read(batch)
                if unread:
                    self._give_up_on_the_new(unread)
                    self._stale |= dict.fromkeys(unread)
                    await asyncio.sleep(_READ_AGAIN_SECONDS)
            self._woken.clear()

    async def _read(self, batch: Mapping[str, Job | None]) -> Collection[str]:
        """Tell the watchers of these jobs how they stand; those that have to be read again are returned."""
        topics = {job_id: self._topics[job_id] for job_id in batch if job_id in self._topics}
        new = {job_id for job_id, topic in topics.items() if topic.frame is None}
        told = {job_id: job for job_id in topics if (job := batch[job_id]) is not None}
        try:
            views = await self._engine.live_views(list(topics), unseen=new, told=told, trusting=True)
        except VALKEY_DOWN as error:
            log.warning("streams_read_failed", streams=len(topics), cause=type(error).__name__)
            return topics.keys()
        except Exception:  # whatever it is, the next time may go well, and nobody else would notice
            log.exception("streams_read_failed", streams=len(topics))
            return topics.keys()
        for job_id, topic in topics.items():
            if job_id in views.known:
                topic.tell(frame_of(views.known[job_id]))
            elif job_id not in views.unsure:
                if self._topics.get(job_id) is topic:
                    del self._topics[job_id]  # whoever comes before its watchers have gone asks anew
                for watcher in topic.watchers:
                    watcher.close()
        return views.unsure

    def _give_up_on_the_new(self, unread: Collection[str]) -> None:
        """Streams that have not begun are better answered with an error than not at all; the others just wait."""
        for job_id in unread:
            topic = self._topics.get(job_id)
            if topic is not None and topic.frame is None:
                for watcher in topic.watchers:
                    watcher.fail()

    async def listen(self) -> None:
        """Listen for hints until cancelled."""
        await self._changes.listen(self._hint, self._missed)


@asynccontextmanager
async def running_hub(engine: Engine, changes: Changes) -> AsyncIterator[Hub]:
    """A hub that listens and reads while inside."""
    hub = Hub(engine, changes)
    work = [hub.listen, *[hub.read_forever] * _READERS]
    tasks = [asyncio.create_task(each()) for each in work]
    try:
        yield hub
    finally:
        hub.close()
        await cancel(*tasks)
