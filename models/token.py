"""Tokens: one actor's lines in one clip of a video."""

from __future__ import annotations

from collections.abc import Sequence

from pypika_tortoise.terms import Field, Function
from tortoise import fields
from tortoise.contrib.postgres.indexes import PostgreSQLIndex
from tortoise.models import Model

from models.actor import Actor, Url


class ShortIndex(PostgreSQLIndex):
    """Clips of less than 20 seconds in an order that looks like chance and never changes: `short_tokens` walks it."""

    def __init__(self) -> None:
        super().__init__(Function("hashint4", Field("id")), name="idx_tokens_short")
        self.extra = " WHERE end_time - start_time < 20"


class Token(Model):
    """A clip to practise on; times are seconds in the YouTube video."""

    id = fields.IntField(primary_key=True)
    token_name = fields.TextField()
    actor_name = fields.TextField()
    category = fields.TextField(null=True)
    start_time = fields.FloatField()
    end_time = fields.FloatField()
    s3_textgrid_url = fields.TextField(null=True)
    s3_pitch_url = fields.TextField(null=True)
    s3_bgvoice_url = fields.TextField(null=True)
    thumbnail_url = fields.TextField(null=True)
    youtube: fields.ForeignKeyRelation[Url] = fields.ForeignKeyField(
        "models.Url", related_name="tokens", on_delete=fields.CASCADE, source_field="youtube_url", db_index=True
    )
    view_count = fields.IntField(default=0)
    youtube_id: str

    class Meta:
        table = "tokens"
        indexes = (("view_count", "id"), ShortIndex())


async def existing_tokens(token_ids: Sequence[int]) -> list[int]:
    """Those of these ids that are clips, in order of id."""
    rows = await Token.filter(id__in=token_ids).order_by("id").values_list("id") if token_ids else []
    return [token_id for (token_id,) in rows]


class TokenActor(Model):
    """Which actors a token belongs to; related clips are found through it."""

    id = fields.IntField(primary_key=True)
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="token_actors", on_delete=fields.CASCADE, db_index=True
    )
    actor: fields.ForeignKeyRelation[Actor] = fields.ForeignKeyField(
        "models.Actor", related_name="token_actors", on_delete=fields.CASCADE, db_index=True
    )
    actor_id: int

    class Meta:
        table = "token_actors"
        unique_together = (("token", "actor"),)
