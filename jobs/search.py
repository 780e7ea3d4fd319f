"""Finding jobs for operators. Postgres has the order and how jobs ended, Valkey what those under way are doing.

A job is found from the moment its row is written, which is before its learner has a 202.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from jobs.deps import Deps
from jobs.filter import Filter
from models.analysis_search import OPEN, Criteria, Ends, Row, count as count_rows, newest
from models.user import user_id_of
from yousync.job import FINAL_STATES, STAGE_OF, Job, Kind, Stage, State

UNFINISHED: Final = frozenset(STAGE_OF)
_EVERYTHING: Final = 10_000_000  # ids of a state, read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A job in a list. `attempts` counts the requests that may have reached the analysis server."""

    job_id: str
    kind: Kind
    state: State
    stage: Stage | None
    code: str
    run: int
    attempts: int
    token_id: int | None
    script_id: int | None
    user_id: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs, newest first. `next_cursor` is where the next page begins, None after the last."""

    jobs: list[Summary]
    next_cursor: int | None


async def search(deps: Deps, wanted: Filter, *, cursor: int | None = None, limit: int = 50) -> Page:
    """The newest jobs, or those before `cursor`.

    A job that moves on while it is looked for may be missing, so that a page may be short and not the last.
    """
    criteria = await _criteria(deps, wanted)
    rows = await newest(criteria, below=cursor, limit=limit) if criteria else []
    records = await deps.store.read_many([row.job_id for row in rows])
    found = [summary(row, records.get(row.job_id)) for row in rows]
    return Page(
        jobs=[job for job in found if _meets(job, wanted)],
        next_cursor=rows[-1].id if len(rows) == limit else None,
    )


async def count(deps: Deps, wanted: Filter) -> int:
    """How many jobs there are."""
    criteria = await _criteria(deps, wanted)
    return await count_rows(criteria) if criteria else 0


def summary(row: Row, record: Job | None) -> Summary:
    """A job by its row, and by its record as long as that knows better."""
    job = record if record is not None and ahead(record, row.state, row.run) else None
    state = row.state if job is None else job.state
    return Summary(
        job_id=row.job_id,
        kind=row.kind,
        state=state,
        stage=stage_of(state, row.stage if job is None else job.stage),
        code=row.code if job is None else job.code,
        run=row.run if job is None else job.run,
        attempts=row.attempts if job is None else job.asks,
        token_id=row.token_id,
        script_id=row.script_id,
        user_id=row.user_id,
        created_at=row.created_at,
        updated_at=row.updated_at if job is None else moment(job.updated_ms),
    )


def ahead(record: Job, state: State, run: int) -> bool:
    """Whether a record knows more than its row, which says that a run came to this state."""
    return record.state is State.CLEANING or state not in FINAL_STATES or record.run > run


def stage_of(state: State, reached: str) -> Stage | None:
    """The stage a job is in, or had got to when it ended; None for one that needs no more."""
    return STAGE_OF.get(state) or (Stage(reached) if reached else None)


def moment(ms: int) -> datetime:
    """A time of Valkey's clock."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _meets(job: Summary, wanted: Filter) -> bool:
    return job.state in wanted.states and wanted.stage in {None, job.stage} and wanted.code in {"", job.code}


async def _criteria(deps: Deps, wanted: Filter) -> Criteria | None:
    """The same in terms of rows; None when there can be none."""
    if not (wanted.user + wanted.code).isprintable():  # Postgres knows no NUL
        return None
    user_id = await user_id_of(wanted.user) if wanted.user else None
    if wanted.user and user_id is None:
        return None
    now = await _now(deps)
    return Criteria(
        user_id=user_id,
        token_id=wanted.token_id,
        after=now - wanted.younger_than if wanted.younger_than else None,
        before=now - wanted.older_than if wanted.older_than else None,
        ends=await _ends(deps, wanted),
    )


async def _ends(deps: Deps, wanted: Filter) -> Ends | None:
    if wanted.states == frozenset(State) and wanted.stage is None and not wanted.code:
        return None
    under_way = {state: await deps.store.ids(state, limit=_EVERYTHING) for state in UNFINISHED}
    states = {state for state in wanted.states if wanted.stage in {None, STAGE_OF.get(state, wanted.stage)}}
    found = [job_id for state in states & UNFINISHED for job_id in under_way[state]]
    return Ends(
        states=frozenset(states & _at_rest(wanted)),
        stage=wanted.stage,
        code=wanted.code,
        busy=[job_id for ids in under_way.values() for job_id in ids],
        wanted=await _failing(deps, found, wanted.code) if wanted.code else found,
    )


def _at_rest(wanted: Filter) -> frozenset[State]:
    """The states that a row alone may tell of: ended, or never heard of again since it was accepted.

    Completed jobs are left out where they cannot be meant, because most jobs are completed.
    """
    states = FINAL_STATES | OPEN
    if wanted.stage or wanted.code:
        states -= {State.COMPLETED}
    return states - OPEN if wanted.code else states


async def _failing(deps: Deps, job_ids: Collection[str], code: str) -> list[str]:
    """Those of these jobs whose last failure had this code, which only their records know."""
    records = await deps.store.read_many(list(job_ids))
    return [job.id for job in records.values() if job.code == code]


async def _now(deps: Deps) -> datetime:
    seconds, micros = await deps.valkey.time()
    return moment(int(seconds) * 1000 + int(micros) // 1000)
