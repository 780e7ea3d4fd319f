"""Clips as they are listed: each list has an order in which no two rows are equal, so pages neither repeat nor skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from models.db import connection

Row = dict[str, Any]

_COLUMNS: Final = (
    "t.id, t.token_name, t.actor_name, t.category, t.start_time, t.end_time, t.s3_textgrid_url, t.s3_pitch_url,"
    " t.s3_bgvoice_url, t.thumbnail_url, t.youtube_url, t.view_count"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM tokens t"  # names are ours, here and below
SHORT_SECONDS: Final = 20.0
MAX_SCENES: Final = 500
_PLACE: Final = "hashint4(t.id)"
_SHORT: Final = f"t.end_time - t.start_time < {SHORT_SECONDS}"
_ARCS: Final = " UNION ALL ".join(
    f"(SELECT t.*, {part} AS part, {_PLACE} AS place FROM tokens t WHERE {_SHORT} AND {_PLACE} {side} $3"
    f" ORDER BY {_PLACE}, t.id LIMIT $1::bigint + $2)"
    for part, side in enumerate((">=", "<"))
)
SHORT_ONES: Final = f"SELECT {_COLUMNS} FROM ({_ARCS}) t ORDER BY t.part, t.place, t.id OFFSET $1 LIMIT $2"
POPULAR_ONES: Final = f"{_SELECT} ORDER BY t.view_count DESC, t.id DESC OFFSET $1 LIMIT $2"


async def token_row(token_id: int) -> Row | None:
    """One clip, None when there is none."""
    rows = await connection().execute_query_dict(f"{_SELECT} WHERE t.id = $1", [token_id])
    return rows[0] if rows else None


async def all_tokens(skip: int, limit: int) -> list[Row]:
    """All clips, the oldest first."""
    return await connection().execute_query_dict(f"{_SELECT} ORDER BY t.id OFFSET $1 LIMIT $2", [skip, limit])


async def latest_tokens(skip: int, limit: int) -> list[Row]:
    """All clips, the newest first."""
    return await connection().execute_query_dict(f"{_SELECT} ORDER BY t.id DESC OFFSET $1 LIMIT $2", [skip, limit])


async def popular_tokens(skip: int, limit: int) -> list[Row]:
    """All clips, the most viewed first."""
    return await connection().execute_query_dict(POPULAR_ONES, [skip, limit])


async def short_tokens(skip: int, limit: int, day: int) -> list[Row]:
    """Clips of less than SHORT_SECONDS, shuffled: the order is the same for a whole `day`.

    They stand on a ring in the order of a hash of their ids, which an index holds; each day begins elsewhere on it.
    """
    begin = int((day * 0.6180339887498949) % 1 * 2**32) - 2**31  # the golden ratio: days in a row lie far apart
    return await connection().execute_query_dict(SHORT_ONES, [skip, limit, begin])


async def tokens_in_category(category: str, skip: int, limit: int) -> list[Row]:
    """Clips whose category contains this text, in upper or lower case, the oldest first."""
    statement = f"{_SELECT} WHERE strpos(lower(t.category), lower($1)) > 0 ORDER BY t.id OFFSET $2 LIMIT $3"
    return await connection().execute_query_dict(statement, [category, skip, limit])


async def tokens_of_video(youtube_url: str) -> list[Row] | None:
    """The clips of a video, the oldest first; None for a video nobody has listed."""
    rows = await connection().execute_query_dict(f"{_SELECT} WHERE t.youtube_url = $1 ORDER BY t.id", [youtube_url])
    return rows if rows or await is_listed(youtube_url) else None


async def is_listed(youtube_url: str) -> bool:
    """Whether this video, canonically spelt, is in the catalogue."""
    rows = await connection().execute_query_dict("SELECT 1 FROM urls WHERE youtube_url = $1", [youtube_url])
    return bool(rows)


async def actors_of(token_id: int) -> list[int] | None:
    """The ids of a clip's actors, None when there is no such clip."""
    statement = (
        "SELECT ARRAY(SELECT actor_id FROM token_actors WHERE token_id = t.id ORDER BY actor_id) AS actors"
        " FROM tokens t WHERE t.id = $1"
    )
    rows = await connection().execute_query_dict(statement, [token_id])
    return rows[0]["actors"] if rows else None


async def related_tokens(token_id: int, actor_ids: Sequence[int], skip: int, limit: int) -> list[Row]:
    """Other clips of any of these actors, the most viewed first."""
    statement = (
        f"{_SELECT} WHERE t.id <> $1 AND t.id IN (SELECT token_id FROM token_actors WHERE actor_id = ANY($2::int[]))"
        " ORDER BY t.view_count DESC, t.id DESC OFFSET $3 LIMIT $4"
    )
    return await connection().execute_query_dict(statement, [token_id, list(actor_ids), skip, limit])


async def tokens_of_actors(actor_ids: Sequence[int], skip: int, limit: int) -> list[Row]:
    """The clips of these actors: those of the first one first, then by age."""
    statement = (
        f"SELECT {_COLUMNS} FROM tokens t JOIN (SELECT ta.token_id, min(x.place) AS place FROM token_actors ta"
        " JOIN unnest($1::int[]) WITH ORDINALITY AS x (id, place) ON x.id = ta.actor_id GROUP BY ta.token_id) a"
        " ON a.token_id = t.id ORDER BY a.place, t.id OFFSET $2 LIMIT $3"
    )
    return await connection().execute_query_dict(statement, [list(actor_ids), skip, limit])


async def duet_tokens() -> list[Row]:
    """The clips of all videos that have exactly two: pair by pair in the order of ids, at most MAX_SCENES pairs."""
    statement = (
        f"SELECT {_COLUMNS} FROM tokens t JOIN (SELECT youtube_url, min(id) AS first FROM tokens"
        " GROUP BY youtube_url HAVING count(*) = 2 ORDER BY first LIMIT $1) pair ON pair.youtube_url = t.youtube_url"
        " ORDER BY pair.first, t.id"
    )
    return await connection().execute_query_dict(statement, [MAX_SCENES])


async def add_views(views: dict[int, int]) -> dict[int, int]:
    """Count so many views more for each clip; the new counts of those that exist.

    The rows are locked in the order of their ids, so that two processes never wait for each other.
    """
    statement = (
        "WITH seen AS MATERIALIZED (SELECT t.id, x.views FROM tokens t"
        " JOIN unnest($1::int[], $2::int[]) AS x (id, views) ON x.id = t.id ORDER BY t.id FOR NO KEY UPDATE OF t)"
        " UPDATE tokens t SET view_count = t.view_count + seen.views FROM seen WHERE t.id = seen.id"
        " RETURNING t.id, t.view_count"
    )
    rows = await connection().execute_query_dict(statement, [list(views), list(views.values())])
    return {row["id"]: row["view_count"] for row in rows}
