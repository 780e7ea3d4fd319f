"""What operators do to jobs, one or many: those that are named, or all that a filter finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jobs.deps import Deps
from jobs.filter import Filter
from jobs.ops import By, Ops
from jobs.pipeline import CHOICES, MOVES, Move
from jobs.search import search
from yousync.errors import JobNotFound, OperationRefused
from yousync.job import Job, Stage, State, is_job_id

AT_ONCE: Final = 16  # below the pool of database connections
PAGE: Final = 200


class Action(StrEnum):
    """What can be done to many jobs."""

    RETRY = "retry"
    CANCEL = "cancel"
    ACCEPT_LATE = "accept-late-result"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An action with all it takes; `stage` is where retried jobs begin, None: where each had got to."""

    action: Action
    by: By
    stage: Stage | None = None

    def applicable(self, wanted: Filter) -> Filter:
        """The filter, narrowed to the states that a job can be in when this is done to it."""
        return replace(wanted, states=wanted.states & self._states())

    def _states(self) -> frozenset[State]:
        match self.action:
            case Action.RETRY:
                ended = frozenset(CHOICES[Move.RESTART][0])
                return ended if self.stage else ended - {State.COMPLETED}
            case Action.CANCEL:
                return frozenset(MOVES[Move.CANCEL])
            case Action.ACCEPT_LATE:
                return frozenset(MOVES[Move.ACCEPT_LATE])
            case Action.DELETE:
                return frozenset(MOVES[Move.ERASE])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A job that nothing was done to, and why."""

    job_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was done to which jobs."""

    action: Action
    done: list[str]
    refused: list[Refusal]


async def do(ops: Ops, operation: Operation, job_id: str) -> Job | None:
    """Do it to this job; where it stands then, None for a deleted one. Raises JobNotFound, OperationRefused."""
    if not is_job_id(job_id):
        raise JobNotFound
    match operation.action:
        case Action.RETRY:
            return await ops.restart(job_id, stage=operation.stage, by=operation.by)
        case Action.CANCEL:
            return await ops.cancel(job_id, by=operation.by)
        case Action.ACCEPT_LATE:
            return await ops.accept_late(job_id, by=operation.by)
        case Action.DELETE:
            await ops.delete(job_id, by=operation.by)
            return None


async def do_to(ops: Ops, operation: Operation, job_ids: Iterable[str]) -> Report:
    """Do it to these jobs. One that refuses keeps nobody else from it; what is down raises its own errors."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(job_id: str) -> Refusal | None:
        async with turns:
            try:
                await do(ops, operation, job_id)
            except (JobNotFound, OperationRefused) as error:
                return Refusal(job_id=job_id, code=error.code, detail=error.in_english)
            return None

    named = list(dict.fromkeys(job_ids))
    answers = await asyncio.gather(*map(one, named), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return Report(
        action=operation.action,
        done=[job_id for job_id, answer in zip(named, answers, strict=True) if answer is None],
        refused=[answer for answer in answers if isinstance(answer, Refusal)],
    )


async def do_to_all(
    deps: Deps, ops: Ops, operation: Operation, wanted: Filter, *, limit: int | None = None
) -> AsyncIterator[Report]:
    """Do it to all jobs that `wanted` finds, newest first, or to the newest `limit`: a report for each page."""
    applicable, cursor, left = operation.applicable(wanted), None, limit
    while left is None or left > 0:
        page = await search(deps, applicable, cursor=cursor, limit=PAGE if left is None else min(PAGE, left))
        yield await do_to(ops, operation, [job.job_id for job in page.jobs])
        if page.next_cursor is None:
            return
        cursor, left = page.next_cursor, None if left is None else left - len(page.jobs)
