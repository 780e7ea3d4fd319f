"""One job with all that is known of it: where it stands, how it got there, and where its audio is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from jobs.deps import Deps
from jobs.pipeline import Move
from jobs.search import Summary, ahead, moment, summary
from models.analysis_result import AnalysisResult
from models.analysis_search import Row, row_of
from yousync.errors import JobNotFound
from yousync.failures import StageFailure
from yousync.job import BEGINS, Event, Job, Kind, State, is_job_id, message_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """A job's recording. `link` opens it for a while; `stored`: S3 has it, None when S3 does not say."""

    uri: str
    link: str
    stored: bool | None
    staged: bool  # Valkey has it
    size: int | None  # bytes
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail(Summary):
    """A job and its whole story. What a record alone tells is None where there is none any more."""

    version: int
    progress: int
    message: str
    overall_score: float | None
    worker: str  # the process that holds the lease, empty when none does
    tries: int | None  # failures of the present stage that count against its budget
    holds: int | None  # times in a row the present stage found its dependency down
    lapses: int | None  # leases in a row that ran out
    late: bool  # a result that came after the end can be accepted
    deleted_at: datetime | None  # its tombstone tells who deleted it and why, for a week
    request_id: str  # of the upload: the thread through everybody's logs
    audio: Audio | None  # None once it was deleted, and where there never is any
    request: Mapping[str, Any] | None  # what a job without a recording is to do
    timeline: list[Event]


async def describe(deps: Deps, job_id: str) -> Detail:
    """All that is known of a job, or of its deletion. Raises JobNotFound; S3 being away is told and not raised."""
    if not is_job_id(job_id):
        raise JobNotFound
    record = await deps.store.read(job_id)
    kept = await AnalysisResult.get_or_none(job_id=job_id)
    row = _unwritten(record) if kept is None else row_of(kept)
    brief = summary(row, record)
    job = record if record is not None and ahead(record, row.state, row.run) else None
    events = timeline(kept.history if kept else None, await deps.store.events(job_id))
    return Detail(
        **{field.name: getattr(brief, field.name) for field in fields(Summary)},
        **_standing(kept, job),
        worker=_holder(record, events),
        **_of_record(record),
        deleted_at=kept.deleted_at if kept else None,
        audio=await _audio(deps, job_id, kept, record),
        request=kept.request if kept else record.request if record else None,
        timeline=events,
    )


def timeline(kept: Iterable[Mapping[str, Any]] | None, events: Iterable[Event]) -> list[Event]:
    """A job's events in order: those kept with its row, and those its record still has, each once.

    The row was written before the job's last event, and knows the cause of it that the record does not.
    """
    names = {field.name for field in fields(Event)}
    found = {line["version"]: Event(**{n: v for n, v in line.items() if n in names}) for line in kept or ()}
    for event in events:
        known = found.get(event.version)
        found[event.version] = replace(event, cause=event.cause or known.cause) if known else event
    return [found[version] for version in sorted(found)]


def _unwritten(record: Job | None) -> Row:
    """The row that a job just accepted is about to get."""
    if record is None:
        raise JobNotFound
    return Row(
        id=0,
        job_id=record.id,
        kind=record.kind,
        state=BEGINS[record.kind],
        stage="",
        code="",
        run=record.run,
        attempts=0,
        token_id=record.token_id,
        script_id=record.script_id,
        user_id=record.user_id,
        created_at=record.created_at,
        updated_at=moment(record.updated_ms),
    )


def _standing(row: AnalysisResult | None, job: Job | None) -> dict[str, Any]:
    """What the job itself says where it knows better, else its row."""
    if job is not None:
        message = job.message or message_of(job.kind, job.state)
        return {"version": job.version, "progress": job.progress, "message": message, "overall_score": None}
    assert row is not None  # noqa: S101  # a job without a row is ahead of it
    told = {name: getattr(row, name) for name in ("version", "progress", "overall_score")}
    kind = Kind(row.kind)
    message = row.message if row.deleted_at is None else message_of(kind, State.CLEANING)
    return told | {"message": message or message_of(kind, State(row.state))}


def _of_record(record: Job | None) -> dict[str, Any]:
    told = {name: getattr(record, name, None) for name in ("tries", "holds", "lapses")}
    return told | {"late": record is not None and record.late, "request_id": record.request_id if record else ""}


def _holder(record: Job | None, events: Iterable[Event]) -> str:
    claims = [event.actor for event in events if event.move == Move.CLAIM]
    return claims[-1] if record is not None and record.claim and claims else ""


async def _audio(deps: Deps, job_id: str, row: AnalysisResult | None, record: Job | None) -> Audio | None:
    key = row.s3_key if row is not None else record.s3_key if record is not None else ""
    if not key:
        return None
    try:
        size = await deps.storage.size(key)
        stored: bool | None = size is not None
    except StageFailure:
        size, stored = None, None
    return Audio(
        uri=deps.storage.uri(key),
        link=await deps.storage.presigned(key),
        stored=stored,
        staged=await deps.store.is_staged(job_id),
        size=size or (record and record.size) or None,
        duration_ms=(record and record.duration_ms) or None,
    )
