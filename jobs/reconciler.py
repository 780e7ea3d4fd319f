"""The reconciler: rows in Postgres that are unfinished although no record is left to finish them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from jobs.deps import Deps
from jobs.identity import Identity
from jobs.pipeline import RESTARTS, Move, resumed
from jobs.tenancy import live, lived_on
from models.analysis_result import AnalysisResult, Conclusion, record_conclusion, unfinished_results
from yousync import metrics
from yousync.failures import LEARNER_MESSAGES, StageFailure
from yousync.job import Job, Kind, State
from yousync.valkey import PROCESS_ID

log = structlog.get_logger(__name__)

_BATCH: Final = 200


async def reconcile_forever(deps: Deps, identity: Identity) -> None:
    """Be a tenant of this Valkey, and reconcile now and again, until cancelled."""

    async def reconciling(connection: asyncpg.Connection) -> None:
        await reconcile(deps, identity, connection, grace_seconds=deps.settings.reconcile_seconds)
        await deps.store.prune()

    await live(deps, identity, reconciling)


async def reconcile(deps: Deps, identity: Identity, connection: asyncpg.Connection, *, grace_seconds: float) -> int:
    """Take care of every unfinished row whose record is missing; how many those were.

    A row younger than `grace_seconds` may simply be ahead of its record's first reader.

    Its audio is in S3, or it needs none: the record is made again and the job goes on. It is not: the job ends and
    the learner is asked to record again. A Valkey or S3 that does not answer means unknown, never lost: it raises.
    """
    before = await deps.store.now() - timedelta(seconds=grace_seconds)
    last_id, found = 0, 0
    while rows := await unfinished_results(before=before, after_id=last_id, limit=_BATCH):
        last_id = rows[-1].id
        there = await deps.store.existing([row.job_id for row in rows])
        for row in rows:
            ours = row.incarnation == identity.incarnation  # another Valkey's are while nobody lives on that any more
            if row.job_id not in there and (ours or not await lived_on(connection, row.incarnation)):
                await _resume_or_end(deps, row, identity)
                found += 1
    return found


async def _resume_or_end(deps: Deps, row: AnalysisResult, identity: Identity) -> None:
    try:
        # A new run is news to whoever watched its old life, and a fence against it.
        job = replace(job_of_row(row, identity), run=row.run + 1)
    except ValueError as error:  # a kind that only a later version of ours knows, and takes care of
        log.warning("row_unreadable", job_id=row.job_id, cause=str(error))
        return
    try:
        goes_on = not job.kind.recorded or await deps.storage.size(row.s3_key) is not None
    except StageFailure as failure:
        log.warning("reconciler_cannot_tell", job_id=row.job_id, code=failure.code)
        return
    if goes_on:
        await deps.store.adopt(job)
        log.info("job_adopted", job_id=row.job_id)
        return
    code = "audio_lost"
    event = {
        "version": row.version + 1,
        "at_ms": round((await deps.store.now()).timestamp() * 1000),
        "move": Move.CONCLUDE.value,
        "source": row.state,
        "target": State.FAILED.value,
        "actor": PROCESS_ID,
        "attempt": 0,
        "code": code,
        "cause": "the record was lost before the audio reached S3",
    }
    conclusion = Conclusion(state=State.FAILED, code=code, message=LEARNER_MESSAGES[code])
    await record_conclusion(job, conclusion, version=row.version + 1, history=[event])
    await deps.store.hint(job.id)
    metrics.JOBS_ENDED.labels(State.FAILED, code).inc()
    log.warning("job_lost", job_id=row.job_id, code=code)


def job_of_row(row: AnalysisResult, identity: Identity) -> Job:
    """As much of a job as its row tells, at the stage from which it could go on."""
    created_ms = round(row.created_at.timestamp() * 1000)
    kind = Kind(row.kind)
    return Job(
        id=row.job_id,
        kind=kind,
        state=RESTARTS[resumed(kind)],
        version=row.version,
        run=row.run,
        claim="",
        token_id=row.token_id,
        script_id=row.script_id,
        user_id=row.user_id,
        owner="address:unknown" if row.user_id is None else f"user:{row.user_id}",
        dedupe=f"adopted:{row.job_id}",
        container=row.s3_key.rpartition(".")[-1],
        s3_key=row.s3_key,
        size=0,
        duration_ms=0,
        incarnation=identity.incarnation,
        progress=row.progress,
        created_ms=created_ms,
        updated_ms=created_ms,
        request=row.request,
    )
