"""Finished dubbings: a learner's recordings laid over a clip's background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from tortoise import fields
from tortoise.models import Model

from models.db import connection
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


async def latest_dubbing(user_id: int, token_id: int) -> str | None:
    """The key of this learner's newest dubbing of a clip, None when there is none."""
    mine = DubbingResult.filter(user_id=user_id, token_id=token_id)
    found = await mine.order_by("-created_at", "-id").first()
    return None if found is None else found.s3_key


_SAME = """
SELECT d.s3_key FROM dubbing_results d JOIN analysis_results r ON r.job_id = d.job_id
WHERE d.user_id = $1 AND d.token_id = $2 AND r.request = $3::jsonb ORDER BY d.id DESC LIMIT 1
"""


async def dubbing_of(user_id: int, token_id: int, request: Mapping[str, Any]) -> str | None:
    """The key of a dubbing that was made by just this request, None when there is none."""
    rows = await connection().execute_query_dict(_SAME, [user_id, token_id, orjson.dumps(request).decode()])
    return rows[0]["s3_key"] if rows else None
