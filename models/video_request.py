"""Learners' requests for videos to be added."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.user import User


class VideoRequest(Model):
    """One request; `status` is one of 심사중, 승인됨, 거절됨 (under review, approved, rejected)."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="video_requests", on_delete=fields.CASCADE, db_index=True
    )
    actor = fields.TextField()
    content = fields.TextField()
    url = fields.TextField()
    status = fields.CharField(max_length=20, default="심사중")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "video_requests"
