"""Answers that are costly to find, found seldom enough that finding them never takes much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from yousync.tasks import cancel

T = TypeVar("T")

_SHARE: Final = 10
_QUICK: Final = 0.1  # seconds


class Sparing(Generic[T]):
    """One answer for everybody: of all who ask at once one finds it.

    What took longer than a tenth of a second is given out for ten times as long as it took. So it is fresh as long as
    it is cheap, and lags where it has to: finding it takes a tenth of one connection's time, however many ask.
    """

    def __init__(self, find: Callable[[], Awaitable[T]], *, quick: float = _QUICK) -> None:
        self._find = find
        self._quick = quick
        self._finding: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The answer, or whatever finding it raises; a failure is not kept."""
        if self._finding is None or (self._finding.done() and time.monotonic() >= self._until):
            self._finding = asyncio.create_task(self._found())
        return await asyncio.shield(self._finding)

    async def _found(self) -> T:
        self._until, began = 0.0, time.monotonic()
        answer = await self._find()
        took = time.monotonic() - began
        self._until = 0.0 if took < self._quick else began + took + _SHARE * took
        return answer

    async def close(self) -> None:
        """Stop finding."""
        if self._finding is not None:
            await cancel(self._finding)
