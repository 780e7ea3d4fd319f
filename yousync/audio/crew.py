"""A small crew of warm child processes: each answers one question at a time and can be killed alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import yousync
from yousync.audio.child import LENGTH, READY

_START_SECONDS = 30.0
_LEAVE_SECONDS = 2.0


class ChildError(Exception):
    """A child gave no answer."""


class ChildDiedError(ChildError):
    """The child ended in the middle of a question, twice in a row: the question kills children."""


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
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


class Crew:
    """`size` children of one module; a killed, dead or worn-out one is replaced by a fresh one.

    Open with `async with Crew.open(…) as crew`. Children are started before the crew is handed out and again in
    the background, so that a question seldom waits for a start.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, seconds_each: float, answers_each: int) -> None:
        self._module = module
        self._arguments = tuple(arguments)
        self._seconds_each = seconds_each
        self._answers_each = answers_each
        self._free: asyncio.LifoQueue[asyncio.Task[Child]] = asyncio.LifoQueue()
        self._leaving: set[asyncio.Task[None]] = set()
        self._children: set[Child] = set()
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, module: str, arguments: Sequence[str] = (), *, size: int, seconds_each: float, answers_each: int = 100
    ) -> AsyncIterator[Self]:
        """A child is killed after `seconds_each` on one question and retired after `answers_each` of them."""
        crew = cls(module, arguments, seconds_each=seconds_each, answers_each=answers_each)
        seats = [crew._start() for _ in range(size)]
        try:
            await asyncio.gather(*seats)
            for seat in seats:
                crew._free.put_nowait(seat)
            yield crew
        finally:
            await crew._close(seats)

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that live now."""
        return sorted(child.pid for child in self._children)

    async def ask(self, question: bytes) -> bytes:
        """A child's answer. Waits for a free child first; that wait does not count against the timeout.

        A child that dies may have been killed by others, so the question is asked once more of a fresh one; then
        ChildDiedError. ChildTimeoutError when one took too long.
        """
        try:
            return await self._ask_one(question)
        except ChildDiedError:
            return await self._ask_one(question)

    async def _ask_one(self, question: bytes) -> bytes:
        if self._closed:
            raise ChildDiedError
        seat = await self._free.get()
        try:
            child = await asyncio.shield(seat)
        except BaseException:
            # A caller who goes away leaves the start running; a start that failed is tried again by the next one.
            failed = seat.done() and (seat.cancelled() or seat.exception() is not None)
            self._free.put_nowait(self._start() if failed else seat)
            raise
        keep = False
        try:
            async with asyncio.timeout(self._seconds_each):
                answer = await child.ask(question)
            keep = child.answered < self._answers_each
        except TimeoutError as error:
            raise ChildTimeoutError from error
        finally:
            # Also when the caller is cancelled: a child in the middle of a question is of no use to the next one.
            if not keep:
                self._dismiss(child)
            if not self._closed:
                self._free.put_nowait(seat if keep else self._start())
        return answer

    def _start(self) -> asyncio.Task[Child]:
        return asyncio.create_task(self._started())

    async def _started(self) -> Child:
        child = await Child.start(self._module, self._arguments)
        self._children.add(child)
        return child

    def _dismiss(self, child: Child) -> None:
        self._children.discard(child)
        task = asyncio.create_task(child.kill())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _close(self, seats: Sequence[asyncio.Task[Child]]) -> None:
        """Ends every child, also those being started."""
        self._closed = True
        waiting = set(seats)
        while not self._free.empty():
            waiting.add(self._free.get_nowait())
        for seat in waiting:
            seat.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*(child.leave() for child in self._children), *self._leaving)
        self._children.clear()
