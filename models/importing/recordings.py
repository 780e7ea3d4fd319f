"""Recordings of the earlier server: an object a learner and sentence, whose key alone says whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from models.importing.statements import RECORDED, RECORDINGS, TIED
from yousync.failures import LEARNER_MESSAGES

FOLDER: Final = "user_audio/"
"""Where it put them, as we do: our own lie a folder deeper."""
_KEY: Final = re.compile(rf"{FOLDER}([1-9]\d{{0,8}})/([1-9]\d{{0,8}})/([1-9]\d{{0,8}})\.[^/]+")


@dataclass(frozen=True, slots=True)
class Found:
    """The recording of a sentence: its last one, for each went where the one before lay."""

    user_id: int
    token_id: int
    script_id: int
    s3_key: str
    written_at: datetime


def recordings_among(objects: Iterable[tuple[str, datetime]]) -> list[Found]:
    """Those of these objects that are recordings of the earlier server; of two of a sentence the newer one."""
    newest: dict[tuple[int, int, int], Found] = {}
    for key, written_at in objects:
        if named := _KEY.fullmatch(key):
            sentence = (int(named[1]), int(named[2]), int(named[3]))
            if sentence not in newest or newest[sentence].written_at < written_at:
                newest[sentence] = Found(*sentence, key, written_at)
    return list(newest.values())


async def put_beside(target: asyncpg.Connection, recordings: Iterable[Found]) -> None:
    """Put them into a temporary table, beside the copies of the earlier server's."""
    await target.execute(RECORDINGS)
    columns = ["user_id", "token_id", "script_id", "s3_key", "written_at"]
    records = [tuple(getattr(each, name) for name in columns) for each in recordings]
    await target.copy_records_to_table("earlier_recordings", records=records, columns=columns)
    await target.execute("ANALYZE earlier_recordings")


async def tie(target: asyncpg.Connection, incarnation: str) -> tuple[int, int]:
    """Give each to the result it belongs to, or a row of its own; how many rows were added, and how many changed."""
    never_ended = "never_ended"
    added = await target.fetchval(RECORDED, incarnation, never_ended, LEARNER_MESSAGES[never_ended])
    return added, await target.fetchval(TIED, incarnation)
