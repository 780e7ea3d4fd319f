"""Scripts: the sentences of a token, and their words with timings."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

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


async def sentence_of(script_id: int) -> Sentence | None:
    """One sentence with its words in order, None when it is gone."""
    script = await Script.get_or_none(id=script_id)
    return None if script is None else (await _with_words([script]))[0]


async def sentences_of(token_id: int) -> list[Sentence]:
    """All sentences of a clip with their words, in order, in two queries whatever their number."""
    return await _with_words(await Script.filter(token_id=token_id).order_by("id"))


async def _with_words(scripts: list[Script]) -> list[Sentence]:
    words: dict[int, list[analysis.Word]] = {script.id: [] for script in scripts}
    rows = await Word.filter(script_id__in=list(words)).order_by("id") if scripts else []
    for row in rows:
        words[row.script_id].append(
            analysis.Word(id=row.id, word=row.word, start_time=row.start_time, end_time=row.end_time, mfcc=row.mfcc)
        )
    return [
        Sentence(id=script.id, start_time=script.start_time, end_time=script.end_time, words=words[script.id])
        for script in scripts
    ]
