"""How high a voice is, every ten milliseconds: YIN's candidates for each frame, and the likeliest path through them.

A frame by itself is ambiguous: a period and its double fit nearly as well. So each frame keeps a few candidates with
their cost (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 2002), and
the path with the fewest leaps is taken (as Boersma's tracker does, IFA Proceedings 1993).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
HOP = 160  # samples: 10 ms
HOP_S = HOP / RATE
WINDOW = 400  # 25 ms: a voice that glides is not yet another one at the end of it
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 500.0
_LONGEST_LAG = int(RATE / _LOWEST_HZ)
_SHORTEST_LAG = int(RATE / _HIGHEST_HZ)
REACH = WINDOW + _LONGEST_LAG
"""Samples that one frame's pitch is decided by, from the beginning of its window."""

_BATCH = 512
_CANDIDATES = 5
_VOICED = 0.4  # aperiodicity at which a frame is as well taken for voiceless
_LONGER = 0.03  # what a period twice as long must fit better
_LEAP = 0.35  # cost of an octave between two frames
_ONSET = 0.08  # cost of a voice that begins or ends

Floats = NDArray[np.float64]


def track(samples: Floats) -> Floats:
    """Hz of each frame of mono sound at `RATE`, NaN where no voice is. About 10 ms a second of sound."""
    frames = views(samples)
    lags, costs = [], []
    for at in range(0, len(frames), _BATCH):
        found, cost = _candidates(_difference(frames[at : at + _BATCH]))
        lags.append(found)
        costs.append(cost)
    return _path(np.concatenate(lags), np.concatenate(costs))


def views(samples: Floats) -> Floats:
    """[frame, REACH]: what each frame is decided by, its middle at `HOP` times its number; at least one frame."""
    padded = np.concatenate([np.zeros(WINDOW // 2), samples, np.zeros(REACH)])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, REACH)[::HOP][: max(1, len(samples) // HOP)])


def _difference(frames: Floats) -> Floats:
    """YIN's cumulative mean normalised difference of each frame, for every lag."""
    mean = frames[:, :WINDOW].mean(axis=1, keepdims=True)
    head, body = frames[:, :WINDOW] - mean, frames - mean
    size = 1 << (body.shape[1] + WINDOW - 1).bit_length()
    product = np.fft.rfft(body, size, axis=1) * np.conj(np.fft.rfft(head, size, axis=1))
    correlation = np.fft.irfft(product, size, axis=1)[:, : _LONGEST_LAG + 1]
    squares = np.concatenate([np.zeros((len(body), 1)), np.cumsum(body**2, axis=1)], axis=1)
    energy = squares[:, WINDOW : WINDOW + _LONGEST_LAG + 1] - squares[:, : _LONGEST_LAG + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0.0)
    running = np.cumsum(difference[:, 1:], axis=1)
    lags = np.arange(1, _LONGEST_LAG + 1)
    normal = np.ones_like(difference)
    normal[:, 1:] = np.where(running > 1e-9, difference[:, 1:] * lags / np.maximum(running, 1e-9), 1.0)
    return np.asarray(normal)


def _candidates(normal: Floats) -> tuple[Floats, Floats]:
    """[frame, candidate]: the deepest dips as lags between samples, and how badly each fits; infinity for none."""
    inner = normal[:, _SHORTEST_LAG:_LONGEST_LAG]
    before, after = normal[:, _SHORTEST_LAG - 1 : _LONGEST_LAG - 1], normal[:, _SHORTEST_LAG + 1 : _LONGEST_LAG + 1]
    depth = np.where((inner <= before) & (inner < after), inner, np.inf)
    places = np.argpartition(depth, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    rows = np.arange(len(normal))[:, None]
    here, left, right = inner[rows, places], before[rows, places], after[rows, places]
    bend = left - 2 * here + right
    shift = np.where(bend > 1e-12, 0.5 * (left - right) / np.maximum(bend, 1e-12), 0.0)
    shift = np.clip(shift, -1.0, 1.0)
    lags = np.asarray(places + (_SHORTEST_LAG + shift), np.float64)
    # Between two samples the dip is deeper than at either, which tells a short period from its double.
    deepest = np.where(np.isfinite(depth[rows, places]), np.maximum(here - 0.25 * (left - right) * shift, 0.0), np.inf)
    return lags, deepest + _LONGER * np.log2(lags / _SHORTEST_LAG)


def _path(lags: Floats, costs: Floats) -> Floats:
    """The cheapest way through the candidates, one more of which is silence, as Hz."""
    count, width = lags.shape
    octaves = np.log2(lags)
    own = np.concatenate([costs, np.full((count, 1), _VOICED)], axis=1)
    steps = np.zeros((count, width + 1), np.int64)
    total = own[0].copy()
    leap = np.full((width + 1, width + 1), _ONSET)
    leap[width, width] = 0.0
    for at in range(1, count):
        leap[:width, :width] = _LEAP * np.abs(octaves[at - 1][:, None] - octaves[at])
        reached = total[:, None] + leap
        steps[at] = reached.argmin(axis=0)
        total = reached.min(axis=0) + own[at]
    hz = np.full(count, np.nan)
    best = int(total.argmin())
    for at in range(count - 1, -1, -1):
        if best < width:
            hz[at] = RATE / lags[at, best]
        best = int(steps[at, best])
    return hz
