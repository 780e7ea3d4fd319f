"""Turns evidence into the numbers that scores are made of: one row a phone, one row a word, one row a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech import absence
from yousync.analyzer.speech.evidence import FITS
from yousync.analyzer.speech.features import HOP_S
from yousync.analyzer.speech.hearing import Heard
from yousync.analyzer.speech.lengths import Lengths
from yousync.analyzer.speech.viterbi import FOREIGN

Doubles = NDArray[np.float64]
VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])
PAUSE_S = 0.15  # shorter silences belong to stops and to careful speech
_SHORT_FRAMES = 4  # a phone this short was squeezed in


PHONE_NAMES = (
    *FITS,
    "length",
    "edge_first",
    "edge_last",
    "before",
    "behind",
    "word_fit",
    "whole_fit",
    "whole_posterior",
    "rate",
    "vowel",
    "warp",
)
WORD_NAMES = (
    *FITS,
    *(f"least_{name}" for name in FITS),
    "vowel_fit",
    "consonant_fit",
    "weighted_fit",
    "phones",
    "length",
    "shortest",
    "squeezed",
    "pause_before",
    "pause_after",
    "foreign",
    "omitted",
    "likely_omitted",
    "level",
    "whole_fit",
    "whole_posterior",
    "rate",
    "warp",
    *absence.NAMES,
)
WHOLE_NAMES = (
    *(f"mean_{name}" for name in FITS),
    *(f"low_{name}" for name in FITS),
    "word_low",
    "word_least",
    "word_spread",
    "fit",
    "free",
    "gap",
    "rate",
    "articulation",
    "pauses",
    "paused",
    "longest_pause",
    "run",
    "foreign",
    "omitted",
    "likely_omitted",
    "length",
    "length_spread",
    "vowel_length",
    "vowel_pairs",
    "final_length",
    "level_spread",
    "level_words",
    "words",
    "phones",
    "warp",
)


@dataclass(frozen=True, slots=True)
class Measures:
    """Rows for the regressions, and what of it is told as it is."""

    phones: Doubles
    words: Doubles
    whole: Doubles
    pauses: tuple[tuple[float, float], ...]
    speech_rate: float
    articulation_rate: float


def measure(heard: Heard, lengths: Lengths, vowel: NDArray[np.bool_]) -> Measures:
    """All of it. `vowel` says of each phone number whether it is one."""
    evidence = heard.evidence
    stretch = lengths.stretch(evidence.phone, evidence.frames)
    frames = evidence.frames.astype(np.float64)
    fits = evidence.fits.astype(np.float64)
    is_vowel = vowel[evidence.phone]
    begin, end = int(evidence.first[0]), int(evidence.after[-1])
    silences = np.maximum(evidence.first[1:] - evidence.after[:-1], 0) * HOP_S
    broken = silences >= PAUSE_S
    pauses = tuple(
        (int(evidence.after[at]) * HOP_S, int(evidence.first[at + 1]) * HOP_S) for at in np.flatnonzero(broken)
    )
    spoken_s = frames.sum() * HOP_S
    whole_s = (end - begin) * HOP_S
    rate, articulation = len(frames) / whole_s, len(frames) / spoken_s
    foreign = heard.lenient == FOREIGN
    speech = heard.levels[
        np.concatenate([np.arange(a, b) for a, b in zip(evidence.first, evidence.after, strict=True)])
    ]
    usual = float(np.mean(speech))
    gap = heard.free - heard.fit

    words, word_fit, word_level = [], np.zeros(heard.graph.words), np.zeros(heard.graph.words)
    rows = [np.flatnonzero(evidence.word == word) for word in range(heard.graph.words)]
    for word, row in enumerate(rows):
        word_fit[word] = np.average(fits[row, 1], weights=frames[row])
        word_level[word] = heard.levels[evidence.first[row[0]] : evidence.after[row[-1]]].mean() - usual
    # Medians: one word said wrongly is no reason to think less of the others.
    usual_fit, usual_posterior = float(np.median(fits[:, 1])), float(np.median(fits[:, 2]))
    for word, row in enumerate(rows):
        first, after = int(evidence.first[row[0]]), int(evidence.after[row[-1]])
        before = silences[row[0] - 1] if row[0] else 0.0
        behind = silences[row[-1]] if row[-1] < len(silences) else 0.0
        words.append(
            [
                *fits[row].mean(axis=0),
                *fits[row].min(axis=0),
                _mean(fits[row, 2][is_vowel[row]], fits[row, 2].mean()),
                _mean(fits[row, 2][~is_vowel[row]], fits[row, 2].mean()),
                word_fit[word],
                np.log(len(row)),
                stretch[row].mean(),
                stretch[row].min(),
                (frames[row] <= _SHORT_FRAMES).mean(),
                min(before, 1.0),
                min(behind, 1.0),
                foreign[first:after].mean(),
                float(word in heard.omitted),
                float(word in heard.likely_omitted),
                word_level[word],
                usual_fit,
                usual_posterior,
                rate,
                heard.warp,
            ]
        )
    previous = np.concatenate([fits[:1, 2], fits[:-1, 2]])
    following = np.concatenate([fits[1:, 2], fits[-1:, 2]])
    ends = np.zeros((len(frames), 2))
    for row in rows:
        ends[row[0], 0] = ends[row[-1], 1] = 1.0
    phones = np.column_stack(
        [
            fits,
            stretch,
            ends,
            previous,
            following,
            word_fit[evidence.word],
            np.full(len(frames), usual_fit),
            np.full(len(frames), usual_posterior),
            np.full(len(frames), rate),
            is_vowel,
            np.full(len(frames), heard.warp),
        ]
    )
    vowels = np.log(frames[is_vowel])
    whole = [
        *fits.mean(axis=0),
        *np.quantile(fits, 0.15, axis=0),
        np.quantile(word_fit, 0.25),
        word_fit.min(),
        word_fit.std(),
        heard.fit,
        heard.free,
        gap,
        rate,
        articulation,
        broken.sum() / len(rows),
        silences[broken].sum() / whole_s,
        silences.max(initial=0.0),
        len(frames) / (broken.sum() + 1),
        foreign[begin:end].mean(),
        len(heard.omitted) / len(rows),
        len(heard.likely_omitted) / len(rows),
        stretch.mean(),
        stretch.std(),
        _mean(stretch[is_vowel], 0.0),
        _mean(np.abs(np.diff(vowels)), 0.0),
        stretch[rows[-1]].mean(),
        speech.std(),
        word_level.std(),
        np.log(len(rows)),
        np.log(len(frames)),
        heard.warp,
    ]
    syllables = max(int(is_vowel.sum()), 1)
    return Measures(
        phones.astype(np.float64),
        np.column_stack([np.array(words, np.float64), absence.rows(heard, stretch, lengths)]),
        np.array(whole, np.float64),
        pauses,
        syllables / whole_s,
        syllables / spoken_s,
    )


def _mean(values: Doubles, otherwise: float) -> float:
    return float(values.mean()) if len(values) else otherwise
