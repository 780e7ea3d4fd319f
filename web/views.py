"""Counting views: those of one moment in one statement, and each caller is told a count of its own."""

from __future__ import annotations

import asyncio

from models.token_lists import add_views

_Told = asyncio.Future[int | None]


class Views:
    """Views that wait for the statement before theirs go into the next one together."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[_Told]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def add(self, token_id: int) -> int | None:
        """Count one view more; the count it made, None when there is no such clip."""
        told: _Told = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(token_id, []).append(told)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await told

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                try:
                    counts = await add_views({token_id: len(told) for token_id, told in batch.items()})
                except Exception as error:  # noqa: BLE001  # whatever it is, those who wait are told
                    for told in [one for each in batch.values() for one in each if not one.done()]:
                        told.set_exception(error)
                    continue
                for token_id, waiting in batch.items():
                    before = counts.get(token_id, 0) - len(waiting)
                    for number, told in enumerate(waiting, start=1):
                        if not told.done():  # its client may have left; the view counts all the same
                            told.set_result(before + number if token_id in counts else None)
        finally:
            self._writer = None
