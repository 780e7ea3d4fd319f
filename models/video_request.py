"""Learners' requests for videos to be added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tortoise import fields
from tortoise.backends.base.schema_generator import BaseSchemaGenerator
from tortoise.contrib.postgres.indexes import PostgreSQLIndex
from tortoise.indexes import Index
from tortoise.models import Model
from typing_extensions import override

from models.db import connection
from models.user import User, public_name


class Review(StrEnum):
    """What became of a request, in the words that frontends compare."""

    PENDING = "심사중"  # under review
    APPROVED = "승인됨"
    REJECTED = "거절됨"


NOBODY: Final = "이름 없는 사용자"
"""Who asked, where they go by no name: "a user without a name"."""


class PendingIndex(PostgreSQLIndex):
    """One request under review per learner."""

    def __init__(self) -> None:
        super().__init__(fields=("user_id",), name="uid_video_requests_pending")
        self.extra = f" WHERE status = '{Review.PENDING}'"

    @override
    def get_sql(self, schema_generator: BaseSchemaGenerator, model: type[Model], safe: bool) -> str:  # as inherited
        """The statement that makes it."""
        return super().get_sql(schema_generator, model, safe).replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)


class VideoRequest(Model):
    """One request; of those under review a learner has at most one."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="video_requests", on_delete=fields.CASCADE
    )
    actor = fields.TextField()
    content = fields.TextField()
    url = fields.TextField()
    status = fields.CharField(max_length=20, default=Review.PENDING.value)
    created_at = fields.DatetimeField(auto_now_add=True)
    user_id: int

    class Meta:
        table = "video_requests"
        indexes = (
            Index(fields=("user_id", "created_at", "id")),
            Index(fields=("created_at", "id")),
            PendingIndex(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a learner asks for."""

    actor: str
    content: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequestView(Wish):
    """A request as everybody who is signed in sees it: `requester` is a name, never an e-mail."""

    id: int
    status: str  # one of Review
    date: datetime
    requester: str


_ADD = """
INSERT INTO video_requests (user_id, actor, content, url, status, created_at) VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (user_id) WHERE status = '심사중' DO NOTHING RETURNING id, actor, content, url, status, created_at
"""
_COLUMNS = "r.id, r.actor, r.content, r.url, r.status, r.created_at, u.full_name, u.email"
_LIST = f"""
SELECT {_COLUMNS} FROM video_requests r JOIN users u ON u.id = r.user_id
ORDER BY r.created_at DESC, r.id DESC LIMIT $1 OFFSET $2
"""
_LIST_OF = f"""
SELECT {_COLUMNS} FROM video_requests r JOIN users u ON u.id = r.user_id
WHERE r.user_id = $1 ORDER BY r.created_at DESC, r.id DESC LIMIT $2 OFFSET $3
"""


async def ask_for(user: User, wish: Wish) -> VideoRequestView | None:
    """File a request; None when one of theirs is under review. Of two at once the index lets one in."""
    values = [user.id, wish.actor, wish.content, wish.url, Review.PENDING.value]
    rows = await connection().execute_query_dict(_ADD, values)
    return _view(rows[0] | {"full_name": user.full_name, "email": user.email}) if rows else None


async def requests_of(user_id: int, *, limit: int, offset: int) -> list[VideoRequestView]:
    """A learner's requests, newest first."""
    return [_view(row) for row in await connection().execute_query_dict(_LIST_OF, [user_id, limit, offset])]


async def all_requests(*, limit: int, offset: int) -> list[VideoRequestView]:
    """Everybody's requests, newest first."""
    return [_view(row) for row in await connection().execute_query_dict(_LIST, [limit, offset])]


async def review(request_id: int, status: Review) -> bool:
    """Say what became of a request; False when there is none.

    Raises tortoise.exceptions.IntegrityError when its learner would have two under review.
    """
    return bool(await VideoRequest.filter(id=request_id).update(status=status.value))


async def withdraw(request_id: int, *, user_id: int) -> bool | None:
    """Remove a learner's own request, if it was rejected; False when it was not, None when they have none such."""
    mine = VideoRequest.filter(id=request_id, user_id=user_id)
    if await mine.filter(status=Review.REJECTED.value).delete():
        return True
    return False if await mine.exists() else None


def _view(row: dict[str, Any]) -> VideoRequestView:
    return VideoRequestView(
        id=row["id"],
        actor=row["actor"],
        content=row["content"],
        url=row["url"],
        status=row["status"],
        date=row["created_at"],
        requester=public_name(row["full_name"], row["email"]) or NOBODY,
    )
