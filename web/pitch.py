"""The pitch of a clip: a small JSON file in S3 or at a host we trust, loaded once and remembered for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from web.kept import Kept
from web.shapes import PitchPoint
from yousync.failures import Down, Transient
from yousync.fetching import MAX_BYTES, Fetcher, FetchRefused, open_fetcher
from yousync.media import Link, located
from yousync.settings import Settings
from yousync.storage import Storage
from yousync.tasks import cancel

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 0.5
"""How long a reader waits for a pitch that is not there yet; the loading goes on without them."""
_LOADING_SECONDS: Final = 5.0
_KEPT_SECONDS: Final = 600.0
_FAILED_SECONDS: Final = 30.0
_KEPT_BYTES: Final = 32 * 2**20
_POINTS: Final = TypeAdapter(list[PitchPoint])

Pitch = orjson.Fragment | None


class Pitches:
    """Pitch by what the catalogue says of where it lies."""

    def __init__(self, settings: Settings, storage: Storage, fetcher: Fetcher) -> None:
        self._others = settings.media_buckets
        self._storage = storage
        self._fetcher = fetcher
        self._kept: Kept[tuple[Pitch]] = Kept(max_bytes=_KEPT_BYTES)
        self._loading: dict[str, asyncio.Task[Pitch]] = {}

    async def of(self, stored: str | None) -> tuple[Pitch, bool]:
        """The pitch as JSON, None where there is none or it cannot be had; and whether that is settled.

        It is not while it is being loaded, which takes as long as S3 does: whoever asks again finds it.
        """
        if not stored:
            return None, True
        kept = self._kept.get(stored)
        if kept is not None:
            return kept[0], True
        task = self._loading.get(stored)
        if task is None:
            task = self._loading[stored] = asyncio.create_task(self._load(stored))
        done, _ = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        return (task.result(), True) if done else (None, False)

    async def _load(self, stored: str) -> Pitch:
        pitch, seconds, size = None, _FAILED_SECONDS, 0
        try:
            async with asyncio.timeout(_LOADING_SECONDS):
                raw = await self._raw(stored)
            if raw is not None:
                encoded = _encoded(raw)
                pitch, seconds, size = orjson.Fragment(encoded), _KEPT_SECONDS, len(encoded)
        except (Down, Transient, FetchRefused, TimeoutError, ValidationError) as error:
            cause = str(error) if isinstance(error, FetchRefused) else type(error).__name__
            log.warning("pitch_not_loaded", cause=cause)
        except Exception:
            log.exception("pitch_not_loaded")
        finally:
            del self._loading[stored]
        self._kept.put(stored, (pitch,), size=size, seconds=seconds)
        return pitch

    async def _raw(self, stored: str) -> bytes | None:
        match located(stored, bucket=self._storage.bucket, others=self._others):
            case Link(url):
                return await self._fetcher.get(url)
            case found:
                return await self._storage.get(found.uri, max_bytes=MAX_BYTES)

    async def close(self) -> None:
        """Give up what is being loaded."""
        await cancel(*self._loading.values())


def _encoded(raw: bytes) -> bytes:
    """The file's points in our shape. Raises ValidationError for anything but a list of them."""
    return _POINTS.dump_json(_POINTS.validate_json(raw))


@asynccontextmanager
async def open_pitches(settings: Settings, storage: Storage) -> AsyncIterator[Pitches]:
    """Pitches from S3 and from MEDIA_ORIGINS; what is being loaded at the end is given up."""
    async with open_fetcher(settings.media_origins) as fetcher:
        pitches = Pitches(settings, storage, fetcher)
        try:
            yield pitches
        finally:
            await pitches.close()
