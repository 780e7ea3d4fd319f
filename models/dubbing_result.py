"""Finished dubbings: a learner's recordings laid over a clip's background."""

from __future__ import annotations

from collections.abc import Sequence

from tortoise import fields
from tortoise.models import Model

from models.token import Token
from models.user import User


class DubbingResult(Model):
    """One synthesised file in S3, and the job that made it."""

    id = fields.IntField(primary_key=True)
    job_id = fields.CharField(max_length=64, unique=True)
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


async def kept_dubbings(s3_keys: Sequence[str]) -> set[str]:
    """Those of these keys under which somebody's dubbing lies, whatever made it."""
    rows = await DubbingResult.filter(s3_key__in=s3_keys).values_list("s3_key")
    return {key for (key,) in rows}
