"""Lays the script's word windows over what was said: one shift and one tempo for the whole recording.

Nothing here recognises words. The windows are moved and stretched until as much speech as possible lies inside
them and as little as possible outside. Moving costs a little and stretching more, because the learner speaks along
with the video: of two readings that fit equally well, the one in time is meant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yousync.analyzer.voice import HOP_S, Flags, Floats
from yousync.analyzer.words import Window

_STEP_S = 0.02
_FURTHEST_S = 1.5  # learners start late rather than early
_EARLIEST_S = 0.6
_TEMPOS = tuple(sorted((round(1.02**power, 4) for power in range(-14, 18)), key=lambda tempo: abs(math.log(tempo))))
_OUTSIDE = 1.5  # speech outside every window says more than a quiet frame inside one
_SHIFT_COST = 0.35  # frames of fit that a frame of shift must bring
_TEMPO_COST = 1.2  # the same for stretching, by how much longer the line becomes


@dataclass(frozen=True, slots=True)
class Alignment:
    """`start` is where the first word's window begins in the recording, `tempo` how many times longer it all takes."""

    start: float
    tempo: float

    def place(self, window: Window) -> tuple[float, float]:
        """The window in seconds of the recording."""
        return self.start + window.start * self.tempo, self.start + window.end * self.tempo


def align(active: Flags, windows: Sequence[Window], expected_start: float | None) -> Alignment:
    """The best shift and tempo.

    `expected_start` is where the first word should begin in the recording when that is known. When it is not, the
    learner may begin whenever they like, and only the length of the windows is held against the speech.
    """
    spoken = np.flatnonzero(active)
    if not len(spoken) or not windows:
        return Alignment(expected_start or 0.0, 1.0)
    if expected_start is None:
        centre, early, late, cost = float(spoken[0]) * HOP_S, _FURTHEST_S, _FURTHEST_S, _SHIFT_COST / 2
    else:
        centre, early, late, cost = expected_start, _EARLIEST_S, _FURTHEST_S, _SHIFT_COST
    shifts = np.round(np.arange(-early, late + _STEP_S / 2, _STEP_S), 3)
    total = float(active.sum())
    heard = np.concatenate([[0.0], np.cumsum(active)])
    starts = np.array([window.start for window in windows])
    ends = np.array([window.end for window in windows])
    best, chosen = -np.inf, Alignment(max(centre, 0.0), 1.0)
    for tempo in _TEMPOS:
        first = (centre + shifts[:, None] + starts[None] * tempo) / HOP_S
        after = (centre + shifts[:, None] + ends[None] * tempo) / HOP_S
        inside = (_at(heard, after) - _at(heard, first)).sum(axis=1)
        quiet = (after - first).sum(axis=1) - inside
        length = (ends[-1] - starts[0]) / HOP_S
        fit = inside - quiet - _OUTSIDE * (total - inside)
        fit -= cost * np.abs(shifts) / HOP_S + _TEMPO_COST * abs(math.log(tempo)) * length
        at = int(np.argmax(fit))
        if fit[at] > best + 1e-9:
            best, chosen = float(fit[at]), Alignment(float(centre + shifts[at]), tempo)
    return chosen


def _at(cumulated: Floats, frames: Floats) -> Floats:
    """How many active frames lie before each of `frames`, which need not be whole."""
    return np.asarray(np.interp(frames, np.arange(len(cumulated)), cumulated))
