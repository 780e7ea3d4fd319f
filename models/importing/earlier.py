"""The earlier server's tables, and how they are copied beside ours: as they are, into temporary tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

_BATCH: Final = 1000
Fit = Callable[[dict[str, Any]], dict[str, Any]]
"""Adds to a row what SQL could not work out."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A table there: what is read of it, what the fitting adds, and the order it is read in."""

    name: str
    columns: tuple[tuple[str, str], ...]
    added: tuple[tuple[str, str], ...] = ()
    order: str = "id"

    @property
    def copy(self) -> str:
        """The temporary table that holds it."""
        return f"earlier_{self.name}"


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, kind) for name, _, kind in (part.strip().partition(" ") for part in text.split(",")))


TABLES: Final = (
    Earlier("actors", _columns("id int, name text")),
    Earlier("actor_aliases", _columns("id int, actor_id int, name text")),
    Earlier("urls", _columns("youtube_url text, actor_id int"), _columns("video text"), order="youtube_url"),
    Earlier(
        "tokens",
        _columns(
            "id int, token_name text, actor_name text, category text, start_time float8, end_time float8,"
            "s3_textgrid_url text, s3_pitch_url text, s3_bgvoice_url text, thumbnail_url text, youtube_url text,"
            "view_count int"
        ),
        _columns("video text"),
    ),
    Earlier("token_actors", _columns("id int, token_id int, actor_id int")),
    Earlier(
        "scripts",
        _columns("id int, token_id int, start_time float8, end_time float8, script text, translation text"),
        _columns("letters text"),
    ),
    Earlier(
        "words",
        _columns("id int, script_id int, word text, start_time float8, end_time float8, probability float8, mfcc text"),
    ),
    Earlier(
        "users",
        _columns(
            "id int, email text, google_id text, profile_picture text, full_name text, is_active bool,"
            "login_type text, created_at timestamp, updated_at timestamp, is_admin bool"
        ),
    ),
    Earlier(
        "analysis_results",
        _columns(
            "id int, job_id text, token_id int, user_id int, status text, progress int, result text, message text,"
            "created_at timestamp"
        ),
        _columns("letters text, state text, code text, said text, stored text, overall_score float8"),
    ),
    Earlier("bookmarks", _columns("id int, user_id int, token_id int, created_at timestamp")),
    Earlier("dubbing_results", _columns("id int, user_id int, token_id int, s3_key text, created_at timestamptz")),
    Earlier(
        "video_requests",
        _columns("id int, user_id int, actor text, content text, url text, status text, created_at timestamp"),
    ),
)
"""All that is brought over, in an order in which everything is there before it is pointed at."""


class NotTheEarlierServer(Exception):
    """The database to import from lacks a table or a column; the message names it."""


async def copy(source: asyncpg.Connection, target: asyncpg.Connection, table: Earlier, fit: Fit | None = None) -> int:
    """Copies one table into a temporary one of the target, in batches; how many rows. Both are in a transaction.

    Raises NotTheEarlierServer.
    """
    everything = [*table.columns, *table.added]
    definition = ", ".join(f"{name} {kind}" for name, kind in everything)
    await target.execute(f"CREATE TEMPORARY TABLE {table.copy} ({definition}) ON COMMIT DROP")
    wanted = ", ".join(f"{name}::{kind} AS {name}" for name, kind in table.columns)
    names = [name for name, _ in everything]
    found = 0
    try:
        rows = await source.cursor(f"SELECT {wanted} FROM {table.name} ORDER BY {table.order}")
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise NotTheEarlierServer(str(error)) from error
    while batch := await rows.fetch(_BATCH):
        fitted = [fit(dict(row)) if fit else dict(row) for row in batch]
        records = [tuple(row[name] for name in names) for row in fitted]
        await target.copy_records_to_table(table.copy, records=records, columns=names)
        found += len(batch)
    await target.execute(f"ANALYZE {table.copy}")
    return found
