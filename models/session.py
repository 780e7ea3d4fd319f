"""Sessions: who is signed in where, and which expired tokens were already exchanged for new ones."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from models.db import connection
from models.user import User

AGAIN: Final = timedelta(seconds=60)
"""How long an exchange may be asked for again: by a second tab, or after a lost reply."""


class Session(Model):
    """One sign-in. Its access tokens carry its id (`sid`) and hold as long as the row is there; none is kept."""

    id = fields.CharField(max_length=32, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="sessions", on_delete=fields.CASCADE, db_index=True
    )
    created_at = fields.DatetimeField(auto_now_add=True)
    renewed_at = fields.DatetimeField(auto_now_add=True, db_index=True)

    class Meta:
        table = "sessions"


class SpentToken(Model):
    """An expired access token that was exchanged, by its `jti`; `successor_iat` is the `iat` of what it became."""

    jti = fields.CharField(max_length=32, primary_key=True)
    session: fields.ForeignKeyRelation[Session] = fields.ForeignKeyField(
        "models.Session", related_name="spent_tokens", on_delete=fields.CASCADE, db_index=True
    )
    spent_at = fields.DatetimeField(auto_now_add=True, db_index=True)
    successor_iat = fields.BigIntField()

    class Meta:
        table = "spent_tokens"


async def open_session(user_id: int) -> str:
    """Sign a user in; the new session's id."""
    session = await Session.create(id=uuid.uuid4().hex, user_id=user_id)
    return session.id


_SIGNED_IN = """
SELECT u.* FROM users u JOIN sessions s ON s.user_id = u.id WHERE s.id = $2 AND u.id = $1 AND u.is_active
"""


async def signed_in(user_id: int, session_id: str) -> User | None:
    """The user of a session that goes on, unless deactivated; one query, as every request asks it."""
    rows = await connection().execute_query_dict(_SIGNED_IN, [user_id, session_id])
    # As a query set would: but to put one together takes twice as long as all the rest.
    return User._init_from_db(**rows[0]) if rows else None  # noqa: SLF001


async def renew_session(session_id: str) -> bool:
    """Note that a session got a new token; False when it has ended."""
    renewed, _ = await connection().execute_query("UPDATE sessions SET renewed_at = now() WHERE id = $1", [session_id])
    return bool(renewed)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an expired token was exchanged for."""

    successor_iat: int  # seconds since 1970, by the clock of the process that was asked first
    late: bool  # it was exchanged before, longer ago than a second try takes


# The first of several at once inserts, the others wait for it and read what it wrote: DO UPDATE changes nothing, but
# returns the row that is there. Time is Postgres' own, so that hosts' clocks do not matter.
_EXCHANGE = """
WITH session AS (UPDATE sessions SET renewed_at = now() WHERE id = $2 RETURNING id)
INSERT INTO spent_tokens AS spent (jti, session_id, spent_at, successor_iat) SELECT $1, id, now(), $3 FROM session
ON CONFLICT (jti) DO UPDATE SET jti = EXCLUDED.jti
RETURNING spent.successor_iat, now() - spent.spent_at AS age
"""


async def exchange(jti: str, session_id: str, *, iat: int) -> Exchange | None:
    """Spend an expired token of a session, or find what it was spent on; None when the session has ended.

    `iat` is the successor's where this is the first time.
    """
    try:
        found = await connection().execute_query_dict(_EXCHANGE, [jti, session_id, iat])
    except IntegrityError:
        return None  # it ended in this very moment
    return Exchange(found[0]["successor_iat"], found[0]["age"] > AGAIN) if found else None


async def end_session(session_id: str) -> None:
    """Sign out: none of its tokens is good for anything from now on. May be called twice."""
    await Session.filter(id=session_id).delete()


async def drop_sessions(*, before: datetime) -> int:
    """Remove sessions that got no token since a moment, and exchanges made before it; how many those were."""
    spent = await SpentToken.filter(spent_at__lt=before).delete()
    return spent + await Session.filter(renewed_at__lt=before).delete()
