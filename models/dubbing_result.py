"""Finished dubbings: a learner's recordings laid over a clip's background."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.token import Token
from models.user import User


class DubbingResult(Model):
    """One synthesised file in S3."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="dubbings", on_delete=fields.CASCADE, db_index=True
    )
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="dubbings", on_delete=fields.CASCADE, db_index=True
    )
    s3_key = fields.TextField()
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "dubbing_results"
