"""Following jobs as they happen: hints say where to look, the event logs say what there was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from jobs import keys
from jobs.changes import Hint, open_changes
from jobs.deps import Deps
from jobs.detail import timeline
from models.analysis_result import find_result
from yousync.errors import JobNotFound
from yousync.job import Event, Job, is_job_id
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 0.5
_REMEMBERED: Final = 10_000  # jobs of which is known how much of their logs was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event of one job."""

    job_id: str
    event: Event


async def tail(deps: Deps, job_id: str) -> AsyncGenerator[Line, None]:
    """A job's events from its first to its last, each once, whatever connections break. Raises JobNotFound."""
    row = await find_result(job_id) if is_job_id(job_id) else None
    if row is None and (not is_job_id(job_id) or await deps.store.read(job_id) is None):
        raise JobNotFound
    seen = 0
    async with _hints(deps, job_id) as hints:
        async for _ in hints:
            job, events = await _look(deps, job_id)
            for event in timeline(row.history if row else None, events):
                if event.version > seen:
                    seen = event.version
                    yield Line(job_id=job_id, event=event)
            if job is None or job.state.final:
                return


async def tail_all(deps: Deps) -> AsyncGenerator[Line, None]:
    """The events of all jobs from now on, until cancelled."""
    seconds, micros = await deps.valkey.time()
    began_ms = int(seconds) * 1000 + int(micros) // 1000
    seen: dict[str, int] = {}
    async with _hints(deps, None) as hints:
        async for job_id in hints:
            _, events = await _look(deps, job_id)
            last = seen.pop(job_id, 0)
            for event in events:
                if event.version > last and event.at_ms >= began_ms:
                    last = event.version
                    yield Line(job_id=job_id, event=event)
            seen[job_id] = last
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]


async def _look(deps: Deps, job_id: str) -> tuple[Job | None, list[Event]]:
    """A job's record and log, as soon as Valkey has an answer."""
    while True:
        try:
            job = await deps.store.read(job_id)  # first: the event that ended it is in the log by then
            return job, await deps.store.events(job_id)
        except VALKEY_DOWN as error:
            log.warning("tail_interrupted", cause=type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)


class _Hints:
    """Jobs to look at, each once however often it was hinted at meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()

    def add(self, job_id: str) -> None:
        """There may be something new about this job."""
        self._waiting[job_id] = None
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._each()

    async def _each(self) -> AsyncIterator[str]:
        while True:
            await self._wake.wait()
            while self._waiting:
                job_id = next(iter(self._waiting))
                del self._waiting[job_id]
                yield job_id
            self._wake.clear()


@asynccontextmanager
async def _hints(deps: Deps, job_id: str | None) -> AsyncIterator[_Hints]:
    """Hints about one job, the first at once, or about all."""
    hints = _Hints()

    def hint(moved: Hint) -> None:
        if job_id in {None, moved.job_id}:
            hints.add(moved.job_id)

    def missed() -> None:
        if job_id is not None:
            hints.add(job_id)

    async with open_changes(deps.settings, keys.MOVED, beside=deps.valkey) as changes:
        listening = asyncio.create_task(changes.listen(hint, missed))
        try:
            missed()
            yield hints
        finally:
            await cancel(listening)
