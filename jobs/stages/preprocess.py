"""Preprocess: hand a video to the preprocess server, at most so often, and leave the waiting to the clock."""

from __future__ import annotations

from jobs.deps import Deps
from jobs.outcomes import Done, Spent, Waiting
from jobs.stages.asking import ask_once_more, not_asked, until_deadline
from yousync.failures import Down, Transient, Unclear
from yousync.job import Job


async def preprocess(deps: Deps, job: Job) -> Done | Waiting | Spent:
    """Ask for the clips of one video, unless an earlier request may still bring them.

    Before the first byte goes out the record says so (`asked_ms`): from then on the server may have the video, and
    is asked again only when its deadline has passed.
    """
    wait = deps.settings.preprocess_wait_seconds
    if job.inbox:
        return Done()
    if job.asked_ms > 0:
        return until_deadline(job, wait, answered=False)
    if job.asks >= deps.settings.preprocess_asks:
        return Spent("preprocess_timeout", f"asked {job.asks} times without a result")
    asked = await ask_once_more(deps, job)
    try:
        await deps.preprocessing.ask(asked)
    except (Down, Transient):
        await not_asked(deps, asked, job)
        raise
    except Unclear:
        return Waiting(wait)
    return Waiting(wait, answered=True)
