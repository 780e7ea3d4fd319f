"""One child process: started in a group of its own, watched until ready, stopped for good."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_BYTES = 8 * 2**20
"""How large one log may grow; then its last half stays and the rest goes."""


class StackError(Exception):
    """The local stack cannot do what was asked; the message is for people and says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account by its numbers."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how it wants to be ended.

    `stop_signal` asks politely and gets `grace` seconds; `death_signal` is what the kernel sends when our own
    process is killed, so it is one that ends the child at once.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    grace: float = 10.0
    stop_group: bool = True  # Postgres wants its signal at the postmaster alone


class Process:
    """A named child with a log file; can be started again after it ended."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: asyncio.subprocess.Process | None = None
        self._command: Command | None = None

    @property
    def pid(self) -> int | None:
        """The running child's process id, which is also its group's; None when it does not run."""
        return self._child.pid if self._child and self._child.returncode is None else None

    @property
    def running(self) -> bool:
        """Whether the child is there."""
        return self.pid is not None

    async def spawn(self, command: Command) -> None:
        """Start the child; its output is appended to the log, which is trimmed first."""
        if self.running:
            raise StackError(f"{self.name} already runs as process {self.pid}")
        trim(self.log)
        account = f"{command.account.uid}:{command.account.gid}" if command.account else "-"
        launcher = [
            sys.executable,
            "-I",
            "-S",
            str(LAUNCHER),
            str(os.getpid()),
            str(int(command.death_signal)),
            account,
        ]
        self._command = command
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._child = await asyncio.create_subprocess_exec(
                *launcher,
                *command.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(command.env),
                process_group=0,
            )
        finally:
            os.close(descriptor)

    async def wait(self) -> int:
        """Wait for the child to end; its exit status, negative for a signal."""
        if self._child is None:
            raise StackError(f"{self.name} was never started")
        return await self._child.wait()

    async def until_ready(self, check: Callable[[], Awaitable[bool]], *, within: float = 30.0) -> None:
        """Ask `check` until it says yes.

        Raises StackError, with the end of the log, when the child dies or takes too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        pause = 0.01
        while True:
            if not self.running:
                code = await self.wait()
                raise StackError(f"{self.name} ended with {ending(code)} while starting:\n{self.tail()}")
            with contextlib.suppress(asyncio.TimeoutError):
                if await asyncio.wait_for(check(), 5.0):
                    return
            if loop.time() > deadline:
                await self.stop()
                raise StackError(f"{self.name} was not ready within {within:.0f} s:\n{self.tail()}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    async def stop(self) -> None:
        """Ask the child to end, make it after its grace, and leave nothing of its group behind."""
        child, command = self._child, self._command
        if child is None or command is None:
            return
        if child.returncode is None:
            self._signal(command.stop_signal, group=command.stop_group)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(child.wait(), command.grace)
        self._signal(signal.SIGKILL, group=True)
        await child.wait()

    async def kill(self) -> None:
        """SIGKILL the child and its whole group, as a power cut would, and wait until it is gone."""
        if self._child is not None:
            self._signal(signal.SIGKILL, group=True)
            await self._child.wait()

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self._child.pid, number)
            elif self._child.returncode is None:
                os.kill(self._child.pid, number)

    def tail(self, lines: int = 15) -> str:
        """The log's last lines, indented, for an error message."""
        try:
            with self.log.open(errors="replace") as log:
                last = deque(log, maxlen=lines)
        except OSError:
            return f"  (no log at {self.log})"
        return "".join(f"  {line}" for line in last).rstrip() or f"  (nothing in {self.log})"


def ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def trim(log: Path, limit: int = LOG_BYTES) -> None:
    """Keep a log below `limit` bytes: past it, only the last half stays.

    Children append to the same open file, so it is cut in place, as logrotate's copytruncate does.
    """
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size <= limit:
            return
        with log.open("r+b") as file:
            file.seek(-(limit // 2), os.SEEK_END)
            file.readline()
            kept = file.read()
            file.seek(0)
            file.truncate()
            file.write(kept)
