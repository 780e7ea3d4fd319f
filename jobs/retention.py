"""How long things are kept: results by how they ended, logs, tombstones, and audio that belongs to nobody."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from jobs import keys
from jobs.deps import Deps
from jobs.engine import DUBBING, DUBBINGS
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.reconciler import job_of_row
from models.analysis_result import any_jobs, known_jobs
from models.db import now as database_now
from models.deletion import drop_histories, drop_tombstones, expired, uncleaned
from models.dubbing_result import kept_dubbings
from models.session import drop_sessions
from yousync.errors import JobNotFound
from yousync.job import State, is_job_id
from yousync.valkey import writing

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
ORPHANS_EVERY_SECONDS: Final = 86_400
_BATCH: Final = 500
_AT_ONCE: Final = 8
_CLEANING_GRACE: Final = timedelta(minutes=2)  # a deletion this young is still on its way by itself
_TOMBSTONE: Final = timedelta(days=7)  # longer than anything that could write a row back
_CLOCKS_DIFFER: Final = timedelta(days=1)  # tokens end by their hosts' clocks
_ORPHAN_AGE: Final = timedelta(days=1)
_BY: Final = By(who="retention", why="kept long enough")


async def retain_forever(deps: Deps, identity: Identity) -> None:
    """Remove now and each minute what is no longer kept. Ends by raising when something it needs is away."""
    while True:
        await retain(deps, identity)
        if await _has_turn(deps):
            await remove_orphans(deps)
        await asyncio.sleep(EVERY_SECONDS)


async def _has_turn(deps: Deps) -> bool:
    """Whether it is for this process to look for orphans today; so it stays where the first reply is lost."""
    turn, mine = f"{keys.ONCE}orphans", secrets.token_hex(8)
    with writing():
        await deps.valkey.set(turn, mine, nx=True, ex=ORPHANS_EVERY_SECONDS)
    return bool(await deps.valkey.get(turn) == mine.encode())


async def retain(deps: Deps, identity: Identity, *, batch: int = _BATCH) -> int:
    """One round: expired results become tombstones whose audio is cleaned; how many things were removed.

    What is no longer kept goes in batches until none is left: as much may expire in a minute as was made in one.
    """
    settings = deps.settings
    ops = Ops(deps, identity)
    now = await database_now()
    days = {
        State.COMPLETED: settings.retain_completed_days,
        State.FAILED: settings.retain_failed_days,
        State.PARKED: settings.retain_parked_days,
        State.CANCELLED: settings.retain_cancelled_days,
    }
    removed = await _all_expired(ops, now, days, settings.anonymous_result_hours, batch=batch)
    for row in await uncleaned(before=now - _CLEANING_GRACE, limit=_BATCH):
        await deps.store.erase(job_of_row(row, identity), code="deleted", actor=_BY.who)
        removed += 1
    removed += await drop_tombstones(before=now - _TOMBSTONE)
    usable = timedelta(hours=settings.access_token_hours, days=settings.refresh_days)
    removed += await drop_sessions(before=now - usable - _CLOCKS_DIFFER)
    if settings.retain_history_days:
        before = now - timedelta(days=settings.retain_history_days)
        while dropped := await drop_histories(before=before, limit=batch):
            removed += dropped
    if removed:
        log.info("retention", removed=removed)
    return removed


async def retain_anonymous(deps: Deps, ops: Ops) -> int:
    """The part of a round that is about results of nobody in particular; how many were removed."""
    return await _all_expired(ops, await database_now(), {}, deps.settings.anonymous_result_hours)


async def _all_expired(
    ops: Ops, now: datetime, days: Mapping[State, float], anonymous_hours: float, *, batch: int = _BATCH
) -> int:
    removed, turns = 0, asyncio.Semaphore(_AT_ONCE)

    async def expire(job_id: str) -> bool:
        async with turns:
            with suppress(JobNotFound):  # somebody else was quicker
                return await ops.expire(job_id, by=_BY)
            return False

    while job_ids := await expired(now=now, days=days, anonymous_hours=anonymous_hours, limit=batch):
        done = sum(await asyncio.gather(*map(expire, job_ids)))
        if not done:  # all of them go on: those would be found again
            break
        removed += done
    return removed


async def remove_orphans(deps: Deps, *, older_than: timedelta = _ORPHAN_AGE) -> int:
    """Remove audio whose job has neither row nor record: its clip or learner was deleted; how many objects.

    Only objects that carry a job's id in their name are looked at, and only old ones. The bucket must be this
    deployment's own: another's recordings would look the same.
    """
    if not await any_jobs():
        return 0  # a database about to be restored looks like this, and then all audio like nobody's
    removed = 0
    before = await deps.store.now() - older_than
    async for page in deps.storage.pages(("audio/", "user_audio/", DUBBINGS)):
        named = {_job_id(key): key for key, modified in page if modified < before and _job_id(key)}
        gone = named.keys() - await known_jobs(list(named))
        dubbings = await kept_dubbings([named[job_id] for job_id in gone])  # also those no job of ours has made
        for job_id in gone - await deps.store.existing(list(gone)):
            if named[job_id] not in dubbings:
                await deps.storage.delete(named[job_id])
                removed += 1
    if removed:
        log.info("orphans_removed", objects=removed)
    return removed


def _job_id(key: str) -> str:
    """The job id in a key such as audio/<job id>.wav or <folder>/dubbing_audio_<job id>.wav; empty for any other."""
    name = key.rsplit("/", 1)[-1].rsplit(".", 1)[0].removeprefix(DUBBING)
    return name if is_job_id(name) else ""
