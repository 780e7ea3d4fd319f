"""The reconciler: rows in Postgres that are unfinished although no record is left to finish them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from jobs.deps import Deps
from jobs.identity import Identity, WrongValkey, recognised
from jobs.pipeline import Move
from models.analysis_result import AnalysisResult, Conclusion, record_conclusion, unfinished_results
from models.db import DATABASE_DOWN, credentials
from yousync import metrics
from yousync.failures import LEARNER_MESSAGES, StageFailure
from yousync.job import Job, Kind, State
from yousync.tasks import cancel
from yousync.valkey import PROCESS_ID, VALKEY_DOWN

log = structlog.get_logger(__name__)

_BATCH: Final = 200
_OTHERS_SECONDS: Final = 5.0  # in which every other process is present again, once Postgres is back
_PRESENCE: Final = 0x594F5359  # "YOSY": first half of the advisory lock that says "we use this Valkey"


@asynccontextmanager
async def presence(deps: Deps, identity: Identity) -> AsyncIterator[asyncpg.Connection]:
    """While inside, Postgres knows that somebody lives on this Valkey: nobody adopts its rows.

    Should the connection break, the lock goes with it; the caller starts anew.
    """
    connection = await asyncpg.connect(**credentials(deps.settings.database_url.get_secret_value()), timeout=5)
    try:
        number = _lock_number(identity.incarnation)
        await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", _PRESENCE, number, timeout=5)
        yield connection
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def present(deps: Deps, identity: Identity) -> AsyncIterator[None]:
    """The same, kept up while inside, for a process that does not reconcile."""

    async def nothing(_: asyncpg.Connection) -> None:
        return

    keeper = asyncio.create_task(_live(deps, identity, nothing))
    try:
        yield
    finally:
        await cancel(keeper)


async def reconcile_forever(deps: Deps, identity: Identity) -> None:
    """Be present, and reconcile now and again, until cancelled."""

    async def reconciling(connection: asyncpg.Connection) -> None:
        await reconcile(deps, identity, connection, grace_seconds=deps.settings.reconcile_seconds)
        await deps.store.prune()

    await _live(deps, identity, reconciling)


_Work = Callable[[asyncpg.Connection], Awaitable[None]]


async def _live(deps: Deps, identity: Identity, work: _Work) -> None:
    """Be present whatever comes, and do this work now and again, until cancelled."""
    pause = 0.0
    while True:
        try:
            async with presence(deps, identity) as connection:
                # Where Postgres was away it was so for all: first they are to be present again.
                await asyncio.sleep(pause)
                await _rounds(deps, identity, connection, work)
            pause = 0.0
        except WrongValkey as error:
            log.critical("wrong_valkey", cause=str(error))
            signal.raise_signal(signal.SIGTERM)  # nothing may be taken from it or put into it any more
            return
        except DATABASE_DOWN as error:
            log.warning("not_present", cause=type(error).__name__)
            pause = _OTHERS_SECONDS
        except Exception:
            log.exception("not_present")
        await asyncio.sleep(1.0)


async def _rounds(deps: Deps, identity: Identity, connection: asyncpg.Connection, work: _Work) -> None:
    """Rounds for as long as the Valkey we live on is the one that the lock speaks of.

    Raises when the connection has ended, and with it the lock.
    """
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    while True:
        await connection.fetchval("SELECT 1", timeout=5)
        try:
            if not await recognised(deps.valkey, identity):
                return
            await work(connection)
        except VALKEY_DOWN as error:  # it may come back as it was: until then its jobs are nobody else's
            log.warning("round_failed", cause=type(error).__name__)
        with suppress(TimeoutError):
            async with asyncio.timeout(deps.settings.reconcile_seconds):
                await ended.wait()


async def reconcile(deps: Deps, identity: Identity, connection: asyncpg.Connection, *, grace_seconds: float) -> int:
    """Take care of every unfinished row whose record is missing; how many those were.

    A row younger than `grace_seconds` may simply be ahead of its record's first reader.

    Its audio is in S3: the record is made again and the analysis goes on. It is not: the job ends and the
    learner is asked to record again. A Valkey or S3 that does not answer means unknown, never lost: it raises.
    """
    before = await deps.store.now() - timedelta(seconds=grace_seconds)
    last_id, found = 0, 0
    while rows := await unfinished_results(before=before, after_id=last_id, limit=_BATCH):
        last_id = rows[-1].id
        for row in rows:
            if not await deps.store.exists(row.job_id) and await _ours(row, identity, connection):
                await _resume_or_end(deps, row, identity)
                found += 1
    return found


async def _ours(row: AnalysisResult, identity: Identity, connection: asyncpg.Connection) -> bool:
    """Rows of our own Valkey are; another's only when nobody lives on it any more."""
    if row.incarnation == identity.incarnation:
        return True
    number = _lock_number(row.incarnation)
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _PRESENCE, number):
        return False
    await connection.execute("SELECT pg_advisory_unlock($1, $2)", _PRESENCE, number)
    return True


async def _resume_or_end(deps: Deps, row: AnalysisResult, identity: Identity) -> None:
    # A new run is news to whoever watched its old life, and a fence against it.
    job = replace(job_of_row(row, identity), run=row.run + 1)
    try:
        size = await deps.storage.size(row.s3_key)
    except StageFailure as failure:
        log.warning("reconciler_cannot_tell", job_id=row.job_id, code=failure.code)
        return
    if size is not None:
        await deps.store.adopt(job)
        log.info("job_adopted", job_id=row.job_id)
        return
    code = "audio_lost"
    event = {
        "version": row.version + 1,
        "at_ms": round((await deps.store.now()).timestamp() * 1000),
        "move": Move.CONCLUDE.value,
        "source": row.state,
        "target": State.FAILED.value,
        "actor": PROCESS_ID,
        "attempt": 0,
        "code": code,
        "cause": "the record was lost before the audio reached S3",
    }
    conclusion = Conclusion(state=State.FAILED, code=code, message=LEARNER_MESSAGES[code])
    await record_conclusion(job, conclusion, version=row.version + 1, history=[event])
    await deps.store.hint(job.id)
    metrics.JOBS_ENDED.labels(State.FAILED, code).inc()
    log.warning("job_lost", job_id=row.job_id, code=code)


def job_of_row(row: AnalysisResult, identity: Identity) -> Job:
    """As much of a job as its row tells, waiting to be analysed."""
    created_ms = round(row.created_at.timestamp() * 1000)
    return Job(
        id=row.job_id,
        kind=Kind(row.kind),
        state=State.UPLOADED,
        version=row.version,
        run=row.run,
        claim="",
        token_id=row.token_id,
        script_id=row.script_id,
        user_id=row.user_id,
        owner="address:unknown" if row.user_id is None else f"user:{row.user_id}",
        dedupe=f"adopted:{row.job_id}",
        container=row.s3_key.rsplit(".", 1)[-1],
        s3_key=row.s3_key,
        size=0,
        duration_ms=0,
        incarnation=identity.incarnation,
        progress=row.progress,
        created_ms=created_ms,
        updated_ms=created_ms,
    )


def _lock_number(incarnation: str) -> int:
    """The incarnation as the signed 32 bits that Postgres' two-part advisory locks take."""
    return int.from_bytes(bytes.fromhex(incarnation[:8]), "big", signed=True)
