"""How near the learner's melody is to the actor's, word by word, in semitones about each speaker's own middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Span = tuple[float, float]
POINTS = 8
"""Pitch is compared at so many moments of each word, whatever its length in either recording."""

_FEWEST = 4  # points that both have, to be compared at all
_FLAT_ST = 0.15  # less movement than this is none
_BAND = 2 * POINTS
_SHAPE, _DISTANCE, _RANGE = 0.55, 0.25, 0.2
_DISTANCE_ST = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Pitch over time: seconds and Hz, NaN where there is no voice. Times rise by about `step`."""

    times: Floats
    hz: Floats

    @property
    def step(self) -> float:
        """Seconds between two values; 0 for a track of fewer than two."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    @property
    def voiced(self) -> Track:
        """Only where there is a voice."""
        heard = np.isfinite(self.hz) & (self.hz > 0)
        return Track(self.times[heard], self.hz[heard])


@dataclass(frozen=True, slots=True, eq=False)
class Intonation:
    """0 to 1 for the whole and for each word; None for a word that one of the two does not say or voice.

    `points` is [word, speaker, moment]: mine and theirs, in semitones about the speaker's own middle, NaN for no voice.
    `correlation`, `rmse_st`, `range_ratio` and `dtw_st` (after the best bending of time, semitones a point) are what
    the whole's score is made of, or shown beside it.
    """

    score: float
    words: tuple[float | None, ...]
    correlation: float
    rmse_st: float
    range_ratio: float
    dtw_st: float
    points: Floats


def compare(
    mine: Track, my_words: Sequence[Span | None], theirs: Track, their_words: Sequence[Span | None]
) -> Intonation | None:
    """How `mine` follows `theirs`; None when too little of both is voiced to say.

    A word alone is a handful of points, so its shape and range are judged together with its neighbours'.
    """
    blur = max(mine.step, theirs.step)  # the finer of the two is seen as coarsely as the other
    ours = _melody(mine, my_words, blur), _melody(theirs, their_words, blur)
    points = np.stack(ours)  # [speaker, word, point]
    shown = points.transpose(1, 0, 2).copy()
    points[:, np.isnan(points).any(axis=0)] = np.nan
    whole = _judge(points.reshape(2, -1))
    if whole is None:
        return None
    words: list[float | None] = []
    for at in range(points.shape[1]):
        around = _judge(points[:, max(0, at - 1) : at + 2].reshape(2, -1))
        here = points[:, at][:, ~np.isnan(points[0, at])]
        if my_words[at] is None or their_words[at] is None or around is None:
            words.append(None)
            continue
        distance = float(np.sqrt(np.mean((here[0] - here[1]) ** 2))) if here.size else around.rmse
        words.append(_score(around.correlation, distance, around.ratio))
    score = _score(whole.correlation, whole.rmse, whole.ratio)
    bent = _dtw(*(points[speaker][~np.isnan(points[speaker])] for speaker in (0, 1)))
    return Intonation(score, tuple(words), whole.correlation, whole.rmse, whole.ratio, bent, shown)


@dataclass(frozen=True, slots=True)
class _Judgement:
    correlation: float
    rmse: float
    ratio: float


def _melody(track: Track, words: Sequence[Span | None], blur: float) -> Floats:
    """[word, point] semitones about the median of what is voiced inside words, NaN where there is no voice.

    A point is the middle value of the `blur` seconds around it.
    """
    heard = track.voiced
    out = np.full((len(words), POINTS), np.nan)
    if not len(heard.times):
        return out
    tolerance = max(0.03, 0.6 * track.step)
    height = 12 * np.log2(heard.hz)
    for row, span in zip(out, words, strict=True):
        if span is None:
            continue
        moments = span[0] + (np.arange(POINTS) + 0.5) / POINTS * (span[1] - span[0])
        after = np.clip(np.searchsorted(heard.times, moments), 0, len(heard.times) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.minimum(np.abs(heard.times[after] - moments), np.abs(heard.times[before] - moments))
        level = np.interp(moments, heard.times, height)
        if track.step < blur / 2:
            edges = np.searchsorted(heard.times, [moments - blur / 2, moments + blur / 2]).T
            level = np.array(
                [np.median(height[a:b]) if b > a else one for (a, b), one in zip(edges, level, strict=True)]
            )
        row[:] = np.where(nearest <= tolerance, level, np.nan)
    return out if np.isnan(out).all() else out - np.nanmedian(out)


def _judge(pair: Floats) -> _Judgement | None:
    both = pair[:, ~np.isnan(pair).any(axis=0)]
    if both.shape[1] < _FEWEST:
        return None
    mine, theirs = both
    moves = bool(mine.std() > _FLAT_ST and theirs.std() > _FLAT_ST)
    ranges = [float(np.percentile(one, 95) - np.percentile(one, 5)) for one in both]
    return _Judgement(
        correlation=float(np.corrcoef(mine, theirs)[0, 1]) if moves else 0.0,
        rmse=float(np.sqrt(np.mean((mine - theirs) ** 2))),
        ratio=(min(ranges) + _FLAT_ST) / (max(ranges) + _FLAT_ST),
    )


def _score(correlation: float, rmse: float, ratio: float) -> float:
    return _SHAPE * max(0.0, correlation) + _DISTANCE * float(np.exp(-rmse / _DISTANCE_ST)) + _RANGE * ratio


def _dtw(mine: Floats, theirs: Floats) -> float:
    """Mean distance along the cheapest path (Sakoe and Chiba 1978), which may lead or lag by two words."""
    count = len(mine)
    total = np.full((count + 1, count + 1), np.inf)
    total[0, 0] = 0.0
    for row in range(1, count + 1):
        for column in range(max(1, row - _BAND), min(count, row + _BAND) + 1):
            nearest = min(total[row - 1, column], total[row, column - 1], total[row - 1, column - 1])
            total[row, column] = abs(mine[row - 1] - theirs[column - 1]) + nearest
    return float(total[count, count] / count)
