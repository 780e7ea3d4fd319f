"""Decides by content whether an upload is a recording, in which container, and how long."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from yousync.audio.crew import Crew, CrewBusyError
from yousync.audio.process import ChildError
from yousync.audio.sniff import sniff
from yousync.audio.wav import wav_seconds
from yousync.errors import AudioTooLong, EmptyAudio, NotAudio, UploadsBusy, YouSyncError

_SECONDS_EACH = 10.0
_ERRORS: dict[str, type[YouSyncError]] = {kind.code: kind for kind in (AudioTooLong, EmptyAudio, NotAudio)}


@dataclass(frozen=True, slots=True)
class Probe:
    """What a recording is: its `container`, one of `CONTAINERS` and the S3 key's extension, and its length."""

    container: str
    duration_s: float


class Prober:
    """Looks into recordings without ever blocking the event loop or trusting what they claim.

    Opened once per process: `async with Prober.open(max_seconds=60) as prober`. WAV is measured in-process by its
    chunk headers alone; everything else is read in child processes.
    """

    def __init__(self, crew: Crew, *, max_seconds: float) -> None:
        self._crew = crew
        self._max_seconds = max_seconds

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, max_seconds: float, workers: int = 2, seconds_each: float = _SECONDS_EACH
    ) -> AsyncIterator[Self]:
        """Starts `workers` decoder processes, each killed when one recording keeps it longer than `seconds_each`."""
        async with Crew.open(
            "yousync.audio.reader", [repr(max_seconds)], size=workers, seconds_each=seconds_each, answers_each=200
        ) as crew:
            yield cls(crew, max_seconds=max_seconds)

    @property
    def pids(self) -> list[int]:
        """The process ids of the decoder processes."""
        return self._crew.pids

    async def probe(self, data: bytes) -> Probe:
        """What `data` is.

        Raises EmptyAudio, NotAudio or AudioTooLong, and UploadsBusy when too many wait for a decoder process.
        """
        if not data:
            raise EmptyAudio
        container = sniff(data)
        if container is None:
            raise NotAudio
        duration = wav_seconds(data) if container == "wav" else await self._read(data)
        if duration > self._max_seconds:
            raise AudioTooLong
        return Probe(container, duration)

    async def _read(self, data: bytes) -> float:
        try:
            reply = json.loads(await self._crew.ask(data))
        except CrewBusyError as error:
            raise UploadsBusy(retry_after=2) from error
        except ChildError as error:
            raise NotAudio from error
        if "error" in reply:
            raise _ERRORS.get(reply["error"], NotAudio)
        duration = float(reply["seconds"])
        if not math.isfinite(duration) or duration <= 0.0:
            raise NotAudio
        return duration
