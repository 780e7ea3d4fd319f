"""What every part of the local stack has in common: a process, a URL, and the variables that point at it."""

from __future__ import annotations

import abc
import os
from pathlib import Path

from yousync.local.process import Command, Process


class Part(abc.ABC):
    """One server of the stack. `start` may be called again after the process ended: same port, same data."""

    name: str
    title: str

    def __init__(self, logs: Path) -> None:
        self.process = Process(self.name, logs / f"{self.name}.log")

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """Where it listens; for stores with credentials, as clients take it."""

    @abc.abstractmethod
    def env(self) -> dict[str, str]:
        """The settings' variables that make YouSync use this part."""

    @abc.abstractmethod
    def command(self) -> Command:
        """How to run it."""

    @abc.abstractmethod
    async def ready(self) -> bool:
        """Whether it answers its clients by now."""

    async def prepare(self) -> None:  # noqa: B027  # most parts have nothing to lay out
        """Lay out its data folder, once."""

    async def provision(self) -> None:  # noqa: B027  # nor to create
        """Create in the running server what clients expect to find."""

    async def start(self) -> None:
        """Bring it up and wait until it answers. Raises StackError with the end of its log."""
        await self.prepare()
        await self.process.spawn(self.command())
        await self.process.until_ready(self.ready)
        await self.provision()

    async def stop(self) -> None:
        """End it in order."""
        await self.process.stop()

    async def kill(self) -> None:
        """End it as a crash would."""
        await self.process.kill()


def base_env() -> dict[str, str]:
    """The little of our environment that a server needs; settings meant for YouSync do not leak into it."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"TZ": "UTC"}


def python_env() -> dict[str, str]:
    """`base_env` for a child that runs this very package, installed or not."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return base_env() | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
