"""Persist: the outcome of a run goes to Postgres in one statement, before anyone is told."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Any, Final

from tortoise.exceptions import IntegrityError

from jobs.deps import Deps
from jobs.outcomes import Concluded, Deleted
from jobs.pipeline import Move
from jobs.results import conclusion_of, named_tokens, off_the_loop, prepared, text_of
from models.analysis_result import Conclusion, record_conclusion
from models.token import existing_tokens
from yousync.failures import Transient
from yousync.job import Event, Job, Kind, State

_EVENT: Final = tuple(field.name for field in fields(Event))


async def persist(deps: Deps, job: Job) -> Concluded | Deleted:
    """Write how this run ends: as decided earlier, or as the result that came says.

    The row's answer holds: where it already tells of this run's end, or of a newer run, that stands.
    """
    body, events = await deps.store.evidence(job.id)
    conclusion = await _conclusion(job, body)
    history = [_storable(event) for event in events]
    version = job.version + 1  # the move that announces it
    history.append(_last_event(job, conclusion, version))
    try:
        state = await record_conclusion(job, conclusion, version=version, history=history)
    except IntegrityError:
        # Its token, script or user was deleted meanwhile, and every row of theirs with it.
        return Deleted("catalogue_gone")
    if state is None:
        return Deleted("deleted")
    return Concluded(state, conclusion.code)


async def _conclusion(job: Job, body: bytes | None) -> Conclusion:
    if job.outcome is not None:
        return Conclusion(state=job.outcome, code=job.code, message=job.message, stage=job.stage)
    if job.kind is Kind.SYNTHESIS:
        return Conclusion(state=State.COMPLETED, result={"s3_key": job.s3_key})
    if body is None:
        raise Transient("result_lost", "the record says there is a result, and there is none")
    if job.kind is Kind.YOUTUBE:
        there = await existing_tokens(await off_the_loop(named_tokens, body))
        return await off_the_loop(partial(prepared, there=there), body)
    return await off_the_loop(conclusion_of, body)


def _storable(event: Event) -> dict[str, Any]:
    # Who or whatever caused it may have said anything, and no job must fail to end for that.
    values = ((name, getattr(event, name)) for name in _EVENT)
    return {name: text_of(value) if isinstance(value, str) else value for name, value in values}


def _last_event(job: Job, conclusion: Conclusion, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "at_ms": job.updated_ms,
        "move": Move.CONCLUDE.value,
        "source": State.PERSISTING.value,
        "target": conclusion.state.value,
        "actor": "",
        "attempt": 0,
        "code": conclusion.code,
        "cause": conclusion.cause,
    }
