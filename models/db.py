"""The connection to Postgres, and the migrations that ship with this package."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import aerich
import asyncpg
from asyncpg.connection import LoggedQuery
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, TransactionManagementError

from models import MODULES
from yousync.metrics import DATABASE_CONNECTIONS, DATABASE_LIMIT, QUERY_SECONDS
from yousync.settings import Settings

Result = TypeVar("Result")

MIGRATIONS = Path(__file__).parent / "migrations"
DATABASE_DOWN = (
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a primary about to hand over
    TransactionManagementError,  # Tortoise's name for it
    asyncpg.InternalClientError,  # a pooled connection whose server died in the middle of its last words
    OSError,
)
"""What a query raises when Postgres is away, restarting, read-only, out of connections or too slow to answer."""

_UPGRADE_LOCK = 0x594F5553  # "YOUS": one migrating process at a time per database


def credentials(dsn: str) -> dict[str, Any]:
    """Asyncpg's connection arguments for a `postgres://` or `postgresql://` URL as managed services hand it out.

    `sslmode` is honoured as libpq does (require encrypts, verify-* also checks). Raises ValueError for others.
    """
    url = urlsplit(dsn)
    if url.scheme not in {"postgres", "postgresql"}:
        raise ValueError("DATABASE_URL must start with postgresql://")
    found: dict[str, Any] = {
        "host": url.hostname or "localhost",
        "port": url.port or 5432,
        "user": unquote(url.username or "postgres"),
        "password": unquote(url.password or ""),
        "database": unquote(url.path.lstrip("/")) or "postgres",
    }
    mode = parse_qs(url.query).get("sslmode", ["disable" if url.hostname in {"127.0.0.1", "localhost"} else "prefer"])[
        0
    ]
    if mode in {"require", "verify-ca", "verify-full"}:
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        found["ssl"] = context
    elif mode != "disable":
        found["ssl"] = mode
    return found


async def _keep_session(_: Any) -> None:
    """Nothing: our queries leave no state in a session, and asyncpg's own reset is a round trip after each of them."""


def config(dsn: str, *, pool: int = 20, application: str = "yousync") -> dict[str, Any]:
    """Tortoise's configuration for this database."""
    return {
        "connections": {
            "default": {
                "engine": "tortoise.backends.asyncpg",
                "credentials": {
                    **credentials(dsn),
                    "minsize": 1,
                    "maxsize": pool,
                    "command_timeout": 20,
                    "timeout": 5,
                    "init": _observe_queries,
                    "reset": _keep_session,
                    "server_settings": {
                        "application_name": application,
                        "statement_timeout": "20000",
                        "pg_trgm.similarity_threshold": "0.25",  # what `%` finds; models.actor_search
                    },
                },
            }
        },
        "apps": {"models": {"models": [*MODULES, "aerich.models"], "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def __getattr__(name: str) -> dict[str, Any]:
    """AERICH, made when asked for: what `aerich migrate` reads while developing; nothing at run time uses it."""
    if name == "AERICH":
        return config(os.environ.get("DATABASE_URL", "postgresql://127.0.0.1/yousync"))
    raise AttributeError(name)


def connection() -> BaseDBAsyncClient:
    """The pool the queries run on."""
    return get_connection("default")


async def now() -> datetime:
    """The time by which rows are counted: Postgres' own, whatever this host's clock says."""
    [row] = await connection().execute_query_dict("SELECT now() AS now")
    found: datetime = row["now"]
    return found


@asynccontextmanager
async def connected(settings: Settings, *, pool: int = 20, application: str = "yousync") -> AsyncIterator[None]:
    """Tortoise ready for every task of this process; one at a time per process."""
    await Tortoise.init(
        config=config(settings.database_url.get_secret_value(), pool=pool, application=application),
        _enable_global_fallback=True,
    )
    _expose_pool(connection())
    try:
        yield
    finally:
        await Tortoise.close_connections()


def _expose_pool(client: BaseDBAsyncClient) -> None:
    """Gauges that ask asyncpg's pool when they are read; it is not made before the first query."""

    def ask(question: Callable[[asyncpg.Pool], int]) -> Callable[[], float]:
        def answer() -> float:
            pool: asyncpg.Pool | None = getattr(client, "_pool", None)  # Tortoise hands it out under no other name
            return 0 if pool is None else question(pool)

        return answer

    DATABASE_CONNECTIONS.labels("idle").set_function(ask(lambda pool: pool.get_idle_size()))
    DATABASE_CONNECTIONS.labels("busy").set_function(ask(lambda pool: pool.get_size() - pool.get_idle_size()))
    DATABASE_LIMIT.set_function(ask(lambda pool: pool.get_max_size()))


async def _observe_queries(made: asyncpg.Connection) -> None:
    """Measure every statement on a new connection of the pool."""

    def observe(statement: LoggedQuery) -> None:
        QUERY_SECONDS.labels("ok" if statement.exception is None else "error").observe(statement.elapsed)

    made.add_query_logger(observe)


async def upgrade(settings: Settings) -> list[str]:
    """Apply the migrations this database lacks and return their names; callers at once take turns."""
    dsn = settings.database_url.get_secret_value()
    guard = await asyncpg.connect(**credentials(dsn))
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", _UPGRADE_LOCK)
        return await migrate(dsn, lambda command: command.upgrade())
    finally:
        await guard.close()


async def migrate(dsn: str, work: Callable[[aerich.Command], Awaitable[Result]]) -> Result:
    """Do `work` with aerich on this database.

    aerich takes whatever connection it finds in the context, another database's too: it gets one of its own.
    """

    async def alone() -> Result:
        settings = config(dsn, pool=2)
        await Tortoise.init(config=settings)
        async with aerich.Command(settings, location=str(MIGRATIONS)) as command:
            return await work(command)

    return await asyncio.create_task(alone(), context=Context())
