"""Things worth remembering for a while, within a bound of bytes; the longest unused go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_OWN_BYTES: Final = 500
"""What an entry takes next to what it holds."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    until: float
    size: int


class Kept(Generic[V]):
    """Values by key, each for so many seconds and of so many bytes."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable) -> V | None:
        """What is kept under this key, None when nothing is, or when its time is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if time.monotonic() >= entry.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: V, *, size: int, seconds: float) -> None:
        """Keep `value` in place of what was there."""
        if key in self._entries:
            self._drop(key)
        self._entries[key] = _Entry(value, time.monotonic() + seconds, size + _OWN_BYTES)
        self.bytes += size + _OWN_BYTES
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes = 0

    def _drop(self, key: Hashable) -> None:
        self.bytes -= self._entries.pop(key).size
