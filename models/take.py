"""Takes: of each sentence of a clip, the recording of a learner that a dubbing of it is made from."""

from __future__ import annotations

from dataclasses import dataclass

from models.analysis_result import ATTEMPTS
from models.db import connection


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """One recording: its job, where it lies (as its row says), and its sentence in seconds of the video."""

    script_id: int
    job_id: str
    s3_key: str
    start_time: float
    end_time: float  # the sentence's own end, or the beginning of the next one where that is earlier


_USELESS = ("audio_lost", "audio_empty", "audio_unrecognised", "no_speech", "cancelled")
_TAKES = f"""
SELECT DISTINCT ON (s.id) s.id AS script_id, r.job_id, r.s3_key, s.start_time,
    least(s.end_time, s.following) AS end_time
FROM (
    SELECT id, start_time, end_time, lead(start_time) OVER (ORDER BY start_time, id) AS following
    FROM scripts WHERE token_id = $2
) AS s JOIN analysis_results r ON r.script_id = s.id
WHERE r.user_id = $1 AND r.token_id = $2 AND r.kind IN {ATTEMPTS} AND r.deleted_at IS NULL AND r.s3_key <> ''
  AND (r.status = 'completed' OR (r.status = 'failed' AND r.stage <> 'upload' AND r.code NOT IN {_USELESS}))
ORDER BY s.id, r.status = 'completed' DESC, r.created_at DESC, r.id DESC
"""


async def recorded_takes(user_id: int, token_id: int) -> list[RecordedTake]:
    """The newest scored recording of each sentence, in the order of the sentences' ids.

    Where none was scored it is the newest whose audio is in S3 nevertheless: its analysis failed, and not for the
    audio's sake.
    """
    rows = await connection().execute_query_dict(_TAKES, [user_id, token_id])
    return [RecordedTake(**row) for row in rows]
