"""Preprocessing of YouTube videos into tokens."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.token import Token
from models.user import User


class YoutubeProcessJob(Model):
    """One video handed to the preprocessing server."""

    id = fields.IntField(primary_key=True)
    job_id = fields.CharField(max_length=64, unique=True)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="youtube_jobs", on_delete=fields.SET_NULL, null=True, db_index=True
    )
    status = fields.CharField(max_length=32)
    progress = fields.IntField()
    message = fields.TextField(null=True)
    token: fields.ForeignKeyNullableRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="youtube_jobs", on_delete=fields.SET_NULL, null=True, db_index=True
    )
    result: fields.Field[Any] = fields.JSONField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "youtube_process_jobs"
