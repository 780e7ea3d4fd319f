"""What a take is held against: the actor's pitch, and when the actor says each word, on one clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from yousync.analyzer.intonation import Span, Track
from yousync.analyzer.pitch import HOP_S, track as track_pitch
from yousync.analyzer.pronunciation import Pronouncer
from yousync.analyzer.words import Line

_MOST_VALUES = 100_000  # the contour of ten hours, at the producers' ten a second


class UnusableReference(Exception):
    """A reference that is not what it should be; the take is scored without it."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The actor's `pitch`, None where it is not known, and the actor's words in the order of the script."""

    pitch: Track | None
    words: tuple[Span | None, ...]

    @classmethod
    def of_script(cls, line: Line, pitch: Track | None) -> Self | None:
        """The script's own word times, with the token's pitch where there is one; None when both say nothing."""
        spans = tuple(
            (word.start, word.end)
            if word.start is not None and word.end is not None and word.end > word.start
            else None
            for word in line.words
        )
        return cls(pitch, spans) if any(spans) else None

    @classmethod
    def of_sound(cls, pronouncer: Pronouncer, samples: NDArray[np.float32], words: Sequence[str]) -> Self:
        """Pitch and word times measured in the actor's own recording, as a take's are. Raises SpeechError."""
        heard = pronouncer.assess(samples, words)
        hz = track_pitch(samples.astype(np.float64))
        spans = tuple(
            None if word.start_time is None or word.end_time is None else (word.start_time, word.end_time)
            for word in heard.words
        )
        return cls(Track(np.arange(len(hz), dtype=np.float64) * HOP_S, hz), spans)

    def as_json(self) -> dict[str, Any]:
        """Fit for a cache and for another process; `from_json` is the way back."""
        return {"pitch": None if self.pitch is None else pitch_as_json(self.pitch), "words": self.words}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The reference that `as_json` wrote."""
        pitch = None if value["pitch"] is None else _track(*value["pitch"])
        return cls(pitch, tuple(None if span is None else (span[0], span[1]) for span in value["words"]))


def pitch_as_json(track: Track) -> list[list[float | None]]:
    """Times, and Hz or null."""
    return [track.times.tolist(), [None if math.isnan(hz) else hz for hz in track.hz.tolist()]]


def read_pitch(content: bytes) -> Track:
    """The pitch file of a token: a list of `{"time": seconds, "hz": number or null}`. Raises UnusableReference."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnusableReference("the pitch file is not JSON") from error
    entries = value.get("pitch") if isinstance(value, dict) else value
    if not isinstance(entries, list) or len(entries) > _MOST_VALUES:
        raise UnusableReference("the pitch file is no list of values")
    found = sorted(
        (time, hz)
        for time, hz in ((_number(entry, "time"), _number(entry, "hz")) for entry in entries)
        if time is not None and hz is not None and 30.0 < hz < 2000.0
    )
    if not found:
        raise UnusableReference("the pitch file has no pitch in it")
    return _track([time for time, _ in found], [hz for _, hz in found])


def _number(entry: Any, name: str) -> float | None:
    value = entry.get(name) if isinstance(entry, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _track(times: Sequence[float], hz: Sequence[float | None]) -> Track:
    return Track(np.array(times, np.float64), np.array([math.nan if one is None else one for one in hz], np.float64))
