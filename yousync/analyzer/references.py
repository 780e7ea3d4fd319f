"""What is known of the actors, fetched once for many learners: a clip's pitch, its words, its own recording."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from yousync.analyzer.intonation import Track
from yousync.analyzer.metrics import Metrics
from yousync.analyzer.order import Order, Place
from yousync.analyzer.recordings import FetchError, Recordings
from yousync.analyzer.reference import Reference, UnusableReference, read_pitch
from yousync.analyzer.textgrid import read_textgrid
from yousync.analyzer.words import Line, Word

_log = structlog.get_logger("yousync.analyzer")
_FAILED_SECONDS = 30.0
Found = TypeVar("Found", Track, Reference, tuple[Word, ...])
Listen = Callable[[bytes, Line], Awaitable[Reference]]
"""Measures an actor's recording in a process of its own; raises UnusableReference."""


class References:
    """Fetches and remembers the last `kept` of them, each for `seconds`; a failure for half a minute."""

    def __init__(
        self, recordings: Recordings, listen: Listen, metrics: Metrics, *, kept: int = 256, seconds: float = 900.0
    ) -> None:
        self._recordings = recordings
        self._listen = listen
        self._metrics = metrics
        self._kept, self._seconds = kept, seconds
        self._known: OrderedDict[tuple[str, ...], tuple[float, object]] = OrderedDict()

    async def line(self, order: Order) -> Line:
        """The order's script; where it has none, the words of its TextGrid."""
        if order.line.words or order.textgrid is None:
            return order.line
        words = await self._get("textgrid", order.textgrid, (), self._words)
        return Line(words or (), order.line.begins)

    async def reference(self, order: Order, line: Line) -> tuple[Reference | None, bool]:
        """What the take is held against, and whether something that was named could not be used."""
        if order.reference is not None:

            async def measured(place: Place) -> Reference:
                return await self._listen(await self._recordings.fetch(place.bucket, place.key), line)

            texts = tuple(word.text for word in line.words)
            found = await self._get("voice", order.reference, texts, measured)
            return (found or Reference.of_script(line, None)), found is None
        if order.pitch is not None:
            pitch = await self._get("pitch", order.pitch, (), self._pitch)
            return Reference.of_script(line, pitch), pitch is None
        return Reference.of_script(line, None), False

    async def _pitch(self, place: Place) -> Track:
        return read_pitch(await self._recordings.fetch(place.bucket, place.key))

    async def _words(self, place: Place) -> tuple[Word, ...]:
        return read_textgrid(await self._recordings.fetch(place.bucket, place.key))

    async def _get(
        self, kind: str, place: Place, more: tuple[str, ...], make: Callable[[Place], Awaitable[Found]]
    ) -> Found | None:
        """None when it cannot be had; the take is scored without it."""
        key = (kind, place.bucket, place.key, *more)
        until, value = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            self._metrics.references.labels(kind, "known").inc()
            self._known.move_to_end(key)
            return value  # type: ignore[return-value]  # the kind is part of the key
        try:
            found = await make(place)
        except (FetchError, UnusableReference) as error:
            _log.warning("reference unusable", kind=kind, key=place.key, cause=str(error))
            self._metrics.references.labels(kind, "unusable").inc()
            self._keep(key, None, _FAILED_SECONDS)
            return None
        self._metrics.references.labels(kind, "fetched").inc()
        self._keep(key, found, self._seconds)
        return found

    def _keep(self, key: tuple[str, ...], value: object, seconds: float) -> None:
        self._known[key] = (time.monotonic() + seconds, value)
        self._known.move_to_end(key)
        while len(self._known) > self._kept:
            self._known.popitem(last=False)
