"""Erasing recordings and results: what a tombstone says of it, and a learner's own, many at once."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from jobs.deps import Deps
from jobs.identity import Identity
from jobs.pipeline import Move
from jobs.reconciler import job_of_row
from models.deletion import attempts_of, bury_many
from yousync.job import Event, Job, State

DELETED: Final = "deleted"
"""The code of a job that was deleted."""
_WHY: Final = "the learner deleted their results"
_BATCH: Final = 100
_AT_ONCE: Final = 16


def burial(job: Job, version: int, *, at: datetime, who: str, why: str) -> dict[str, Any]:
    """The event that a tombstone keeps; `version` is the row's."""
    return asdict(
        Event(
            version=max(job.version, version) + 1,
            at_ms=round(at.timestamp() * 1000),
            move=Move.ERASE,
            source=job.state,
            target=State.CLEANING,
            actor=who,
            code=DELETED,
            cause=why,
        )
    )


async def erase_attempts(deps: Deps, identity: Identity, *, user_id: int, token_id: int) -> int:
    """Delete a learner's attempts at a clip for good, whatever their jobs are doing; how many those were.

    Tombstones first, a statement for a hundred of them: from then on nothing is seen of them and nothing is written
    back. Then the records, whose cleaning removes the audio. A process that dies in between leaves tombstones whose
    audio is not cleaned, which retention takes up within minutes.
    """
    who, erased = f"user:{user_id}", 0
    turns = asyncio.Semaphore(_AT_ONCE)

    async def clean(job: Job) -> None:
        async with turns:
            await deps.store.erase(job, code=DELETED, actor=who, cause=_WHY)

    while rows := await attempts_of(user_id, token_id, limit=_BATCH):
        records = await deps.store.read_many([row.job_id for row in rows])
        jobs = {row.job_id: records.get(row.job_id) or job_of_row(row, identity) for row in rows}
        now = await deps.store.now()
        events = {row.job_id: burial(jobs[row.job_id], row.version, at=now, who=who, why=_WHY) for row in rows}
        erased += await bury_many(events)
        await asyncio.gather(*map(clean, jobs.values()))
    return erased
