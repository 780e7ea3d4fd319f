"""How many streams one address may have open at once in a process: they last, so rates say little of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from web.addresses import client_address
from yousync.errors import TooManyStreams
from yousync.settings import Settings

_COME_BACK_SECONDS = 5.0


class StreamCap:
    """Counts the streams that are open, by address: EventSource can send no header that says whose they are."""

    def __init__(self, settings: Settings) -> None:
        self._most = None if settings.rate_limits == "off" else settings.max_streams_per_address
        self._trusted = settings.trusted_proxies
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, request: web.Request) -> Iterator[None]:
        """A place for one more stream of whoever asks, as long as it lasts. Raises TooManyStreams."""
        address = client_address(request, self._trusted)
        if self._most is not None and self._taken[address] >= self._most:
            raise TooManyStreams(retry_after=_COME_BACK_SECONDS)
        self._taken[address] += 1
        try:
            yield
        finally:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
