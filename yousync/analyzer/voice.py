"""What a recording sounds like every ten milliseconds: how loud, voiced or not, and how high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.pitch import HOP_S, RATE, WINDOW, track, views

_BATCH = 512
_FLOOR_DB = -100.0
_RANGE_DB = 30.0  # speech quieter than this below its loud parts is not told from the background
_ABOVE_NOISE_DB = 6.0
_LOUD_ENOUGH_DB = -60.0
_GAP_FRAMES, _BURST_FRAMES = 8, 4

__all__ = ["HOP_S", "RATE", "Flags", "Floats", "Voice", "listen", "runs"]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Voice:
    """A recording as frames, `HOP_S` seconds apart; all arrays have one value a frame.

    `db` is the level in the speech band (100 Hz to 7.5 kHz), `hz` the pitch or NaN, `active` where somebody speaks.
    """

    seconds: float
    db: Floats
    hz: Floats
    active: Flags
    noise_db: float
    speech_db: float
    clipped_share: float

    @property
    def voiced(self) -> Flags:
        """Where the vocal cords swing."""
        return ~np.isnan(self.hz)


def listen(pcm: bytes) -> Voice:
    """Frames of mono 16-bit PCM at `RATE`. Blocks; about 10 ms a second of sound."""
    whole = np.frombuffer(pcm, dtype="<i2")
    samples = whole.astype(np.float64) / 32768.0
    frames = views(samples)[:, :WINDOW]
    db = np.concatenate([_levels(frames[at : at + _BATCH]) for at in range(0, len(frames), _BATCH)])
    hz = track(samples)
    noise_db, speech_db = float(np.percentile(db, 10)), float(np.percentile(db, 95))
    threshold = max(speech_db - _RANGE_DB, min(noise_db + _ABOVE_NOISE_DB, speech_db - _ABOVE_NOISE_DB))
    loud = (db > max(threshold, _LOUD_ENOUGH_DB)) if speech_db > _LOUD_ENOUGH_DB else np.zeros(len(db), dtype=bool)
    hz = np.where(loud, hz, np.nan)
    return Voice(
        seconds=len(samples) / RATE,
        db=db,
        hz=hz,
        active=_tidied(loud, ~np.isnan(hz)),
        noise_db=noise_db,
        speech_db=speech_db,
        clipped_share=float(np.mean(np.abs(whole.astype(np.int32)) >= 32_700)) if len(whole) else 0.0,
    )


def runs(flags: Flags) -> list[tuple[int, int]]:
    """First frame and frame after the last of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(after)) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def _levels(frames: Floats) -> Floats:
    """Decibels below full scale, from the voice to the hiss of an s, so that rumble does not count as speech."""
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    band = np.fft.rfftfreq(WINDOW, 1 / RATE)
    power = spectrum[:, (band >= 100) & (band <= 7500)].sum(axis=1) / (WINDOW * np.sum(np.hanning(WINDOW) ** 2) / 2)
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), _FLOOR_DB))


def _tidied(loud: Flags, voiced: Flags) -> Flags:
    """Without the gaps that stops make inside words, clicks, and noises that no voice is part of."""
    out = loud.copy()
    for first, after in runs(~out):
        if after - first < _GAP_FRAMES and first > 0 and after < len(out):
            out[first:after] = True
    for first, after in runs(out):
        if after - first < _BURST_FRAMES or not voiced[first:after].any():
            out[first:after] = False
    return out
