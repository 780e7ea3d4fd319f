"""Which deployment this database belongs to, so that a Valkey of another one can be told apart."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Deployment(Model):
    """A single row, written by the first migration."""

    id = fields.UUIDField(primary_key=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "deployment"


async def deployment_id() -> str:
    """The random id of this database's deployment."""
    return str((await Deployment.get()).id)
