"""Tokens: one actor's lines in one clip of a video."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.actor import Actor, Url


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
    view_count = fields.IntField(default=0, db_index=True)
    youtube_id: str

    class Meta:
        table = "tokens"


class TokenActor(Model):
    """Which actors a token belongs to; related clips are found through it."""

    id = fields.IntField(primary_key=True)
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="token_actors", on_delete=fields.CASCADE, db_index=True
    )
    actor: fields.ForeignKeyRelation[Actor] = fields.ForeignKeyField(
        "models.Actor", related_name="token_actors", on_delete=fields.CASCADE, db_index=True
    )

    class Meta:
        table = "token_actors"
        unique_together = (("token", "actor"),)
