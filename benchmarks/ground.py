"""What all measurements stand on: a local stack, three databases in its Postgres, and servers started in turn."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import asyncpg
from redis.asyncio import Redis

from benchmarks.analysis import Analysis
from benchmarks.measure import cpu_seconds
from benchmarks.servers import Baseline, Floor, QuickStandin, SecondWeb, install_baseline
from models.catalogue import script_id_of
from models.db import connected, upgrade
from yousync import demo
from yousync.cli.lookup import settings_of
from yousync.cli.seed import seed_file
from yousync.cli.service import Web, Worker
from yousync.local.part import Part
from yousync.local.port import free_port
from yousync.local.postgres import Postgres
from yousync.local.s3 import ObjectStore
from yousync.local.stack import Stack, throwaway_folder
from yousync.settings import Settings

VALKEY_MEMORY: Final = 4 * 2**30
LIMITS: Final = {
    "STAGED_AUDIO_BYTES": str(2 * 2**30),
    "UPLOADS_IN_FLIGHT_BYTES": str(2**30),
    "MAX_JOBS_PER_ADDRESS": "1000000",
    "ANALYSIS_MAX_IN_FLIGHT": "20000",
    "RATE_LIMITS": "off",
}
"""What is raised for the run: all load comes from one address at once, and the other servers have no limits."""

_WORDS: Final = "SELECT id, script_id, word, start_time, end_time, probability FROM words WHERE script_id = $1"
_SCRIPT: Final = "SELECT id, token_id, start_time, end_time, script, translation FROM scripts WHERE id = $1"


class Side(StrEnum):
    """Whom a figure is about."""

    OURS = "YouSync"
    BASELINE = "old design"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and its processes."""

    parts: Sequence[Part]
    ports: Sequence[int]

    @property
    def port(self) -> int:
        """Where it listens, first of all."""
        return self.ports[0]

    @property
    def web_pid(self) -> int:
        """The process that speaks HTTP. Raises ProcessLookupError when it has ended."""
        pid = self.parts[0].process.pid
        if pid is None:
            raise ProcessLookupError(self.parts[0].name)
        return pid

    def cpu(self) -> float:
        """CPU seconds used so far by all its processes and their children."""
        return sum(self.cpu_by_part().values())

    def cpu_by_part(self) -> dict[str, float]:
        """The same, process by process."""
        return {part.name: cpu_seconds([part.process.pid]) for part in self.parts if part.process.pid}


class Ground:
    """The stack, and what is measured on it. Made by `open_ground`."""

    def __init__(self, stack: Stack, settings: Settings, script_id: int, words: int) -> None:
        self.stack = stack
        self.settings = settings
        self.script_id = script_id
        self.words = words
        self.analysis = Analysis(stack.parts["standin"].url)

    @asynccontextmanager
    async def serving(self, side: Side, *, worker: bool = True, webs: int = 1, **changes: str) -> AsyncIterator[Served]:
        """One of the servers, fresh, on a ground without jobs; killed in the end.

        `worker`, `webs` and `changes` of variables are for ours.
        """
        await self.clear()
        if worker:
            await self._forget_analyses()
        parts = self._parts(side, worker=worker, webs=webs, changes=changes)
        try:
            await asyncio.gather(*(part.start() for part in parts))
            if side is Side.BASELINE:
                await self._copy_sentence()
            yield Served(parts, [part.port for part in parts if isinstance(part, Web | Baseline | Floor)])
        finally:
            await asyncio.gather(*(part.kill() for part in parts))

    def _parts(self, side: Side, *, worker: bool, webs: int, changes: dict[str, str]) -> list[Part]:
        stack, port = self.stack, self.stack.public_port
        match side:
            case Side.FLOOR:
                return [Floor(self._env("floor"), logs=stack.logs, port=port)]
            case Side.BASELINE:
                return [Baseline(self._env("baseline"), logs=stack.logs, port=port)]
            case Side.OURS:
                env = {**stack.env(), **LIMITS, **changes}
                parts: list[Part] = [Web(lambda: env, logs=stack.logs, port=port, with_worker=False)]
                if webs > 1:
                    parts.append(SecondWeb(lambda: env, logs=stack.logs, port=free_port()))
                if worker:
                    parts.append(Worker(lambda: env, logs=stack.logs))
                return parts

    def _env(self, database: str) -> dict[str, str]:
        return self.stack.env() | {"DATABASE_URL": self.dsn(database)}

    def dsn(self, database: str) -> str:
        """A database of this stack's Postgres: yousync, baseline or floor."""
        postgres = self.stack.parts["postgres"]
        if not isinstance(postgres, Postgres):
            raise TypeError("the ground has a Postgres of its own")
        return postgres.dsn(database)

    def shared_cpu(self) -> dict[str, float]:
        """CPU seconds used so far by the parts that all sides share."""
        names = ("valkey", "postgres", "s3", "standin")
        return {name: cpu_seconds([pid]) for name in names if (pid := self.stack.parts[name].process.pid)}

    async def clear(self) -> None:
        """No job anywhere, and no recording."""
        for database, table in (
            ("yousync", "analysis_results"),
            ("baseline", "analysis_results"),
            ("floor", "uploads"),
        ):
            if await self.sql(f"SELECT to_regclass('{table}') IS NOT NULL", database):
                await self.sql(f"TRUNCATE {table}", database)
        async with self.valkey() as valkey:
            await valkey.flushall()
            await _rewritten(valkey)
            # Else a rewrite of what is gone falls into a measurement.
            await valkey.bgrewriteaof()  # type: ignore[no-untyped-call]  # redis-py 5.3
            await _rewritten(valkey)
        await asyncio.to_thread(self._empty_bucket)

    async def _forget_analyses(self) -> None:
        """An analysis server that behaves, and remembers nothing."""
        standin = self.stack.parts["standin"]
        await standin.kill()
        await standin.start()

    def _empty_bucket(self) -> None:
        s3 = self.stack.parts["s3"]
        if isinstance(s3, ObjectStore):
            for entry in (s3.folder / s3.bucket).iterdir():
                shutil.rmtree(entry, ignore_errors=True)

    @asynccontextmanager
    async def valkey(self) -> AsyncIterator[Redis]:
        """A client of the stack's Valkey."""
        async with Redis.from_url(self.settings.redis_url.get_secret_value()) as client:
            yield client

    async def sql(self, statement: str, database: str = "yousync", *values: object) -> object:
        """Run one statement; the first value of what it returns."""
        connection = await asyncpg.connect(self.dsn(database))
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def _copy_sentence(self) -> None:
        """Give the old design the sentence that ours has."""
        ours, theirs = await asyncpg.connect(self.dsn("yousync")), await asyncpg.connect(self.dsn("baseline"))
        try:
            for table, query in (("scripts", _SCRIPT), ("words", _WORDS)):
                rows = await ours.fetch(query, self.script_id)
                places = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
                statement = (
                    f"INSERT INTO {table} ({', '.join(rows[0].keys())}) VALUES ({places}) ON CONFLICT DO NOTHING"
                )
                await theirs.executemany(statement, [tuple(row.values()) for row in rows])
        finally:
            await ours.close()
            await theirs.close()


@asynccontextmanager
async def open_ground(say: Callable[[str], None]) -> AsyncIterator[Ground]:
    """A stack of its own in a throwaway folder, whatever the shell is set up for; nothing of it stays."""
    for name in [*(field.upper() for field in Settings.model_fields), "YOUSYNC_DATA"]:
        os.environ.pop(name, None)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    await install_baseline(say)
    say("starting Postgres, Valkey, S3 and the stand-in for the analysis server")
    stack = Stack(throwaway_folder(), public_port=free_port(), analysis="standin")
    try:
        await stack.start(later=("standin",))
        standin = stack.parts["standin"]
        stack.parts["standin"] = QuickStandin(stack.data / "standin.jsonl", logs=stack.logs, port=_port(standin))
        await stack.ensure("standin")
        yield await _prepared(stack)
    finally:
        await stack.destroy()


async def _rewritten(valkey: Redis) -> None:
    while (await valkey.info("persistence"))["aof_rewrite_in_progress"]:
        await asyncio.sleep(0.02)


def _port(part: Part) -> int:
    return int(part.url.rpartition(":")[2])


async def _prepared(stack: Stack) -> Ground:
    settings = settings_of({"env": stack.env() | LIMITS})
    await upgrade(settings)
    await seed_file(settings, demo.CATALOGUE)
    async with connected(settings, pool=1):
        script_id = await script_id_of(*demo.DEMO_SENTENCE)
    if script_id is None:
        raise LookupError(demo.DEMO_SENTENCE)
    ground = Ground(stack, settings, script_id, 0)
    ground.words = int(str(await ground.sql("SELECT count(*) FROM words WHERE script_id = $1", "yousync", script_id)))
    for database in ("baseline", "floor"):
        await ground.sql(f"CREATE DATABASE {database}", "postgres")
    async with ground.valkey() as valkey:
        await valkey.config_set("maxmemory", str(VALKEY_MEMORY))
    return ground
