"""Finding rows of jobs for operators: newest first, page by page, by any mixture of criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from models.analysis_result import AnalysisResult
from models.db import connection
from yousync.job import BEGINS, Kind, Stage, State, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a list shows of a row; results and logs stay where they are."""

    id: int
    job_id: str
    kind: Kind
    state: State
    stage: str
    code: str
    run: int
    attempts: int
    token_id: int | None
    script_id: int | None
    user_id: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Rows whose own word counts: by their state, where they had got to, and their error code.

    A row knows how its job ended and nothing of what it does before: `busy` names the jobs under way, whose
    rows are left out, and `wanted` those among them that are looked for.
    """

    states: frozenset[State]
    stage: Stage | None
    code: str
    busy: Sequence[str]
    wanted: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What rows must have in common; deleted ones are found among `ends.wanted` only.

    `user_id` and `token_id` are None for anybody's; `after` and `before` bound the time of the upload.
    Without `ends` it does not matter what became of the jobs.
    """

    user_id: int | None = None
    token_id: int | None = None
    after: datetime | None = None
    before: datetime | None = None
    ends: Ends | None = None


_COLUMNS = ", ".join(field.name for field in fields(Row))
OPEN = frozenset(BEGINS.values())
"""What rows say until their jobs have ended; also of a job whose record is lost."""


async def newest(criteria: Criteria, *, below: int | None, limit: int) -> list[Row]:
    """The rows with the highest ids under `below`: one query, and one index scan for each state asked for."""
    values = _Values()
    end = f"ORDER BY id DESC LIMIT {values.place(limit)}"
    parts = [
        f"(SELECT {_COLUMNS} FROM analysis_results WHERE {part} {end})" for part in _parts(criteria, values, below)
    ]
    if not parts:
        return []
    statement = f"SELECT {_COLUMNS} FROM ({' UNION ALL '.join(parts)}) AS found {end}"
    return [_row(found) for found in await connection().execute_query_dict(statement, values.given)]


async def count(criteria: Criteria) -> int:
    """How many rows there are."""
    values = _Values()
    parts = [f"SELECT 1 FROM analysis_results WHERE {part}" for part in _parts(criteria, values, None)]
    if not parts:
        return 0
    statement = f"SELECT count(*) AS jobs FROM ({' UNION ALL '.join(parts)}) AS found"
    return int((await connection().execute_query_dict(statement, values.given))[0]["jobs"])


class _Values:
    """The values of a statement, and the placeholders that stand for them."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def place(self, value: Any) -> str:
        """The placeholder for one more value."""
        self.given.append(value)
        return f"${len(self.given)}"


def _parts(criteria: Criteria, values: _Values, below: int | None) -> list[str]:
    """Conditions of which no row meets two: jobs under way that are wanted, then the rows of each ended state.

    One for each state, because only then an index has them in order.
    """
    common = _common(criteria, values, below)
    ends = criteria.ends
    if ends is None:
        return [" AND ".join(["deleted_at IS NULL", *common])]
    parts = []
    if ends.wanted:
        parts.append([f"job_id = ANY({values.place(list(ends.wanted))}::text[])"])
    if ends.states:
        busy = f"SELECT FROM unnest({values.place(list(ends.busy))}::text[]) AS busy(id) WHERE busy.id = job_id"
        at_rest = ["deleted_at IS NULL", f"NOT EXISTS ({busy})"]
        parts += [[*_ended(state, ends, values), *at_rest] for state in sorted(ends.states)]
    return [" AND ".join([*part, *common]) for part in parts]


def _common(criteria: Criteria, values: _Values, below: int | None) -> list[str]:
    bounds = {
        "user_id =": criteria.user_id,
        "token_id =": criteria.token_id,
        "created_at >": criteria.after,
        "created_at <": criteria.before,
        "id <": below,
    }
    return [f"{bound} {values.place(value)}" for bound, value in bounds.items() if value is not None]


def _ended(state: State, ends: Ends, values: _Values) -> list[str]:
    if state in OPEN:  # the words of the index on unfinished rows
        return [f"status = '{Status.PROCESSING.value}'", f"state = {values.place(state.value)}"]
    told = {"state =": state.value, "stage =": ends.stage and ends.stage.value, "code =": ends.code}
    return [f"{what} {values.place(value)}" for what, value in told.items() if value]


def row_of(found: AnalysisResult) -> Row:
    """The same of a whole row."""
    return _row({field.name: getattr(found, field.name) for field in fields(Row)})


def _row(found: dict[str, Any]) -> Row:
    return Row(**(found | {"kind": Kind(found["kind"]), "state": State(found["state"])}))
