"""Scripts: the sentences of a token, and their words with timings."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Any

import orjson
from tortoise import fields
from tortoise.models import Model

from models.db import connection
from models.token import Token
from yousync import analysis
from yousync.analysis import Sentence


class Script(Model):
    """One sentence; times are absolute seconds in the YouTube video, as the token's."""

    id = fields.IntField(primary_key=True)
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="scripts", on_delete=fields.CASCADE, db_index=True
    )
    start_time = fields.FloatField()
    end_time = fields.FloatField()
    script = fields.TextField()
    translation = fields.TextField(null=True)
    token_id: int
    words: fields.ReverseRelation[Word]

    class Meta:
        table = "scripts"


class Word(Model):
    """One word of a sentence; order is by id."""

    id = fields.IntField(primary_key=True)
    script: fields.ForeignKeyRelation[Script] = fields.ForeignKeyField(
        "models.Script", related_name="words", on_delete=fields.CASCADE, db_index=True
    )
    word = fields.TextField(null=True)
    start_time = fields.FloatField(null=True)
    end_time = fields.FloatField(null=True)
    probability = fields.FloatField(null=True)
    mfcc: fields.Field[list[list[float]] | None] = fields.JSONField(null=True)
    script_id: int

    class Meta:
        table = "words"


_SENTENCES = """
SELECT s.id, s.start_time, s.end_time,
    w.id AS word_id, w.word, w.start_time AS word_start, w.end_time AS word_end, w.mfcc
FROM scripts s LEFT JOIN words w ON w.script_id = s.id
"""
_ORDER = "ORDER BY s.id, w.id"


async def token_of(script_id: int) -> int | None:
    """The clip that a sentence belongs to, None when there is no such sentence."""
    rows = await connection().execute_query_dict("SELECT token_id FROM scripts WHERE id = $1", [script_id])
    return rows[0]["token_id"] if rows else None


async def sentence_of(script_id: int) -> Sentence | None:
    """One sentence with its words in order, None when it is gone."""
    found = _sentences(await connection().execute_query_dict(f"{_SENTENCES} WHERE s.id = $1 {_ORDER}", [script_id]))
    return found[0] if found else None


async def sentences_of(token_id: int) -> list[Sentence]:
    """All sentences of a clip with their words, in order, in one query whatever their number."""
    return _sentences(await connection().execute_query_dict(f"{_SENTENCES} WHERE s.token_id = $1 {_ORDER}", [token_id]))


def _sentences(rows: list[dict[str, Any]]) -> list[Sentence]:
    """Rows of words, in order, as sentences; a sentence without words is one row without a word."""
    return [
        Sentence(
            id=of, start_time=start, end_time=end, words=[_word(row) for row in group if row["word_id"] is not None]
        )
        for (of, start, end), group in itertools.groupby(rows, itemgetter("id", "start_time", "end_time"))
    ]


def _word(row: dict[str, Any]) -> analysis.Word:
    return analysis.Word(
        id=row["word_id"],
        word=row["word"],
        start_time=row["word_start"],
        end_time=row["word_end"],
        mfcc=None if row["mfcc"] is None else orjson.loads(row["mfcc"]),
    )
