"""The servers that are measured, as parts of the local stack. All listen where the stack's public URL says."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from typing_extensions import override

from benchmarks.measure import cpu_seconds
from yousync.cli.service import Web
from yousync.local.part import Part, base_env, python_env
from yousync.local.process import Command, StackError
from yousync.local.program import Program, Standin, answers, python

_HERE: Final = Path(__file__).parent
_BASELINE: Final = _HERE / "baseline"
_VENV: Final = _HERE / ".venv"


class SecondWeb(Web):
    """Another web process of the same deployment, on a port of its own."""

    name = "web-2"

    def __init__(self, settings: Callable[[], Mapping[str, str]], *, logs: Path, port: int) -> None:
        super().__init__(lambda: {**settings(), "PORT": str(port)}, logs=logs, port=port, with_worker=False)


class Baseline(Program):
    """The old design: uvicorn with one process, its fast loop and parser, in an environment of its own."""

    name = "baseline"
    title = "Old design"

    def __init__(self, settings: Mapping[str, str], *, logs: Path, port: int) -> None:
        super().__init__(logs=logs, port=port)
        self._settings = settings

    @override
    def env(self) -> dict[str, str]:
        """Nothing."""
        return {}

    @override
    def command(self) -> Command:
        """As such servers are started in production."""
        server = [str(_VENV / "bin" / "python"), "-m", "uvicorn", "app:app", "--app-dir", str(_BASELINE)]
        argv = [*server, "--host", "127.0.0.1", "--port", str(self.port)]
        return Command(argv=argv, env=base_env() | dict(self._settings))

    @override
    async def ready(self) -> bool:
        """Whether it answers monitors."""
        return await answers(f"{self.url}/health")


class Floor(Program):
    """The least that an upload can cost."""

    name = "floor"
    title = "Floor"

    def __init__(self, settings: Mapping[str, str], *, logs: Path, port: int) -> None:
        super().__init__(logs=logs, port=port)
        self._settings = settings

    @override
    def env(self) -> dict[str, str]:
        """Nothing."""
        return {}

    @override
    def command(self) -> Command:
        """One process."""
        argv = [*python("benchmarks.floor"), "--port", str(self.port)]
        return Command(argv=argv, env=python_env() | dict(self._settings))


class BareArq(Part):
    """A worker of arq's own, with nothing to do for each job."""

    name = "arq"
    title = "arq"

    def __init__(self, settings: Mapping[str, str], *, logs: Path) -> None:
        super().__init__(logs)
        self._settings = settings

    @property
    @override
    def url(self) -> str:
        """It has none."""
        return ""

    @override
    def env(self) -> dict[str, str]:
        """Nothing."""
        return {}

    @override
    def command(self) -> Command:
        """As arq's manual says."""
        argv = [*python("arq"), "benchmarks.empty_job.WorkerSettings"]
        return Command(argv=argv, env=python_env() | {"REDIS_URL": self._settings["REDIS_URL"]})

    @override
    async def ready(self) -> bool:
        """Whether it runs; that it works shows with the first job."""
        return self.process.running

    def cpu(self) -> float:
        """CPU seconds used so far."""
        return cpu_seconds([self.process.pid] if self.process.pid else [])


class QuickStandin(Standin):
    """The stand-in without an fsync for every line it writes: it must not be what is measured."""

    @override
    def command(self) -> Command:
        """The stand-in's own command, and one option more."""
        command = super().command()
        return Command(argv=[*command.argv, "--no-sync"], env=command.env)


async def install_baseline(say: Callable[[str], None]) -> None:
    """Make the old design's environment, wheels only, unless it is there. Raises StackError."""
    lock = _BASELINE / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = _VENV / ".installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    say("installing the old design into benchmarks/.venv, once")
    shutil.rmtree(_VENV, ignore_errors=True)
    quiet = ["-qq", "--disable-pip-version-check"]
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    await _run(sys.executable, "-m", "venv", str(_VENV))
    await _run(str(_VENV / "bin" / "python"), "-m", "pip", "install", *quiet, *locked)
    stamp.write_text(digest)


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv)
    if await process.wait():
        raise StackError(f"{' '.join(argv[:4])} … failed")
