"""Rate limits: each caller's requests are counted in Valkey, whichever process they reach.

Where Valkey is away nobody is counted and nobody refused: reads go on, sign-in is guarded by Google's signature, and
uploads need Valkey anyway.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs import keys
from web.addresses import who
from web.endpoint import Limit
from web.requests import add_headers
from yousync.errors import RateLimited
from yousync.rates import ADDRESS_SHARE, rates
from yousync.settings import Settings

SCRIPT: Final = (Path(__file__).parent / "lua" / "gcra.lua").read_text()
_PATIENCE_SECONDS: Final = 1.0  # a request is not held up by a Valkey that does not answer,
_BLIND_SECONDS: Final = 2.0  # nor are those that come right after it

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request was told: whether it is let in, how many more would be, and when (in seconds)."""

    allowed: bool
    remaining: int
    retry_after: float
    full_after: float


class Limits:
    """Counts requests; the contract has each counted before it is answered."""

    def __init__(self, valkey: Redis, settings: Settings) -> None:
        self._script = valkey.register_script(SCRIPT)
        self._rates = rates(settings.rate_limits)
        self._trusted = settings.trusted_proxies
        self._blind_until = 0.0

    async def count(self, request: web.Request, limit: Limit, caller: Any) -> None:
        """Count this request against its caller: a user, or an address where there is none.

        Raises RateLimited. Its answer tells what is left (draft-ietf-httpapi-ratelimit-headers) either way.
        """
        rate = self._rates.get(limit)
        if rate is None:
            return
        count = rate.count * (ADDRESS_SHARE if caller is None else 1)
        verdict = await self.take(keys.rate(limit, who(request, caller, self._trusted)), count, rate.seconds)
        if verdict is None:
            return
        told = {
            "RateLimit-Policy": f'"{limit}";q={count};w={rate.seconds}',
            "RateLimit": f'"{limit}";r={verdict.remaining};t={math.ceil(verdict.full_after)}',
        }
        add_headers(request, told)
        if not verdict.allowed:
            raise RateLimited(retry_after=verdict.retry_after)

    async def take(self, key: str, count: int, seconds: int) -> Verdict | None:
        """One request of `count` in `seconds`; None when Valkey cannot say."""
        if time.monotonic() < self._blind_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reply = await self._script(keys=[key], args=[count, round(seconds * 1e6 / count)])
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._blind_until = time.monotonic() + _BLIND_SECONDS
            log.warning("rate_limits_blind", error=type(error).__name__)
            return None
        allowed, remaining, wait, full = reply
        return Verdict(bool(allowed), remaining, wait / 1e6, full / 1e6)
