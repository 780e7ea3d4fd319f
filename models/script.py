"""Scripts: the sentences of a token, and their words with timings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What a recording is held against: a clip's files, and its sentences or one of them."""

    s3_textgrid_url: str | None
    s3_pitch_url: str | None
    start_time: float
    sentences: list[Sentence]  # in order, with their words; none where the one that was asked for is gone


_ORIGINAL = """
SELECT t.s3_textgrid_url, t.s3_pitch_url, t.start_time AS clip_start, s.id, s.start_time, s.end_time,
    w.id AS word_id, w.word, w.start_time AS word_start, w.end_time AS word_end, w.mfcc
FROM tokens t LEFT JOIN scripts s ON {} LEFT JOIN words w ON w.script_id = s.id
WHERE t.id = $1 ORDER BY s.id, w.id
"""
_OF_CLIP = _ORIGINAL.format("s.token_id = t.id")
_OF_SENTENCE = _ORIGINAL.format("s.id = $2")


async def token_of(script_id: int) -> int | None:
    """The clip that a sentence belongs to, None when there is no such sentence."""
    rows = await connection().execute_query_dict("SELECT token_id FROM scripts WHERE id = $1", [script_id])
    return rows[0]["token_id"] if rows else None


async def original_of(token_id: int | None, script_id: int | None) -> Original | None:
    """A clip with one of its sentences, or with all, in one query; None when the clip is gone."""
    query, values = (_OF_CLIP, [token_id]) if script_id is None else (_OF_SENTENCE, [token_id, script_id])
    rows = await connection().execute_query_dict(query, values)
    if not rows:
        return None
    clip = rows[0]
    return Original(
        s3_textgrid_url=clip["s3_textgrid_url"],
        s3_pitch_url=clip["s3_pitch_url"],
        start_time=clip["clip_start"],
        sentences=_sentences([row for row in rows if row["id"] is not None]),
    )


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
