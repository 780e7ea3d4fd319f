"""Bookmarks: tokens a learner keeps."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.token import Token
from models.user import User


class Bookmark(Model):
    """One token kept by one user, once."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="bookmarks", on_delete=fields.CASCADE, db_index=True
    )
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="bookmarks", on_delete=fields.CASCADE, db_index=True
    )
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "bookmarks"
        unique_together = (("user", "token"),)
