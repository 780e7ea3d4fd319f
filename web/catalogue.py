"""What each process remembers of the catalogue for a moment, so that uploads need not ask for it again."""

from __future__ import annotations

import time
from typing import Final

from models.script import token_of

_SECONDS: Final = 10.0
_ENTRIES: Final = 20_000


class Sentences:
    """Which clip a sentence belongs to.

    One that was deleted meanwhile is noticed all the same: its row refers to it, and Postgres refuses.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, int]] = {}

    async def token_of(self, script_id: int) -> int | None:
        """The clip of this sentence, None when there is no such sentence."""
        now = time.monotonic()
        until, token_id = self._known.get(script_id, (0.0, 0))
        if now < until:
            return token_id
        found = await token_of(script_id)
        if found is None:
            self._known.pop(script_id, None)
            return None
        if len(self._known) >= _ENTRIES:
            self._known.clear()
        self._known[script_id] = (now + _SECONDS, found)
        return found
