"""Takes orders, has them measured one after the other, and remembers what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import aiohttp
import orjson
import structlog

from yousync.analyzer.config import Config
from yousync.analyzer.metrics import Metrics
from yousync.analyzer.order import Order
from yousync.analyzer.recordings import FetchError, Recordings
from yousync.analyzer.reference import Reference, UnusableReference
from yousync.analyzer.references import References
from yousync.analyzer.webhook import deliver
from yousync.analyzer.words import Line
from yousync.analyzer.worker import question, reference_question
from yousync.audio.crew import Crew
from yousync.audio.process import ChildError, ChildTimeoutError

_log = structlog.get_logger("yousync.analyzer")


class DeskFullError(Exception):
    """As many orders wait as may; try again later."""


class OrderClashError(Exception):
    """An analysis of the same name but of something else is under way."""


class Progress(StrEnum):
    """Where an analysis is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(slots=True)
class Analysis:
    """One order and what became of it; `again` when failing was no fault of the recording."""

    order: Order
    progress: Progress = Progress.QUEUED
    outcome: dict[str, Any] = field(default_factory=dict)
    again: bool = False

    @property
    def ended(self) -> bool:
        """Whether there is an outcome."""
        return self.progress in {Progress.COMPLETED, Progress.FAILED}

    def as_json(self) -> dict[str, Any]:
        """The webhook's body, and the answer to whoever asks."""
        return {"job_id": self.order.job_id, "status": self.progress.value, **self.outcome}


class Desk:
    """The heart of the server. All of it is in memory: callers who miss an answer ask again, and get 404 or it."""

    def __init__(self, settings: Config, crew: Crew, recordings: Recordings, session: aiohttp.ClientSession) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._crew = crew
        self._recordings = recordings
        self._session = session
        self._queue: asyncio.Queue[Analysis] = asyncio.Queue(settings.analyzer_queue)
        self._open: dict[str, Analysis] = {}
        self._ended: OrderedDict[str, Analysis] = OrderedDict()
        self._deliveries: dict[str, asyncio.Task[bool]] = {}
        # A question waits here, without a limit, and not for a child of the crew, where patience has one.
        self._seats = asyncio.Semaphore(settings.analyzer_workers)
        self._references = References(
            recordings, self._listen, self.metrics, seconds=settings.analyzer_reference_seconds
        )
        self.metrics.watch(waiting=self._queue.qsize, workers=lambda: len(crew.pids))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Config) -> AsyncIterator[Self]:
        """Starts the measuring processes and the tasks that feed them."""
        timeout = aiohttp.ClientTimeout(total=20, connect=5)
        async with (
            Crew.open(
                "yousync.analyzer.worker",
                [repr(settings.analyzer_max_seconds)],
                size=settings.analyzer_workers,
                seconds_each=settings.analyzer_seconds_each,
            ) as crew,
            Recordings.open(settings) as recordings,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            desk = cls(settings, crew, recordings, session)
            # One more than there are processes, so that the next recording is fetched while they measure.
            feeders = [asyncio.create_task(desk._feed()) for _ in range(settings.analyzer_workers + 1)]
            try:
                yield desk
            finally:
                tasks: list[asyncio.Task[Any]] = [*feeders, *desk._deliveries.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def take(self, order: Order) -> Analysis:
        """Queues the order, unless it is known: then nothing is measured twice, and an outcome is sent again.

        A failure that was no fault of the recording is not held against it: such an order starts anew. Raises
        DeskFullError and OrderClashError.
        """
        known = self._open.get(order.job_id) or self._ended.get(order.job_id)
        same = known is not None and known.order.fingerprint == order.fingerprint
        if known is not None and not known.ended:
            if not same:
                raise OrderClashError
            known.order = order
            return known
        if known is not None and same and not known.again:
            known.order = order
            self._ended.move_to_end(order.job_id)
            self._deliver(known)
            return known
        if self._queue.full() or len(self._deliveries) > 4 * self._settings.analyzer_queue:
            raise DeskFullError
        analysis = Analysis(order)
        self._ended.pop(order.job_id, None)
        self._open[order.job_id] = analysis
        self._queue.put_nowait(analysis)
        return analysis

    def find(self, job_id: str) -> Analysis | None:
        """The analysis of that name, if it is under way or still remembered."""
        return self._open.get(job_id) or self._ended.get(job_id)

    async def _feed(self) -> None:
        while True:
            analysis = await self._queue.get()
            analysis.progress = Progress.RUNNING
            try:
                outcome, analysis.again = await self._measure(analysis.order)
            except Exception:  # noqa: BLE001 -- whatever it is, the caller must hear of it and the next order go on
                _log.exception("analysis broke", job_id=analysis.order.job_id)
                outcome, analysis.again = _failure("analysis_failed", "The analysis failed."), True
            self._end(analysis, outcome)

    async def _measure(self, order: Order) -> tuple[dict[str, Any], bool]:
        """The outcome, and whether another try might end otherwise."""
        try:
            recording = await self._recordings.fetch(order.recording.bucket, order.recording.key)
            line = await self._references.line(order)
            reference, unusable = await self._references.reference(order, line)
            outcome = await self._ask(question(recording, line, reference))
        except FetchError as error:
            return _failure(error.code, error.message), error.again
        except ChildTimeoutError:
            return _failure("analysis_timeout", "The recording took too long to measure."), True
        except ChildError:
            return _failure("worker_died", "The process that measured the recording was killed."), True
        if unusable and "result" in outcome:
            outcome["result"]["warnings"].append("reference_unusable")
        return outcome, False

    async def _ask(self, asked: bytes) -> dict[str, Any]:
        """What one of the measuring processes answers; raises ChildError."""
        async with self._seats:
            with self.metrics.seconds.time():
                found: dict[str, Any] = orjson.loads(await self._crew.ask(asked))
        return found

    async def _listen(self, recording: bytes, line: Line) -> Reference:
        """The features of an actor's own recording."""
        try:
            found = await self._ask(reference_question(recording, line))
        except ChildError as error:
            raise UnusableReference("it takes too much time or memory") from error
        if "features" not in found:
            raise UnusableReference(str(_code(found)))
        return Reference.from_json(found["features"])

    def _end(self, analysis: Analysis, outcome: dict[str, Any]) -> None:
        analysis.outcome = outcome
        analysis.progress = Progress.FAILED if "error" in outcome else Progress.COMPLETED
        job_id = analysis.order.job_id
        self._open.pop(job_id, None)
        self._ended[job_id] = analysis
        while len(self._ended) > self._settings.analyzer_kept:
            self._ended.popitem(last=False)
        self.metrics.ended.labels(analysis.progress.value, _code(outcome) or "").inc()
        _log.info("analysis ended", job_id=job_id, status=analysis.progress.value, code=_code(outcome))
        self._deliver(analysis)

    def _deliver(self, analysis: Analysis) -> None:
        """Sends the outcome; a delivery still trying is replaced, as the newest order knows the address."""
        job_id = analysis.order.job_id
        if older := self._deliveries.pop(job_id, None):
            older.cancel()
        task = asyncio.create_task(
            deliver(
                self._session,
                analysis.order,
                orjson.dumps(analysis.as_json()),
                give_up_after=self._settings.analyzer_webhook_seconds,
                metrics=self.metrics,
                secrets=[secret.get_secret_value() for secret in self._settings.webhook_secret],
            )
        )
        self._deliveries[job_id] = task
        task.add_done_callback(lambda done: self._delivered(job_id, done))

    def _delivered(self, job_id: str, task: asyncio.Task[bool]) -> None:
        if self._deliveries.get(job_id) is task:
            del self._deliveries[job_id]


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _code(outcome: dict[str, Any]) -> str | None:
    error = outcome.get("error")
    return str(error.get("code")) if isinstance(error, dict) else None
