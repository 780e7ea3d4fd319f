"""One child process that answers questions over its stdin and stdout."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import yousync
from yousync.audio.child import LENGTH, READY

_START_SECONDS = 30.0
_LEAVE_SECONDS = 2.0


class ChildError(Exception):
    """A child gave no answer."""


class ChildDiedError(ChildError):
    """The child ended before it answered."""


class ChildTimeoutError(ChildError):
    """The child took too long and was killed."""


class Child:
    """One process that serves `yousync.audio.child.serve`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.answered = 0

    @classmethod
    async def start(cls, module: str, arguments: Sequence[str]) -> Self:
        """Starts `python -m module PID arguments…` and waits until it is ready.

        The environment is not handed down: it holds secrets, and a decoder needs none.
        """
        home = str(Path(yousync.__file__).parent.parent)
        inherited = os.environ.get("PYTHONPATH", "")
        environment = {
            "PYTHONPATH": os.pathsep.join(part for part in (home, inherited) if part),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            str(os.getpid()),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's business; it says when to stop
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child._greet()
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once it is known to have ended."""
        return self._process.returncode is None

    async def ask(self, *question: bytes) -> bytes:
        """Its answer to the parts of a question put together; ChildDiedError when it ends first."""
        pipe = self._process.stdin
        if pipe is None:
            raise ChildDiedError
        try:
            pipe.write(LENGTH.pack(sum(map(len, question))))
            for part in question:
                pipe.write(part)
                await pipe.drain()
            answer = await self._receive()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise ChildDiedError from error
        self.answered += 1
        return answer

    async def _greet(self) -> None:
        if await self._receive() != READY:
            raise ChildDiedError

    async def _receive(self) -> bytes:
        pipe = self._process.stdout
        if pipe is None:
            raise ChildDiedError
        try:
            (size,) = LENGTH.unpack(await pipe.readexactly(LENGTH.size))
            return await pipe.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ChildDiedError from error

    async def leave(self) -> None:
        """Lets it end by itself, and kills it when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Ends it at once and takes its leave of it."""
        if self._process.returncode is None:
            # Not Process.kill(): that polls first, and would take a dead child away from asyncio's watcher.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
