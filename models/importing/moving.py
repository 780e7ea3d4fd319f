"""The import itself: everything copied beside our tables, then fitted into them, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from models.db import credentials
from models.importing.earlier import TABLES, Fit, copy
from models.importing.fitting import Conclude, fit_result, fit_script, fit_video, fit_word
from models.importing.misfits import Misfit, left, refused, settled
from models.importing.recordings import Found, put_beside, tie
from models.importing.statements import MOVES, PENDING_DECIDED, SEQUENCES

_LOCK: Final = 0x494D5054  # "IMPT": one import at a time
EARLIER: Final = "earlier server"
"""The incarnation of rows that came from there: no Valkey of ours ever held their records."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One table: how many rows the earlier server has, and how many of ours were added or changed."""

    table: str
    found: int
    added: int
    changed: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or in a dry run would have done."""

    tables: tuple[Moved, ...]
    misfits: tuple[Misfit, ...]


class ImportRefused(Exception):
    """Ids that the import must keep belong to others here; nothing was changed."""

    def __init__(self, misfits: list[Misfit]) -> None:
        super().__init__("ids of the earlier server are taken by others here")
        self.misfits = misfits


async def import_earlier(
    source_dsn: str,
    target_dsn: str,
    *,
    timezone: str,
    conclude: Conclude,
    recordings: Sequence[Found] = (),
    dry_run: bool = False,
) -> Imported:
    """Bring the earlier server's tables over, and with them the `recordings` that lie in S3.

    The same again changes nothing, later rows are added.

    Its naive timestamps are read as of `timezone`. Users, actors, clips, sentences and words keep their ids, which S3
    keys and links contain; analyses keep their job ids. Raises ImportRefused, NotTheEarlierServer, ValueError for an
    address that is none, and whatever asyncpg raises.
    """
    fits = {
        "urls": fit_video,
        "tokens": fit_video,
        "scripts": fit_script,
        "words": fit_word,
        "analysis_results": fit_result(conclude),
    }
    source = await asyncpg.connect(**credentials(source_dsn), timeout=10)
    try:
        target = await asyncpg.connect(**credentials(target_dsn), timeout=10)
        try:
            return await _import(source, target, timezone, fits, recordings, dry_run=dry_run)
        finally:
            await target.close()
    finally:
        await source.close()


async def _import(
    source: asyncpg.Connection,
    target: asyncpg.Connection,
    timezone: str,
    fits: Mapping[str, Fit],
    recordings: Sequence[Found],
    *,
    dry_run: bool,
) -> Imported:
    async with source.transaction(isolation="repeatable_read", readonly=True):
        changes = target.transaction()
        await changes.start()
        try:
            done = await _bring(source, target, timezone, fits, recordings)
        except BaseException:
            await changes.rollback()
            raise
        await (changes.rollback() if dry_run else changes.commit())
    return done


async def _bring(
    source: asyncpg.Connection,
    target: asyncpg.Connection,
    timezone: str,
    fits: Mapping[str, Fit],
    recordings: Sequence[Found],
) -> Imported:
    await target.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    await target.execute("SELECT now() AT TIME ZONE $1", timezone)  # an unknown one is refused here
    found = {table.name: await copy(source, target, table, fits.get(table.name)) for table in TABLES}
    if taken := await refused(target):
        raise ImportRefused(taken)
    misfits = await settled(target)
    moved = await _move(target, timezone, found)
    await put_beside(target, recordings)
    tied = Moved("recordings", len(recordings), *await tie(target, EARLIER))
    return Imported((*moved, tied), (*misfits, *await left(target)))


async def _move(target: asyncpg.Connection, timezone: str, found: Mapping[str, int]) -> tuple[Moved, ...]:
    moved = []
    values = {":timezone": timezone, ":earlier": EARLIER}
    for table, move in MOVES.items():
        needed = [name for name in values if name in move]
        statement = move
        for number, name in enumerate(needed, 1):
            statement = statement.replace(name, f"${number}::text")
        [row] = await target.fetch(
            f"WITH done AS ({statement} RETURNING xmax = 0 AS added)"
            " SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM done",
            *(values[name] for name in needed),
        )
        moved.append(Moved(table, found[table], row["added"], row["changed"]))
    await target.execute(PENDING_DECIDED, timezone)
    for table, least in SEQUENCES.items():
        await target.execute(
            f"SELECT setval('{table}_id_seq', greatest($1::bigint, last_value, (SELECT max(id) FROM {table})))"
            f" FROM {table}_id_seq",
            least,
        )
    return tuple(moved)
