"""Jobs brought to a state the way the engine does it, step by step."""

from __future__ import annotations

from typing import Final

import orjson

from jobs.deps import Deps
from jobs.outcomes import Concluded
from jobs.pipeline import Move
from jobs.stages.persist import persist
from jobs.store import Due
from yousync.job import STAGE_OF, Job, Kind, State

RESULT: Final = orjson.dumps({"result": {"overall_score": 0.8, "word_analysis": []}})
CAUSE: Final = "said by the analysis server"
_LATER: Final = Due(seconds=600)
_BEFORE: Final = {
    State.UPLOADING: State.ACCEPTED,
    State.SUBMITTING: State.UPLOADED,
    State.WAITING: State.SUBMITTING,
    State.ORDERING: State.ORDERED,
    State.PREPARING: State.ORDERING,
    State.MIXING: State.REQUESTED,
    State.PERSISTING: State.RECEIVED,
}
_WORKING: Final = {Kind.YOUTUBE: State.ORDERING, Kind.SYNTHESIS: State.MIXING}


async def bring(deps: Deps, job: Job, state: State, *, code: str = "analysis_timeout") -> Job:
    """Take a job just accepted to `state`; those that end without a result do so while submitting, with `code`."""
    match state:
        case State.ACCEPTED | State.ORDERED | State.REQUESTED:
            return job
        case State.UPLOADING | State.SUBMITTING | State.ORDERING | State.MIXING | State.PERSISTING:
            return await claimed(deps, await bring(deps, job, _BEFORE[state]))
        case State.UPLOADED:
            job = await bring(deps, job, State.UPLOADING)
            return await deps.store.move(job, Move.FINISH, due=_LATER, unstage=True)
        case State.WAITING | State.PREPARING:
            return await deps.store.move(await bring(deps, job, _BEFORE[state]), Move.WAIT, due=_LATER)
        case State.RECEIVED if job.kind is Kind.SYNTHESIS:
            return await deps.store.move(await bring(deps, job, State.MIXING), Move.FINISH, due=_LATER)
        case State.RECEIVED:
            asked = State.PREPARING if job.kind is Kind.YOUTUBE else State.WAITING
            await deps.store.deliver((await bring(deps, job, asked)).id, RESULT)
            return await read(deps, job)
        case State.COMPLETED:
            return await _concluded(deps, await bring(deps, job, State.PERSISTING))
        case State.FAILED | State.PARKED | State.CANCELLED:
            job = await bring(deps, job, _WORKING.get(job.kind, State.SUBMITTING))
            return await _concluded(deps, await _settled(deps, job, state, code))
        case State.CLEANING:
            await deps.store.erase(job, code="deleted")
            return await read(deps, job)


async def claimed(deps: Deps, job: Job) -> Job:
    """The job with a lease on it, and its next stage begun."""
    held = await deps.store.claim(job.id, job.version)
    assert held is not None
    return held


async def read(deps: Deps, job: Job) -> Job:
    """The job's record."""
    found = await deps.store.read(job.id)
    assert found is not None
    return found


async def _settled(deps: Deps, job: Job, outcome: State, code: str) -> Job:
    return await deps.store.move(
        job,
        Move.SETTLE,
        claim_next=True,
        event={"code": code, "cause": CAUSE},
        outcome=outcome,
        stage=STAGE_OF[job.state],
        code=code,
    )


async def _concluded(deps: Deps, job: Job) -> Job:
    end = await persist(deps, job)
    assert isinstance(end, Concluded)
    return await deps.store.conclude(job, end.state, code=end.code)


async def lose(deps: Deps, job: Job) -> None:
    """What a wiped Valkey does to a job."""
    await deps.valkey.delete(f"yousync:job:{job.id}", f"yousync:events:{job.id}", f"yousync:audio:{job.id}")
