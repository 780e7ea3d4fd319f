"""Actors, the names people search them by, and the videos they appear in."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Actor(Model):
    """A person, by the one name shown."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=255, unique=True)

    class Meta:
        table = "actors"


class ActorAlias(Model):
    """Another spelling of an actor's name, in any script."""

    id = fields.IntField(primary_key=True)
    actor: fields.ForeignKeyRelation[Actor] = fields.ForeignKeyField(
        "models.Actor", related_name="aliases", on_delete=fields.CASCADE, db_index=True
    )
    name = fields.CharField(max_length=255)

    class Meta:
        table = "actor_aliases"
        unique_together = (("actor", "name"),)


class Url(Model):
    """A YouTube video, canonical `https://www.youtube.com/watch?v=<11 characters>`, and whose it is."""

    youtube_url = fields.CharField(max_length=2048, primary_key=True)
    actor: fields.ForeignKeyRelation[Actor] = fields.ForeignKeyField(
        "models.Actor", related_name="urls", on_delete=fields.CASCADE, db_index=True
    )

    class Meta:
        table = "urls"
