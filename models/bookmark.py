"""Bookmarks: tokens a learner keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.db import connection
from models.token import Token
from models.user import User


class Bookmark(Model):
    """One token kept by one user, once."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="bookmarks", on_delete=fields.CASCADE
    )
    token: fields.ForeignKeyRelation[Token] = fields.ForeignKeyField(
        "models.Token", related_name="bookmarks", on_delete=fields.CASCADE, db_index=True
    )
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "bookmarks"
        unique_together = (("user", "token"),)
        indexes = (Index(fields=("user_id", "created_at", "id")),)  # a learner's own, in the order of the list


@dataclass(frozen=True, slots=True, kw_only=True)
class BookmarkedToken:
    """As much of a clip as a bookmark shows."""

    id: int
    token_name: str
    actor_name: str
    category: str | None
    thumbnail_url: str | None
    youtube_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookmarkItem:
    """A bookmark with its clip."""

    id: int
    user_id: int
    token_id: int
    created_at: datetime
    token: BookmarkedToken


_ADD = """
INSERT INTO bookmarks (user_id, token_id, created_at) VALUES ($1, $2, now())
ON CONFLICT (user_id, token_id) DO NOTHING RETURNING id
"""
_LIST = """
SELECT b.id, b.user_id, b.token_id, b.created_at,
    t.token_name, t.actor_name, t.category, t.thumbnail_url, t.youtube_url
FROM bookmarks b JOIN tokens t ON t.id = b.token_id
WHERE b.user_id = $1 ORDER BY b.created_at DESC, b.id DESC LIMIT $2 OFFSET $3
"""


async def add_bookmark(user_id: int, token_id: int) -> bool:
    """Keep a token; False when it is kept already. Of two at once the constraint lets one in.

    Raises tortoise.exceptions.IntegrityError when there is no such token.
    """
    return bool(await connection().execute_query_dict(_ADD, [user_id, token_id]))


async def remove_bookmark(user_id: int, token_id: int) -> None:
    """Keep a token no longer; nothing happens when it was not kept."""
    await Bookmark.filter(user_id=user_id, token_id=token_id).delete()


async def bookmarks_of(user_id: int, *, limit: int, offset: int = 0) -> list[BookmarkItem]:
    """A learner's bookmarks, newest first: one statement that reads no more index entries than it skips and shows."""
    return [_item(row) for row in await connection().execute_query_dict(_LIST, [user_id, limit, offset])]


def _item(row: dict[str, Any]) -> BookmarkItem:
    return BookmarkItem(
        id=row["id"],
        user_id=row["user_id"],
        token_id=row["token_id"],
        created_at=row["created_at"],
        token=BookmarkedToken(
            id=row["token_id"],
            token_name=row["token_name"],
            actor_name=row["actor_name"],
            category=row["category"],
            thumbnail_url=row["thumbnail_url"],
            youtube_url=row["youtube_url"],
        ),
    )
