"""What the stages share that ask a server and wait for its webhook."""

from __future__ import annotations

from jobs.deps import Deps
from jobs.outcomes import Waiting
from jobs.pipeline import Move
from yousync.job import Job


async def ask_once_more(deps: Deps, job: Job, cause: str = "") -> Job:
    """Record that the server may know the job from now on; a request still open is not counted twice."""
    asks = job.asks if job.asked_ms else job.asks + 1
    return await deps.store.move(
        job,
        Move.ASK,
        keep_claim=True,
        stamps=["asked_ms"],
        asks=asks,
        event={"attempt": asks, "cause": cause},
    )


async def not_asked(deps: Deps, asked: Job, before: Job) -> None:
    """The server said that it did not take the job, or was never reached: this was no request."""
    await deps.store.move(asked, Move.REFUSED, keep_claim=True, asks=before.asks, asked_ms=before.asked_ms)


def until_deadline(job: Job, wait_seconds: float, *, answered: bool) -> Waiting:
    """The time an open request has left; both moments are on Valkey's clock."""
    passed = (job.updated_ms - job.asked_ms) / 1000
    return Waiting(max(0.0, wait_seconds - passed), answered, job.queued)
