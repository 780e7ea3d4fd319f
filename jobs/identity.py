"""Which Valkey this is: the deployment it belongs to, and the life it is in since it was last empty."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs import keys
from models.db import DATABASE_DOWN
from models.deployment import deployment_id
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, writing

log = structlog.get_logger(__name__)


class WrongValkey(Exception):
    """This Valkey must not be used: it is another deployment's, or would lose what it is given."""


@dataclass(slots=True, kw_only=True)
class Identity:
    """Whose Valkey it is, and its name: random, on every row, and kept as long as the Valkey keeps its data.

    The name changes under a process only where `recognised` finds another.
    """

    deployment: str
    incarnation: str
    lost: str = ""  # why this process has to end: its Valkey has become another's


async def identify(valkey: Redis, settings: Settings, *, staging: Redis | None = None) -> Identity:
    """Name this Valkey as ours, or find that it is; `staging` has the staged audio, where that is another one.

    Raises WrongValkey.
    """
    ours = await deployment_id()
    await valkey.set(keys.DEPLOYMENT, ours, nx=True)
    if (await valkey.get(keys.DEPLOYMENT)) != ours.encode():
        raise WrongValkey("REDIS_URL names a Valkey that belongs to another deployment (another DATABASE_URL)")
    await check_durability(valkey, settings, staging=staging)
    await valkey.set(keys.INCARNATION, secrets.token_hex(16), nx=True)
    return Identity(deployment=ours, incarnation=(await valkey.get(keys.INCARNATION) or b"").decode())


async def recognised(valkey: Redis, identity: Identity) -> bool:
    """Whether Valkey goes by the name we know; where it does not, `identity` has its name from now on.

    A Valkey that has lost its memory under us gets its names back: what we told others of it goes on being true. Where
    somebody who came later was faster, the new name holds for us as well, so that the old one's jobs are taken care of.
    Raises WrongValkey when that was another deployment.
    """
    with writing():
        await valkey.set(keys.DEPLOYMENT, identity.deployment, nx=True)
        await valkey.set(keys.INCARNATION, identity.incarnation, nx=True)
    deployment, incarnation = await valkey.mget(keys.DEPLOYMENT, keys.INCARNATION)
    if deployment is None or incarnation is None:  # it was emptied this very moment
        return True
    if deployment != identity.deployment.encode():
        raise WrongValkey("Valkey was emptied and is another deployment's now")
    found = incarnation.decode()
    if found == identity.incarnation:
        return True
    log.warning("valkey_renamed", before=identity.incarnation, now=found)
    identity.incarnation = found
    return False


async def identified(valkey: Redis, settings: Settings, *, staging: Redis | None = None) -> Identity:
    """The Valkey's identity, waiting for Valkey and Postgres to be there; raises WrongValkey."""
    while True:
        try:
            return await identify(valkey, settings, staging=staging)
        except (*VALKEY_DOWN, *DATABASE_DOWN) as error:
            log.warning("not_ready", cause=type(error).__name__)
            await asyncio.sleep(0.5)


async def check_durability(valkey: Redis, settings: Settings, *, staging: Redis | None = None) -> None:
    """Raise WrongValkey unless Valkey keeps what it acknowledges: append-only file on, no eviction.

    So must the one that staged audio has to itself, and it must take a write: what else is accepted shows elsewhere
    whether Valkey does. Managed services that hide their configuration need VALKEY_DURABILITY=acknowledged: then a
    Valkey that loses its memory loses uploads accepted since its last copy.
    """
    room = 2 * settings.staged_audio_bytes
    if settings.valkey_durability == "strict":
        await _keeps(valkey, "REDIS_URL", room=0 if staging else room)
        if staging:
            await _keeps(staging, "STAGING_REDIS_URL", room=room)
    if staging:
        with writing():
            await staging.set(keys.PROBE, b"", px=60_000)


async def _keeps(valkey: Redis, name: str, *, room: int) -> None:
    """Raise WrongValkey unless the server that setting `name` leads to keeps everything, `room` bytes or more."""
    try:
        found: dict[str, str] = {}
        for setting in ("appendonly", "maxmemory-policy", "maxmemory"):
            found |= await valkey.config_get(setting)
    except ResponseError as error:
        raise WrongValkey(f"{name}: hides its configuration; set VALKEY_DURABILITY=acknowledged") from error
    if found.get("appendonly") != "yes" or found.get("maxmemory-policy") != "noeviction":
        raise WrongValkey(f"{name}: must run with `appendonly yes` and `maxmemory-policy noeviction`")
    if 0 < int(found.get("maxmemory", 0)) < room:
        raise WrongValkey(f"{name}: its maxmemory must be at least twice STAGED_AUDIO_BYTES")
