"""How the learner keeps the actor's time: when each word comes, how fast the whole goes, and its rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Span = tuple[float, float]
_OFF_S = 0.25  # a word so far from its place has lost most of its score
_TEMPO, _RHYTHM = 0.3, 0.5  # the same for the log of the tempo, and for the spread of the words' logs
_MATCH_S = 0.3


@dataclass(frozen=True, slots=True)
class WordTime:
    """One word against its place: `score` and `overlap` 0 to 1, the latter the share of its place that it covers."""

    score: float
    overlap: float
    matches: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """`score` 0 to 1 for the words that were said; a word that nobody timed has None.

    `offset_s` is how much later than the reference's clock the learner's words come, in the middle; it costs nothing.
    `tempo_ratio` above 1 is slower than the actor, `rhythm_deviation` the spread of the words' own tempos, as a log.
    """

    score: float
    words: tuple[WordTime | None, ...]
    offset_s: float
    tempo_ratio: float
    rhythm_deviation: float


def compare(mine: Sequence[Span | None], theirs: Sequence[Span | None]) -> Timing | None:
    """How the spans of `mine` lie against `theirs`, each on its own clock; None when no word has both.

    The middle word's distance is taken off first, so that when the recording was begun plays no part.
    """
    both = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    if not both:
        return None
    said, meant = np.array([a for a, _ in both]), np.array([b for _, b in both])
    offset = float(np.median(said - meant))
    words = tuple(_word(a, b, offset) for a, b in zip(mine, theirs, strict=True))
    own = np.log(_lengths(said) / _lengths(meant))
    tempo = float((said[-1, 1] - said[0, 0]) / max(meant[-1, 1] - meant[0, 0], 0.02))
    spread = float(np.sqrt(np.mean((own - own.mean()) ** 2)))
    places = float(np.mean([word.score for a, word in zip(mine, words, strict=True) if word is not None and a]))
    paced, even = float(np.exp(-abs(np.log(max(tempo, 0.05))) / _TEMPO)), float(np.exp(-spread / _RHYTHM))
    score = 0.5 * places + 0.25 * paced + 0.25 * even if len(both) > 1 else 0.5 * places + 0.5 * paced
    return Timing(score, words, offset, tempo, spread)


def _word(mine: Span | None, theirs: Span | None, offset: float) -> WordTime | None:
    """Nothing to say of a word without a place; a word that has one and was not said is not in it."""
    if theirs is None:
        return None
    if mine is None:
        return WordTime(0.0, 0.0, matches=False)
    late = [abs(mine[end] - offset - theirs[end]) for end in (0, 1)]
    shared = min(mine[1] - offset, theirs[1]) - max(mine[0] - offset, theirs[0])
    overlap = min(1.0, max(0.0, shared) / max(theirs[1] - theirs[0], 0.02))
    score = float(np.mean(np.exp(-np.array(late) / _OFF_S)))
    return WordTime(score, overlap, matches=max(late) <= _MATCH_S)


def _lengths(spans: Floats) -> Floats:
    return np.asarray(np.maximum(spans[:, 1] - spans[:, 0], 0.02))
