"""What a recording sounds like every ten milliseconds: how loud, voiced or not, and how high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
HOP = 160  # samples: 10 ms
HOP_S = HOP / RATE
_WINDOW = 512  # 32 ms: two periods of the lowest voice
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 500.0
_LONGEST_LAG = int(RATE / _LOWEST_HZ)
_SHORTEST_LAG = int(RATE / _HIGHEST_HZ)
_DIP = 0.15  # de Cheveigné and Kawahara's absolute threshold
_VOICED = 0.25  # above this aperiodicity there is no voice
_BATCH = 512
_FLOOR_DB = -100.0
_RANGE_DB = 30.0  # speech quieter than this below its loud parts is not told from the background
_ABOVE_NOISE_DB = 6.0
_LOUD_ENOUGH_DB = -60.0
_GAP_FRAMES, _BURST_FRAMES = 8, 4

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
    """Frames of mono 16-bit PCM at `RATE`. Blocks; about 5 ms a second of sound."""
    whole = np.frombuffer(pcm, dtype="<i2")
    samples = whole.astype(np.float64) / 32768.0
    frames = max(1, len(samples) // HOP)
    reach = _WINDOW + _LONGEST_LAG
    padded = np.concatenate([np.zeros(_WINDOW // 2), samples, np.zeros(reach)])
    views = np.lib.stride_tricks.sliding_window_view(padded, reach)[::HOP][:frames]
    db = np.concatenate([_levels(views[at : at + _BATCH, :_WINDOW]) for at in range(0, len(views), _BATCH)])
    hz = np.concatenate([_pitch(views[at : at + _BATCH]) for at in range(0, len(views), _BATCH)])
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


def _levels(views: Floats) -> Floats:
    """Decibels below full scale, from the voice to the hiss of an s, so that rumble does not count as speech."""
    spectrum = np.abs(np.fft.rfft(views * np.hanning(_WINDOW), axis=1)) ** 2
    band = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    power = spectrum[:, (band >= 100) & (band <= 7500)].sum(axis=1) / (_WINDOW * np.sum(np.hanning(_WINDOW) ** 2) / 2)
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), _FLOOR_DB))


def _pitch(views: Floats) -> Floats:
    """Steps 1 to 5 of YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator…", JASA 2002)."""
    head = views[:, :_WINDOW] - views[:, :_WINDOW].mean(axis=1, keepdims=True)
    body = views - views[:, :_WINDOW].mean(axis=1, keepdims=True)
    size = 1 << (body.shape[1] + _WINDOW - 1).bit_length()
    product = np.fft.rfft(body, size, axis=1) * np.conj(np.fft.rfft(head, size, axis=1))
    correlation = np.fft.irfft(product, size, axis=1)[:, : _LONGEST_LAG + 1]
    squares = np.concatenate([np.zeros((len(body), 1)), np.cumsum(body**2, axis=1)], axis=1)
    energy = squares[:, _WINDOW : _WINDOW + _LONGEST_LAG + 1] - squares[:, : _LONGEST_LAG + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0.0)
    running = np.cumsum(difference[:, 1:], axis=1)
    lags = np.arange(1, _LONGEST_LAG + 1)
    normal = np.ones_like(difference)
    normal[:, 1:] = np.where(running > 1e-9, difference[:, 1:] * lags / np.maximum(running, 1e-9), 1.0)
    return np.array([_period(row) for row in normal])


def _period(row: Floats) -> float:
    """The pitch of one frame's normalised difference function, NaN when it has no clear dip."""
    below = np.flatnonzero(row[_SHORTEST_LAG:_LONGEST_LAG] < _DIP)
    if len(below):
        lag = int(below[0]) + _SHORTEST_LAG
        while lag + 1 < _LONGEST_LAG and row[lag + 1] < row[lag]:
            lag += 1
    else:
        lag = int(np.argmin(row[_SHORTEST_LAG:_LONGEST_LAG])) + _SHORTEST_LAG
    if row[lag] > _VOICED:
        return float("nan")
    before, here, after = row[lag - 1], row[lag], row[lag + 1]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 1e-12 else 0.0
    return float(RATE / (lag + min(max(shift, -1.0), 1.0)))


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
