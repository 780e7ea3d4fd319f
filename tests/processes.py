"""The service's own processes as children of a test, to be stopped, killed and frozen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from typing_extensions import override

from yousync.cli.service import Web, Worker
from yousync.local.part import Part
from yousync.local.process import Command
from yousync.local.program import answers, python
from yousync.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """These settings as the variables they are read from; what is None is left out."""
    values = {name.upper(): getattr(settings, name) for name in Settings.model_fields}
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case list():
            return ",".join(map(_text, value))
        case bool():
            return str(value).lower()
        case _:
            return str(value)


class WebProcess(Web):
    """A web process on `port`, that of the settings unless told otherwise; `extra` variables are added.

    The clock of its host is `clock_off` seconds ahead of ours.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        logs: Path,
        port: int | None = None,
        with_worker: bool = False,
        name: str = "web",
        clock_off: float = 0.0,
        **extra: str,
    ) -> None:
        self.name = name
        self.clock_off = clock_off
        port = settings.port if port is None else port
        super().__init__(
            lambda: environment(settings) | {"PORT": str(port)} | extra,
            logs=logs,
            port=port,
            with_worker=with_worker,
        )

    @override
    def command(self) -> Command:
        return _off(super().command(), self.clock_off)

    @override
    async def ready(self) -> bool:
        """Whether it serves, be its dependencies there or not."""
        return await answers(f"{self.url}/livez")


class WorkerProcess(Worker):
    """A worker process; `extra` variables are added. The clock of its host is `clock_off` seconds ahead of ours."""

    def __init__(
        self, settings: Settings, *, logs: Path, name: str = "worker", clock_off: float = 0.0, **extra: str
    ) -> None:
        self.name = name
        self.clock_off = clock_off
        super().__init__(lambda: environment(settings) | extra, logs=logs)
        self._seen = 0

    @override
    def command(self) -> Command:
        return _off(super().command(), self.clock_off)

    @override
    async def prepare(self) -> None:
        """Remember where its log ends: what an earlier process of this name wrote says nothing about this one."""
        self._seen = self.process.log.stat().st_size if self.process.log.exists() else 0

    @override
    async def ready(self) -> bool:
        """Whether it has told its log that it is."""
        with self.process.log.open("rb") as log:
            log.seek(self._seen)
            return b"worker_ready" in log.read()


def _off(command: Command, seconds: float) -> Command:
    """The same command on a host whose clock is off."""
    if not seconds:
        return command
    given = command.argv[len(python("yousync.cli")) :]
    return replace(command, argv=[*python("tests.faults.skewed"), str(seconds), *given])


def freeze(part: Part) -> None:
    """Stop a process where it is, as a paused machine does."""
    _signal(part, signal.SIGSTOP)


def thaw(part: Part) -> None:
    """Let a frozen process go on as if nothing had been."""
    _signal(part, signal.SIGCONT)


def frozen(part: Part) -> bool:
    """Whether it stands still, by our hand or at a failpoint."""
    status = Path(f"/proc/{part.process.pid}/status").read_text()
    return "\nState:\tT" in status


def _signal(part: Part, number: signal.Signals) -> None:
    assert part.process.pid is not None
    os.killpg(part.process.pid, number)


def terminate(part: Part) -> None:
    """Ask a process to end, as a deploy does, and do not wait for it."""
    _signal(part, signal.SIGTERM)


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[None]:
    """All of them run while inside; in the end each is asked to go."""
    try:
        await asyncio.gather(*(part.start() for part in parts))
        yield
    finally:
        await asyncio.gather(*(part.stop() for part in parts))


async def died(part: Part, *, seconds: float = 20.0) -> int:
    """Wait until a process has ended, and return how: negative for a signal."""
    return await asyncio.wait_for(part.process.wait(), seconds)
