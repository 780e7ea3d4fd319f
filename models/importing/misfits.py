"""What does not fit into our tables as it is, and what becomes of it: counted, and shown by examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg

_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Misfit:
    """One kind of misfit: `what` becomes of it, how many there are, and the first of them."""

    what: str
    count: int
    examples: tuple[str, ...]


_NO_VIDEO = "t.video IS NULL OR u.video IS NULL"
_SETTLED: Final = {
    "videos whose address names none on YouTube: left out": (
        "SELECT coalesce(youtube_url, '(null)') FROM earlier_urls WHERE video IS NULL ORDER BY 1"
    ),
    "videos under several addresses: merged into one": (
        "SELECT min(video) || ' ← ' || string_agg(youtube_url, ' · ' ORDER BY youtube_url) FROM earlier_urls"
        " WHERE video IS NOT NULL GROUP BY video HAVING count(*) > 1 ORDER BY 1"
    ),
    "videos spelt otherwise: written as https://www.youtube.com/watch?v=ID": (
        "SELECT youtube_url FROM earlier_urls WHERE video IS NOT NULL AND video <> youtube_url ORDER BY 1"
    ),
    "clips of no video, or of one that is not listed: left out with all that hangs on them": (
        "SELECT 'token ' || t.id || ': ' || coalesce(t.youtube_url, '(null)') FROM earlier_tokens t"
        f" LEFT JOIN (SELECT DISTINCT video FROM earlier_urls) u ON u.video = t.video WHERE {_NO_VIDEO} ORDER BY t.id"
    ),
    "bookmarks of the same clip by the same learner: kept once": (
        "SELECT 'bookmark ' || id FROM (SELECT id, row_number() OVER (PARTITION BY user_id, token_id ORDER BY id) AS n"
        " FROM earlier_bookmarks) x WHERE n > 1 ORDER BY id"
    ),
    "further requests of a learner who has one under review: left out": (
        "SELECT 'request ' || id || ': ' || url FROM (SELECT id, url, row_number() OVER (PARTITION BY user_id"
        " ORDER BY id DESC) AS n FROM earlier_video_requests WHERE status = '심사중') x WHERE n > 1 ORDER BY id"
    ),
    "analyses that were never ended: failed, with a message": (
        "SELECT 'job ' || job_id FROM earlier_analysis_results WHERE code = 'never_ended' ORDER BY id"
    ),
    "analyses stored as completed that hold no result: failed": (
        "SELECT 'job ' || job_id || ': ' || code FROM earlier_analysis_results"
        " WHERE status = 'completed' AND state = 'failed' ORDER BY id"
    ),
    "results that several sentences fit: kept without their sentence": (
        "SELECT 'job ' || r.job_id FROM earlier_analysis_results r JOIN earlier_scripts s"
        " ON s.token_id = r.token_id AND s.letters = r.letters WHERE r.letters <> '' GROUP BY r.id, r.job_id"
        " HAVING count(*) > 1 ORDER BY r.id"
    ),
    "results that no sentence fits: kept without their sentence": (
        "SELECT 'job ' || r.job_id FROM earlier_analysis_results r WHERE r.state = 'completed' AND NOT EXISTS"
        " (SELECT FROM earlier_scripts s WHERE s.token_id = r.token_id AND s.letters = r.letters AND r.letters <> '')"
        " ORDER BY r.id"
    ),
    "results of a name that is taken by another, or of none: left out": (
        "SELECT 'row ' || id FROM earlier_analysis_results WHERE coalesce(job_id, '') = '' ORDER BY id"
    ),
}

_REFUSED: Final = {
    "users that another has the id or the e-mail of here": (
        "SELECT 'user ' || e.id || ': ' || e.email FROM earlier_users e JOIN users u"
        " ON (u.id = e.id) <> (u.email = e.email) ORDER BY e.id"
    ),
    "actors that another has the id or the name of here": (
        "SELECT 'actor ' || e.id || ': ' || e.name FROM earlier_actors e JOIN actors a"
        " ON (a.id = e.id) <> (a.name = e.name) ORDER BY e.id"
    ),
    "clips whose id another has here": (
        "SELECT 'token ' || e.id || ': ' || e.token_name FROM earlier_tokens e JOIN tokens t ON t.id = e.id"
        " WHERE t.youtube_url <> e.video OR t.token_name <> e.token_name ORDER BY e.id"
    ),
    "sentences whose id another has here": (
        "SELECT 'script ' || e.id FROM earlier_scripts e JOIN scripts s ON s.id = e.id"
        " WHERE s.token_id <> e.token_id ORDER BY e.id"
    ),
}

_LEFT: Final = {
    "recordings in S3 of no learner and sentence that came over: left where they are": (
        "SELECT s3_key FROM earlier_recordings e WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = e.user_id)"
        " OR NOT EXISTS (SELECT FROM scripts s WHERE s.id = e.script_id AND s.token_id = e.token_id) ORDER BY 1"
    ),
}


async def settled(target: asyncpg.Connection) -> list[Misfit]:
    """What the import settles by itself."""
    return await _find(target, _SETTLED)


async def refused(target: asyncpg.Connection) -> list[Misfit]:
    """What it cannot: ids are part of S3 keys and of links, and somebody else has them here."""
    return await _find(target, _REFUSED)


async def left(target: asyncpg.Connection) -> list[Misfit]:
    """What is nobody's once all that fits came over."""
    return await _find(target, _LEFT)


async def _find(target: asyncpg.Connection, questions: dict[str, str]) -> list[Misfit]:
    found = []
    for what, question in questions.items():
        texts = [str(row[0]) for row in await target.fetch(question)]
        if texts:
            found.append(Misfit(what, len(texts), tuple(texts[:_EXAMPLES])))
    return found
