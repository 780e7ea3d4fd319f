"""Tenancy: Postgres knows which Valkeys are lived on, so that nobody adopts the jobs of one that is."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import structlog

from jobs.deps import Deps
from jobs.identity import Identity, WrongValkey, recognised
from models.db import DATABASE_DOWN, credentials
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

_LOCK: Final = 0x594F5359  # "YOSY": first half of the advisory lock that says "we use this Valkey"
_OTHERS_SECONDS: Final = 5.0  # in which every other process is there again, once Postgres is back

Work = Callable[[asyncpg.Connection], Awaitable[None]]


@asynccontextmanager
async def tenancy(deps: Deps, identity: Identity) -> AsyncIterator[asyncpg.Connection]:
    """While inside, Postgres knows that somebody lives on this Valkey: nobody adopts its rows.

    Should the connection break, the lock goes with it; the caller starts anew.
    """
    connection = await asyncpg.connect(**credentials(deps.settings.database_url.get_secret_value()), timeout=5)
    try:
        number = _lock_number(identity.incarnation)
        await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", _LOCK, number, timeout=5)
        yield connection
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def resident(deps: Deps, identity: Identity) -> AsyncIterator[None]:
    """The same, kept up while inside, for a process that does not reconcile."""

    async def nothing(_: asyncpg.Connection) -> None:
        return

    keeper = asyncio.create_task(live(deps, identity, nothing))
    try:
        yield
    finally:
        await cancel(keeper)


async def live(deps: Deps, identity: Identity, work: Work) -> None:
    """Be a tenant whatever comes, and do this work at once and again each RECONCILE_SECONDS, until cancelled.

    A Valkey that has become another deployment's ends this process: `identity` says why.
    """
    pause = 0.0
    while True:
        try:
            async with tenancy(deps, identity) as connection:
                # Where Postgres was away it was so for all: first they are to be there again.
                await asyncio.sleep(pause)
                await _rounds(deps, identity, connection, work)
            pause = 0.0
        except WrongValkey as error:
            log.critical("wrong_valkey", cause=str(error))
            identity.lost = str(error)
            signal.raise_signal(signal.SIGTERM)  # nothing may be taken from it or put into it any more
            return
        except DATABASE_DOWN as error:
            log.warning("no_tenancy", cause=type(error).__name__)
            pause = _OTHERS_SECONDS
        except Exception:
            log.exception("no_tenancy")
        await asyncio.sleep(1.0)


async def _rounds(deps: Deps, identity: Identity, connection: asyncpg.Connection, work: Work) -> None:
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


async def lived_on(connection: asyncpg.Connection, incarnation: str) -> bool:
    """Whether somebody lives on the Valkey of this name."""
    number = _lock_number(incarnation)
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK, number, timeout=5):
        return True
    await connection.execute("SELECT pg_advisory_unlock($1, $2)", _LOCK, number, timeout=5)
    return False


def _lock_number(incarnation: str) -> int:
    """The incarnation as the signed 32 bits that Postgres' two-part advisory locks take."""
    return int.from_bytes(bytes.fromhex(incarnation[:8]), "big", signed=True)
