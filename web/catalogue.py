"""What each process remembers of the catalogue: answers ready to be sent, until the tables say that they changed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from models.catalogue_changes import Remembering
from models.script import token_of
from web.conditional import etag_of
from web.kept import Kept
from web.replies import Encoded, encode
from yousync.settings import Settings
from yousync.tasks import cancel

COUNTS_SECONDS: Final = 10.0
"""How long view counts may be behind."""
MAX_BYTES: Final = 64 * 2**20
_MAX_SENTENCES: Final = 20_000

Make = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Fleeting:
    """An answer that holds for so many seconds only."""

    body: Any
    seconds: float


class Catalogue(Remembering):
    """Answers by what makes them. Several who ask for the same at once wait for one reading."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._kept: Kept[Encoded[Any]] = Kept(max_bytes=max_bytes)
        self._making: dict[Hashable, asyncio.Task[Encoded[Any]]] = {}
        self._sentences: dict[int, int] = {}

    async def reply(self, make: Make, *args: Hashable) -> Encoded[Any]:
        """What `make(*args)` returns, encoded; asked again after a change, and after COUNTS_SECONDS.

        An answer with a time of its own is a Fleeting. What `make` raises is raised to all who wait for it.
        """
        key = (make, *args)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        if not self.listening:
            return (await _made(make, args))[0]
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make, args))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)  # whoever leaves does not take the answer from the others

    async def token_of(self, script_id: int) -> int | None:
        """The clip that a sentence belongs to, None when there is no such sentence.

        One that was deleted this moment is noticed all the same: its job's row refers to it, and Postgres refuses.
        """
        token_id = self._sentences.get(script_id)
        if token_id is not None:
            return token_id
        generation = self._generation
        token_id = await token_of(script_id)
        if token_id is not None and self._is_current(generation):
            if len(self._sentences) >= _MAX_SENTENCES:
                self._sentences.clear()
            self._sentences[script_id] = token_id
        return token_id

    @override
    def forget(self) -> None:
        """The tables changed: whoever asks from now on is answered by a reading that begins after this."""
        super().forget()
        self._kept.clear()
        self._making.clear()
        self._sentences.clear()

    async def _make(self, key: Hashable, make: Make, args: tuple[Any, ...]) -> Encoded[Any]:
        generation = self._generation
        try:
            reply, seconds = await _made(make, args)
            if self._is_current(generation):
                size = len(reply.body) + sum(map(sys.getsizeof, args))
                self._kept.put(key, reply, size=size, seconds=seconds)
            return reply
        finally:
            if self._making.get(key) is asyncio.current_task():
                del self._making[key]


async def _made(make: Make, args: tuple[Any, ...]) -> tuple[Encoded[Any], float]:
    value = await make(*args)
    body, seconds = (value.body, value.seconds) if isinstance(value, Fleeting) else (value, COUNTS_SECONDS)
    encoded = encode(body)
    return Encoded(encoded, etag_of(encoded)), seconds


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Everybody who asked may have left: its error is nobody's then."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def remembered(settings: Settings) -> AsyncIterator[Catalogue]:
    """A catalogue that hears of changes while inside."""
    catalogue = Catalogue()
    listener = asyncio.create_task(catalogue.listen(settings))
    try:
        yield catalogue
    finally:
        await cancel(listener)
