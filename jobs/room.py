"""Room for more: Valkey's last tenth is for the jobs it has, which need it to move on and so to make room again."""

from __future__ import annotations

import math
import time
from typing import Final

from redis.asyncio import Redis

from yousync.errors import StagingFull

_SHARE: Final = 0.9
_LOOK_SECONDS: Final = 1.0


class Room:
    """Looks once a second, and only when asked."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._looked = -math.inf
        self._full = False

    async def check(self) -> None:
        """Raise StagingFull while there is room for no more jobs; what Valkey raises when it is away."""
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now  # before the answer: those who come meanwhile need not ask as well
            memory = await self._valkey.info("memory")
            self._full = 0 < memory.get("maxmemory", 0) * _SHARE < memory.get("used_memory", 0)
        if self._full:
            raise StagingFull(retry_after=5)
