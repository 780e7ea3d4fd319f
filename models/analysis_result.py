"""Analysis results: one row a job, from accepted to its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import structlog
from tortoise import fields
from tortoise.contrib.postgres.indexes import PostgreSQLIndex
from tortoise.indexes import Index
from tortoise.models import Model

from models.db import connection
from models.script import Script
from models.token import Token
from models.user import User
from yousync.failpoints import failpoints
from yousync.job import BEGINS, RECORDINGS, Job, Kind, State, Status, View, message_of, progress_of, public_status

log = structlog.get_logger(__name__)

ATTEMPTS: Final = tuple(sorted(kind.value for kind in RECORDINGS))
"""The kinds of jobs that score a recording; rows of other kinds are nobody's practice."""


class UnfinishedIndex(PostgreSQLIndex):
    """Only the rows a reconciler may have to look at."""

    def __init__(self) -> None:
        super().__init__(fields=("created_at",), name="idx_analysis_unfinished")
        self.extra = " WHERE status = 'processing' AND deleted_at IS NULL"


class TombstoneIndex(PostgreSQLIndex):
    """Only deleted rows, of which something may be left to clean."""

    def __init__(self) -> None:
        super().__init__(fields=("deleted_at",), name="idx_analysis_deleted")
        self.extra = " WHERE deleted_at IS NOT NULL"


class AnonymousIndex(PostgreSQLIndex):
    """Only results of nobody in particular, which are kept for a while."""

    def __init__(self) -> None:
        super().__init__(fields=("updated_at",), name="idx_analysis_anonymous")
        self.extra = " WHERE user_id IS NULL AND deleted_at IS NULL"


class HistoryIndex(PostgreSQLIndex):
    """Only rows that still have their event log."""

    def __init__(self) -> None:
        super().__init__(fields=("updated_at",), name="idx_analysis_history")
        self.extra = " WHERE history IS NOT NULL"


class CompletedIndex(PostgreSQLIndex):
    """Only results, by learner, clip and sentence, with all that counting and averaging them takes."""

    def __init__(self) -> None:
        super().__init__(fields=("user_id", "token_id", "script_id", "created_at"), name="idx_analysis_completed")
        self.extra = " INCLUDE (id, overall_score, kind) WHERE status = 'completed' AND deleted_at IS NULL"


class AnalysisResult(Model):
    """What is kept of a job for good: the one ledger of all kinds.

    `token` is None for a video that has no clips yet; `request` is what a job without a recording is to do.
    `status`, `progress`, `message` and `result` are what clients are shown; `state`, `stage` (where a job that
    ended without a result had got to), `code` and `history` are for operators. `run` rises when a job that had
    ended goes on; `deleted_at` is a tombstone that keeps a running job from writing its result back: its
    `history` is the deletion alone, and `s3_key` is empty once its audio is gone.
    """

    id = fields.IntField(primary_key=True)
    job_id = fields.CharField(max_length=64, unique=True)
    kind = fields.CharField(max_length=16)
    token: fields.ForeignKeyNullableRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="analysis_results", on_delete=fields.CASCADE, null=True, db_index=True
    )
    script: fields.ForeignKeyNullableRelation[Script] = fields.ForeignKeyField(
        "models.Script", related_name="analysis_results", on_delete=fields.CASCADE, null=True, db_index=True
    )
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="analysis_results", on_delete=fields.CASCADE, null=True
    )
    status = fields.CharField(max_length=32)
    progress = fields.IntField()
    message = fields.TextField(null=True)
    request: fields.Field[Any] = fields.JSONField(null=True)
    result: fields.Field[Any] = fields.JSONField(null=True)
    overall_score = fields.FloatField(null=True)
    s3_key = fields.TextField()
    state = fields.CharField(max_length=16)
    stage = fields.CharField(max_length=16, default="")
    code = fields.CharField(max_length=64, default="")
    attempts = fields.IntField(default=0)
    history: fields.Field[Any] = fields.JSONField(null=True)
    run = fields.IntField(default=1)
    version = fields.IntField(default=1)
    incarnation = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)
    token_id: int | None
    script_id: int | None
    user_id: int | None

    class Meta:
        table = "analysis_results"
        indexes = (
            Index(fields=("user_id", "token_id", "script_id")),
            Index(fields=("state", "updated_at")),
            UnfinishedIndex(),
            TombstoneIndex(),
            AnonymousIndex(),
            HistoryIndex(),
            CompletedIndex(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a run ended: what is written to the row when it does."""

    state: State
    stage: str = ""
    code: str = ""
    message: str = ""
    cause: str = ""  # for operators
    result: Any = None
    overall_score: float | None = None


_COLUMNS = """job_id, kind, token_id, script_id, user_id, s3_key, run, incarnation, created_at, updated_at,
    version, state, status, progress, message, code, attempts, result, overall_score, history, stage,
    request"""
_VALUES = """$1, $2, $3::int, $4::int, $5::int, $6, $7::int, $8, $9::timestamptz, now(),
    $10::int, $11, $12, $13::int, $14, $15, $16::int, $17::jsonb, $18::float8, $19::jsonb,
    $20, $21::jsonb"""

_ACCEPT = f"""
INSERT INTO analysis_results ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (job_id) DO NOTHING
"""

_CONCLUDE = f"""
INSERT INTO analysis_results AS kept ({_COLUMNS}) VALUES ({_VALUES})
ON CONFLICT (job_id) DO UPDATE SET
    updated_at = EXCLUDED.updated_at, run = EXCLUDED.run, version = EXCLUDED.version,
    incarnation = EXCLUDED.incarnation, state = EXCLUDED.state, status = EXCLUDED.status,
    progress = EXCLUDED.progress, message = EXCLUDED.message, code = EXCLUDED.code,
    attempts = EXCLUDED.attempts, result = EXCLUDED.result, overall_score = EXCLUDED.overall_score,
    stage = EXCLUDED.stage, history = coalesce((
        SELECT jsonb_agg(event) FROM jsonb_array_elements(kept.history) AS event
        WHERE (event->>'version')::int < (EXCLUDED.history->0->>'version')::int
    ), '[]') || EXCLUDED.history
WHERE kept.deleted_at IS NULL
  AND (kept.run < EXCLUDED.run OR (kept.run = EXCLUDED.run AND kept.status = 'processing'))
RETURNING state
"""

_DUBBED = f"""
WITH concluded AS ({_CONCLUDE}), dubbed AS (
    INSERT INTO dubbing_results (job_id, user_id, token_id, s3_key, created_at)
    SELECT $1, $5::int, $3::int, $6, now() FROM concluded WHERE state = 'completed'
    ON CONFLICT (job_id) DO UPDATE SET s3_key = EXCLUDED.s3_key, created_at = EXCLUDED.created_at
)
SELECT state FROM concluded
"""
"""The same for a dubbing, which is the learner's from the same moment on."""


def _values(job: Job, conclusion: Conclusion, *, version: int, history: list[dict[str, Any]] | None) -> list[Any]:
    status = public_status(conclusion.state)
    return [
        job.id,
        job.kind.value,
        job.token_id,
        job.script_id,
        job.user_id,
        job.s3_key,
        job.run,
        job.incarnation,
        job.created_at,
        version,
        conclusion.state.value,
        status.value,
        progress_of(job.kind, conclusion.state),
        conclusion.message or message_of(job.kind, conclusion.state),
        conclusion.code,
        job.asks,
        None if conclusion.result is None else orjson.dumps(conclusion.result).decode(),
        conclusion.overall_score,
        None if history is None else orjson.dumps(history).decode(),
        conclusion.stage,
        None if job.request is None else orjson.dumps(job.request).decode(),
    ]


@failpoints("row.accept")
async def record_accepted(job: Job) -> None:
    """Write the row of a job just accepted; a row that is there already stays as it is.

    Raises tortoise.exceptions.IntegrityError when the token, script or user is gone.
    """
    values = _values(job, Conclusion(state=BEGINS[job.kind]), version=job.version, history=None)
    await connection().execute_query(_ACCEPT, values)


@failpoints("row.conclude")
async def record_conclusion(
    job: Job, conclusion: Conclusion, *, version: int, history: list[dict[str, Any]]
) -> State | None:
    """Write how this run ended, in one statement, and return the state the row is in afterwards.

    It does not matter whether the row was there, or whether the same statement was committed before a crash.
    A row of a newer run, or of this run but already ended, stays as it is: its state is returned and holds.
    Events of earlier runs that `history` does not hold any more are kept before it.
    None means that the row was deleted meanwhile. Raises IntegrityError when token, script or user is gone.
    """
    values = _values(job, conclusion, version=version, history=history)
    written = await connection().execute_query_dict(_DUBBED if job.kind is Kind.SYNTHESIS else _CONCLUDE, values)
    if written:
        return conclusion.state
    row = await AnalysisResult.get_or_none(job_id=job.id, deleted_at=None)
    return None if row is None else State(row.state)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How a job's newest run ended, as Postgres has it."""

    job_id: str
    state: State
    run: int
    code: str
    deleted: bool


async def ended_runs(job_ids: Sequence[str]) -> list[EndedRun]:
    """Those of these jobs that have ended or were deleted."""
    rows = (
        await AnalysisResult.filter(job_id__in=job_ids)
        .exclude(status=Status.PROCESSING.value)
        .values_list("job_id", "state", "run", "code", "deleted_at")
    )
    return [
        EndedRun(job_id, State(state), run, code, deleted is not None) for job_id, state, run, code, deleted in rows
    ]


async def any_jobs() -> bool:
    """Whether there is any row at all."""
    return await AnalysisResult.exists()


async def known_jobs(job_ids: Sequence[str]) -> set[str]:
    """Those of these jobs that have a row, deleted ones included."""
    rows = await AnalysisResult.filter(job_id__in=job_ids).values_list("job_id")
    return {job_id for (job_id,) in rows}


@dataclass(frozen=True, slots=True)
class End:
    """What a row says of its job: its end, or that there is none yet."""

    state: State
    view: View


_ENDS = """
SELECT job_id, kind, user_id, token_id, state, status, progress, CASE WHEN $2 THEN result END AS result, message,
    created_at, run, version
FROM analysis_results WHERE job_id = ANY($1) AND deleted_at IS NULL
"""


async def find_ends(job_ids: Sequence[str], *, results: bool = True) -> dict[str, End | None]:
    """What the rows of these jobs say, by job id, in one query; deleted ones are not among them.

    None is a row that says what only a later version of ours understands. Without `results`, which may be large,
    each end's is None.
    """
    rows = await connection().execute_query_dict(_ENDS, [list(job_ids), results])
    return {row["job_id"]: _end(row) for row in rows}


def _end(row: dict[str, Any]) -> End | None:
    try:
        return End(State(row["state"]), _view(row))
    except ValueError as error:
        log.warning("row_unreadable", job_id=row["job_id"], cause=str(error))
        return None


def _view(row: dict[str, Any]) -> View:
    return View(
        job_id=row["job_id"],
        kind=Kind(row["kind"]),
        user_id=row["user_id"],
        token_id=row["token_id"],
        status=Status(row["status"]),
        progress=row["progress"],
        result=None if row["result"] is None else orjson.loads(row["result"]),
        message=row["message"],
        created_at=row["created_at"],
        version=(row["run"], row["version"]),
    )


async def find_result(job_id: str) -> AnalysisResult | None:
    """The row of a job, unless it was deleted."""
    return await AnalysisResult.get_or_none(job_id=job_id, deleted_at=None)


async def unfinished_results(*, before: datetime, after_id: int, limit: int) -> list[AnalysisResult]:
    """Rows accepted before a moment that have not ended, in id order: one index scan, batch by batch."""
    return (
        await AnalysisResult.filter(
            status=Status.PROCESSING.value, deleted_at=None, created_at__lt=before, id__gt=after_id
        )
        .order_by("id")
        .limit(limit)
    )
