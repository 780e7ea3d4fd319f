"""A small crew of warm child processes: each answers one question at a time and can be killed alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import yousync
from yousync.audio.child import LENGTH, READY

_START_SECONDS = 30.0
_LEAVE_SECONDS = 2.0
_PATIENCE_SECONDS = 20.0
_START_AGAIN_SECONDS = 0.5


class ChildError(Exception):
    """A child gave no answer."""


class ChildDiedError(ChildError):
    """The child ended before it answered."""


class ChildTimeoutError(ChildError):
    """The child took too long and was killed."""


class CrewBusyError(ChildError):
    """No child was free for as long as anybody would wait."""


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
            process_group=0,  # Ctrl-C is the parent's business; it says when to stop
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

    async def ask(self, question: bytes) -> bytes:
        """Its answer; ChildDiedError when it ends first."""
        pipe = self._process.stdin
        if pipe is None:
            raise ChildDiedError
        try:
            pipe.write(LENGTH.pack(len(question)))
            pipe.write(question)
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


class Crew:
    """`size` children of one module; a killed, dead or worn-out one is replaced by a fresh one.

    Open with `async with Crew.open(…) as crew`. Replacements are started in the background and join when they are
    ready, so that no question waits for a start while another child is free.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], *, size: int, seconds_each: float, answers_each: int
    ) -> None:
        self._module = module
        self._arguments = tuple(arguments)
        self._size = size
        self._seconds_each = seconds_each
        self._answers_each = answers_each
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        self._children: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, module: str, arguments: Sequence[str] = (), *, size: int, seconds_each: float, answers_each: int = 100
    ) -> AsyncIterator[Self]:
        """A child is killed after `seconds_each` on one question and retired after `answers_each` of them.

        Raises ChildDiedError when the first children do not start.
        """
        crew = cls(module, arguments, size=size, seconds_each=seconds_each, answers_each=answers_each)
        try:
            await asyncio.gather(*(crew._join() for _ in range(size)))
            yield crew
        finally:
            await crew._close()

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that live now."""
        return sorted(child.pid for child in self._children if child.alive)

    async def ask(self, question: bytes) -> bytes:
        """A child's answer. Waits for a free child first; that wait has a limit of its own, then CrewBusyError.

        A child that dies may have been killed by others, all of them at once even, so the question is asked again
        of others; ChildDiedError when it outlives none of them. ChildTimeoutError when one took too long.
        """
        for _ in range(self._size):
            with contextlib.suppress(ChildDiedError):
                return await self._ask_one(question)
        return await self._ask_one(question)

    async def _ask_one(self, question: bytes) -> bytes:
        child = await self._next()
        keep = False
        try:
            async with asyncio.timeout(self._seconds_each):
                answer = await child.ask(question)
            keep = child.answered < self._answers_each
        except TimeoutError as error:
            raise ChildTimeoutError from error
        finally:
            # Also when the caller is cancelled: a child in the middle of a question is of no use to the next one.
            if keep and not self._closed:
                self._free.put_nowait(child)
            else:
                self._replace(child)
        return answer

    async def _next(self) -> Child:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not self._closed:
                    child = await self._free.get()
                    if child.alive:
                        return child
                    self._replace(child)
        except TimeoutError as error:
            raise CrewBusyError from error
        raise CrewBusyError

    def _replace(self, child: Child) -> None:
        self._children.discard(child)
        self._in_background(child.kill())
        if not self._closed:
            self._in_background(self._rejoin())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self) -> None:
        child = await Child.start(self._module, self._arguments)
        self._children.add(child)
        self._free.put_nowait(child)

    async def _rejoin(self) -> None:
        """Starts a child even if that fails at first: memory or processes may be short for a while."""
        while True:
            try:
                return await self._join()
            except (ChildError, TimeoutError, OSError):
                await asyncio.sleep(_START_AGAIN_SECONDS)

    async def _close(self) -> None:
        """Ends every child, also those being started."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(child.leave() for child in self._children))
        self._children.clear()
