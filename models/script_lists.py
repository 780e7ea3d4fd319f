"""Sentences as they are listed, with their words: one query whatever their number."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Any, Final

from models.db import connection

Row = dict[str, Any]

_SCRIPT: Final = ("id", "token_id", "start_time", "end_time", "script", "translation")
_WORD: Final = ("script_id", "word", "start_time", "end_time", "probability")
_SELECT: Final = (
    "SELECT s.id, s.token_id, s.start_time, s.end_time, s.script, s.translation,"  # names are ours
    " w.id AS w_id, " + ", ".join(f"w.{name} AS w_{name}" for name in _WORD) + " FROM ({scripts}) s"
    " LEFT JOIN words w ON w.script_id = s.id ORDER BY s.id, w.id"
)
_ALL: Final = _SELECT.format(scripts="SELECT * FROM scripts ORDER BY id OFFSET $1 LIMIT $2")
_OF_TOKEN: Final = _SELECT.format(scripts="SELECT * FROM scripts WHERE token_id = $1 ORDER BY id OFFSET $2 LIMIT $3")
_ONE: Final = _SELECT.format(scripts="SELECT * FROM scripts WHERE id = $1")


async def all_scripts(skip: int, limit: int) -> list[Row]:
    """All sentences, by id."""
    return _scripts(await connection().execute_query_dict(_ALL, [skip, limit]))


async def scripts_of_token(token_id: int, skip: int = 0, limit: int | None = None) -> list[Row]:
    """A clip's sentences, by id; all of them unless told otherwise."""
    return _scripts(await connection().execute_query_dict(_OF_TOKEN, [token_id, skip, limit]))


async def script_row(script_id: int) -> Row | None:
    """One sentence, None when there is none."""
    found = _scripts(await connection().execute_query_dict(_ONE, [script_id]))
    return found[0] if found else None


def _scripts(rows: list[Row]) -> list[Row]:
    """One row a word, in order, as scripts with their words; a sentence without any is one row without a word."""
    found = []
    for _, group in itertools.groupby(rows, itemgetter("id")):
        words = list(group)
        script = {name: words[0][name] for name in _SCRIPT}
        script["words"] = [
            {"id": row["w_id"]} | {name: row[f"w_{name}"] for name in _WORD} for row in words if row["w_id"] is not None
        ]
        found.append(script)
    return found
