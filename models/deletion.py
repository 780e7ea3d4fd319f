"""Deleting results: a tombstone first, the audio after it, the row last; and how long things are kept at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from tortoise.queryset import QuerySet

from models.analysis_result import ATTEMPTS, AnalysisResult
from models.db import connection
from yousync.failpoints import failpoints
from yousync.job import State, Status

_EMPTIED = "updated_at = now(), request = NULL, result = NULL, overall_score = NULL, message = NULL"
_BURY = f"""
WITH undubbed AS (DELETE FROM dubbing_results WHERE job_id = $1)
UPDATE analysis_results SET {_EMPTIED}, status = $2, deleted_at = coalesce(deleted_at, now()),
    history = CASE WHEN deleted_at IS NULL THEN $3::jsonb ELSE history END
WHERE job_id = $1
"""
_BURY_MANY = f"""
UPDATE analysis_results AS kept SET {_EMPTIED}, status = $3, deleted_at = now(), history = buried.log::jsonb
FROM unnest($1::text[], $2::text[]) AS buried (job_id, log)
WHERE kept.job_id = buried.job_id AND kept.deleted_at IS NULL RETURNING kept.job_id
"""


@failpoints("row.bury")
async def bury(job_id: str, event: Mapping[str, Any]) -> AnalysisResult | None:
    """Turn the row into a tombstone: nothing a learner said or got is left in it. None when there is no row.

    A dubbing is the learner's no more from the same moment on.

    What remains of its log is `event`, which tells who deleted it and why; the first one stands.
    """
    log = orjson.dumps([event]).decode()
    await connection().execute_query(_BURY, [job_id, Status.FAILED.value, log])
    return await AnalysisResult.get_or_none(job_id=job_id)


@failpoints("row.bury_many")
async def bury_many(events: Mapping[str, Mapping[str, Any]]) -> int:
    """The same for the rows of these jobs, in one statement; how many, tombstones that stay as they are not counted."""
    logs = [orjson.dumps([event]).decode() for event in events.values()]
    values = [list(events), logs, Status.FAILED.value]
    return len(await connection().execute_query_dict(_BURY_MANY, values))


async def attempts_of(user_id: int, token_id: int, *, limit: int) -> list[AnalysisResult]:
    """Attempts of a learner at a clip, and at its sentences, in id order; none that is deleted."""
    mine = AnalysisResult.filter(user_id=user_id, token_id=token_id, deleted_at=None, kind__in=ATTEMPTS)
    return await mine.order_by("id").limit(limit)


@failpoints("row.cleaned")
async def record_cleaned(job_id: str) -> None:
    """Note that a deleted job's audio is gone."""
    await AnalysisResult.filter(job_id=job_id, deleted_at__not_isnull=True).update(s3_key="")


async def uncleaned(*, before: datetime, limit: int) -> list[AnalysisResult]:
    """Tombstones older than a moment whose audio may still be there: oldest first."""
    return await AnalysisResult.filter(deleted_at__lt=before).exclude(s3_key="").order_by("deleted_at").limit(limit)


async def drop_tombstones(*, before: datetime) -> int:
    """Remove tombstones that nothing can come back to any more; how many those were."""
    return await AnalysisResult.filter(deleted_at__lt=before, s3_key="").delete()


async def drop_histories(*, before: datetime, limit: int) -> int:
    """Forget the event logs of jobs that ended before a moment; how many those were."""
    old = await _ids(AnalysisResult.filter(updated_at__lt=before, history__not_isnull=True), limit)
    return await AnalysisResult.filter(job_id__in=old).update(history=None) if old else 0


async def expired(*, now: datetime, days: Mapping[State, float], anonymous_hours: float, limit: int) -> list[str]:
    """Job ids of results that are no longer kept: by how they ended (0: for ever), or because they are nobody's."""
    found: list[str] = []
    for state, kept in days.items():
        if kept:
            rows = AnalysisResult.filter(state=state.value, updated_at__lt=now - timedelta(days=kept))
            found += await _ids(rows, limit)
    if anonymous_hours:
        before = now - timedelta(hours=anonymous_hours)
        rows = AnalysisResult.filter(user_id=None, updated_at__lt=before).exclude(status=Status.PROCESSING.value)
        found += await _ids(rows, limit)
    return list(dict.fromkeys(found))[:limit]


async def _ids(rows: QuerySet[AnalysisResult], limit: int) -> list[str]:
    return [job_id async for job_id in rows.filter(deleted_at=None).limit(limit).values_list("job_id", flat=True)]
