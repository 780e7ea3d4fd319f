"""What learners have practised, told from their analysis results: what is dubbed, how well, what is recorded.

An attempt is a job of one of the kinds that score a recording; deleted ones count nowhere. Only completed ones are
counted and averaged, and of several attempts at a sentence the latest that has a score makes the average. An attempt
at a whole clip belongs to no sentence: it dubs the clip and is practice, its score is averaged as one piece of its
own, and it says nothing of any sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from models.analysis_result import ATTEMPTS
from models.db import connection
from models.user import public_name
from yousync.job import Status

_ATTEMPT: Final = f"kind IN {ATTEMPTS} AND deleted_at IS NULL"
_COMPLETED: Final = f"status = 'completed' AND {_ATTEMPT}"
_PERCENT: Final = "least(greatest(CASE WHEN score > 1 THEN score ELSE score * 100 END, 0), 100)"
"""A score on 0-100: ours are 0-1, those that analysis servers of old gave above 1 are percent already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DubbedToken:
    """A clip that a learner has at least one result for."""

    token_id: int
    token_name: str
    actor_name: str
    category: str | None
    youtube_url: str
    last_dubbed_at: datetime
    total_scripts: int
    completed_scripts: int  # sentences with a result


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """All of a learner's, in numbers. `average` is on 0-100."""

    bookmarks: int
    dubbed_tokens: int
    attempts: int
    average: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceStatus:
    """A sentence that was never recorded."""

    script_id: int
    script_text: str
    has_result: Literal[False] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceResult:
    """A sentence with its latest result, or, as long as there is none, with its latest attempt."""

    script_id: int
    script_text: str
    has_result: Literal[True] = True
    job_id: str
    status: Status
    result: Any
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatus:
    """A clip sentence by sentence; `has_analysis` says whether it was attempted at all, whole or in part."""

    token_id: int
    has_analysis: bool
    script_results: list[SentenceResult | SentenceStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A learner who practises much, by the name and picture that others may see."""

    user_id: int
    email: None = None
    full_name: str | None
    profile_picture: str | None
    recording_count: int


_DUBBED = f"""
WITH mine AS (
    SELECT token_id, max(created_at) AS last_dubbed_at, count(DISTINCT script_id) AS completed_scripts
    FROM analysis_results WHERE user_id = $1 AND {_COMPLETED} GROUP BY token_id
)
SELECT mine.*, t.token_name, t.actor_name, t.category, t.youtube_url,
    (SELECT count(*) FROM scripts WHERE token_id = mine.token_id) AS total_scripts
FROM mine JOIN tokens t ON t.id = mine.token_id
ORDER BY last_dubbed_at DESC, token_id DESC LIMIT $2 OFFSET $3
"""
_LATEST = f"""
SELECT DISTINCT ON (token_id, script_id) overall_score AS score FROM analysis_results
WHERE user_id = $1 AND overall_score IS NOT NULL AND {_COMPLETED}
"""
_NEWEST_FIRST = "ORDER BY token_id, script_id, created_at DESC, id DESC"
_PRACTICE = f"""
SELECT (SELECT count(*) FROM bookmarks WHERE user_id = $1) AS bookmarks,
    count(*) AS attempts, count(DISTINCT token_id) AS dubbed_tokens,
    (SELECT avg({_PERCENT}) FROM ({_LATEST} {_NEWEST_FIRST}) AS latest) AS average
FROM analysis_results WHERE user_id = $1 AND {_COMPLETED}
"""
_AVERAGE = f"""
SELECT avg({_PERCENT}) AS percent, bool_or(score > 0 AND score <= 1) AS fractions
FROM ({_LATEST} AND ($2::int IS NULL OR token_id = $2) {_NEWEST_FIRST}) AS latest
"""
_SENTENCES = f"""
SELECT s.id AS script_id, s.script AS script_text, r.job_id, r.status, r.result, r.created_at
FROM scripts s LEFT JOIN LATERAL (
    SELECT job_id, status, result, created_at FROM analysis_results
    WHERE user_id = $1 AND token_id = $2 AND script_id = s.id AND {_ATTEMPT}
    ORDER BY status = 'completed' DESC, created_at DESC, id DESC LIMIT 1
) r ON true
WHERE s.token_id = $2 ORDER BY s.id
"""
_KNOWN = f"""
SELECT EXISTS (SELECT FROM analysis_results WHERE user_id = $1 AND token_id = $2 AND {_ATTEMPT}) AS attempted
FROM tokens WHERE id = $2
"""
_RECORDINGS = f"""
SELECT DISTINCT ON (script_id) script_id, s3_key FROM analysis_results
WHERE user_id = $1 AND token_id = $2 AND script_id IS NOT NULL AND s3_key <> '' AND {_ATTEMPT}
    AND (status = 'completed' OR stage IN ('submit', 'persist'))
ORDER BY script_id, created_at DESC, id DESC
"""
_TOP = f"""
SELECT u.id AS user_id, u.full_name, u.email, u.profile_picture, counted.recording_count
FROM (
    SELECT user_id, count(*) AS recording_count FROM analysis_results
    WHERE user_id IS NOT NULL AND {_COMPLETED} GROUP BY user_id
) AS counted JOIN users u ON u.id = counted.user_id AND u.is_active
ORDER BY counted.recording_count DESC, u.id LIMIT $1
"""


async def dubbed_tokens(user_id: int, *, limit: int, offset: int = 0) -> list[DubbedToken]:
    """The clips a learner has results for, the one dubbed last first."""
    return [DubbedToken(**row) for row in await connection().execute_query_dict(_DUBBED, [user_id, limit, offset])]


async def practice_of(user_id: int) -> Practice:
    """A learner's numbers: one statement. The average is 0 where nothing has a score."""
    [row] = await connection().execute_query_dict(_PRACTICE, [user_id])
    return Practice(**(row | {"average": round(row["average"] or 0.0, 2)}))


async def average_score(user_id: int, token_id: int | None = None) -> float | None:
    """The mean score of a learner, of one clip or of all, in the results' own unit; None where nothing has a score.

    That unit is 0-1, unless all there is are results of old, on 0-100.
    """
    [row] = await connection().execute_query_dict(_AVERAGE, [user_id, token_id])
    if row["percent"] is None:
        return None
    percent: float = row["percent"]
    return percent / 100 if row["fractions"] else percent


async def token_status(user_id: int, token_id: int) -> TokenStatus | None:
    """How a learner stands with each sentence of a clip, in two statements; None when there is no such clip."""
    known = await connection().execute_query_dict(_KNOWN, [user_id, token_id])
    if not known:
        return None
    rows = await connection().execute_query_dict(_SENTENCES, [user_id, token_id])
    return TokenStatus(
        token_id=token_id, has_analysis=known[0]["attempted"], script_results=[_sentence(row) for row in rows]
    )


def _sentence(row: dict[str, Any]) -> SentenceResult | SentenceStatus:
    if row["job_id"] is None:
        return SentenceStatus(script_id=row["script_id"], script_text=row["script_text"])
    return SentenceResult(
        script_id=row["script_id"],
        script_text=row["script_text"],
        job_id=row["job_id"],
        status=Status(row["status"]),
        result=None if row["result"] is None else orjson.loads(row["result"]),
        created_at=row["created_at"],
    )


async def recordings_of(user_id: int, token_id: int) -> list[tuple[int, str]]:
    """A learner's sentences of a clip and where in S3 the latest recording of each is known to lie.

    A running job has its recording stored at some moment before its row can tell: until it ends, the one before
    counts.
    """
    rows = await connection().execute_query_dict(_RECORDINGS, [user_id, token_id])
    return [(row["script_id"], row["s3_key"]) for row in rows]


async def top_recorders(limit: int) -> list[Recorder]:
    """Those with the most results, of equals the one who is longest with us."""
    return [
        Recorder(
            user_id=row["user_id"],
            full_name=public_name(row["full_name"], row["email"]),
            profile_picture=row["profile_picture"],
            recording_count=row["recording_count"],
        )
        for row in await connection().execute_query_dict(_TOP, [limit])
    ]
