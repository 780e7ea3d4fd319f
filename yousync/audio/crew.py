"""A small crew of warm child processes: each answers one question at a time and can be killed alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from yousync.audio.process import Child, ChildDiedError, ChildError, ChildTimeoutError

_PATIENCE_SECONDS = 20.0
_START_AGAIN_SECONDS = 0.5


class CrewBusyError(ChildError):
    """No child was free for as long as anybody would wait."""


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
        self._starting: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
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
        _in_background(child.kill(), self._leaving)
        if not self._closed:
            _in_background(self._rejoin(), self._starting)

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
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(child.leave() for child in self._children), *self._leaving)
        self._children.clear()


def _in_background(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Runs `work` beside its caller; `tasks` keeps it from being collected."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
