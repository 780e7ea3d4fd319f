"""From measures to scores, by the coefficients that calibration wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.lengths import Lengths
from yousync.analyzer.speech.measures import PHONE_NAMES, WHOLE_NAMES, WORD_NAMES, Measures
from yousync.analyzer.speech.model import Model
from yousync.analyzer.speech.net import Net
from yousync.analyzer.speech.regression import Regression

Doubles = NDArray[np.float64]
WHOLE_SCORES = ("total", "accuracy", "fluency", "prosodic")
SHIPPED = Path(__file__).with_name("coefficients.json")
JUDGED_NAMES = (*WHOLE_NAMES, "mean_word", "least_word", "mean_said")


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of 0 to 1: of phones and words, and `whole` by WHOLE_SCORES.

    `said` is how surely each word was said at all, `omitted` how surely it was left out, `match` how surely this
    script was spoken.
    """

    phones: Doubles
    words: Doubles
    said: Doubles
    omitted: Doubles
    whole: dict[str, float]
    match: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a figure becomes a verdict; calibration sets them by how often spoken words may be wrongly accused."""

    said: float  # below it a word is not what was said
    omitted: float  # above it a word was left out
    poor: float  # a word score below it is a mispronunciation
    match: float  # at it, and above, nothing speaks for another script


@dataclass(frozen=True, slots=True)
class Coefficients:
    """All that was fitted. `about` says to what, when and how well, and is not used.

    The others were fitted to what is heard with `net`.
    """

    version: str
    about: dict[str, Any]
    net: Net
    lengths: Lengths
    limits: Limits
    phone: Regression
    word: Regression
    said: Regression
    omitted: Regression
    match: Regression
    whole: dict[str, Regression]

    def judge(self, measures: Measures, word_of_phone: NDArray[np.int64]) -> Judged:
        """Scores for one recording."""
        said = np.clip(self.said(measures.words), 0.0, 1.0)
        omitted = np.clip(self.omitted(measures.words), 0.0, 1.0)
        raw = np.clip(self.word(measures.words), 0.0, 1.0)
        doubt = doubted(said, self.limits)
        words = raw * doubt
        phones = np.clip(self.phone(measures.phones), 0.0, 1.0) * doubt[word_of_phone]
        row = with_words(measures.whole, raw, said)[None]
        whole = {name: float(np.clip(self.whole[name](row)[0], 0.0, 1.0)) for name in WHOLE_SCORES}
        return Judged(phones, words, said, omitted, whole, certainty(float(self.match(row)[0]), self.limits))

    def as_json(self, model: Model) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "version": self.version,
            "about": self.about,
            "net": self.net.as_json(),
            "limits": {name: round(getattr(self.limits, name), 4) for name in Limits.__slots__},
            "lengths": {
                phone: [round(float(self.lengths.mean[at]), 4), round(float(self.lengths.deviation[at]), 4)]
                for at, phone in enumerate(model.phones)
            },
            **{name: getattr(self, name).as_json() for name in ("phone", "word", "said", "omitted", "match")},
            **{name: self.whole[name].as_json() for name in WHOLE_SCORES},
        }

    @classmethod
    def from_json(cls, told: dict[str, Any], model: Model) -> Self:
        """Raises ValueError when they are of another version of the measures."""
        lengths = np.array([told["lengths"][phone] for phone in model.phones], np.float64)
        phone = Regression.from_json(told["phone"], PHONE_NAMES)
        word, said, omitted = (Regression.from_json(told[name], WORD_NAMES) for name in ("word", "said", "omitted"))
        match = Regression.from_json(told["match"], JUDGED_NAMES)
        whole = {name: Regression.from_json(told[name], JUDGED_NAMES) for name in WHOLE_SCORES}
        return cls(
            told["version"],
            told["about"],
            Net.from_json(told["net"]),
            Lengths(lengths[:, 0], lengths[:, 1]),
            Limits(**told["limits"]),
            phone,
            word,
            said,
            omitted,
            match,
            whole,
        )


def doubted(said: Doubles, limits: Limits) -> Doubles:
    """What to multiply the scores of words with that were perhaps not said."""
    return np.clip(said / limits.said, 0.0, 1.0)


def certainty(match: float, limits: Limits) -> float:
    """What to multiply the whole with when it was perhaps another script."""
    return float(np.clip(match / limits.match, 0.0, 1.0))


def with_words(whole: Doubles, words: Doubles, said: Doubles) -> Doubles:
    """A recording's row with what its words came to, as JUDGED_NAMES has it."""
    return np.concatenate([whole, [words.mean(), words.min(), said.mean()]])


def shipped(model: Model) -> Coefficients:
    """The coefficients that come with this package. Raises ValueError when they are of other measures."""
    return Coefficients.from_json(json.loads(SHIPPED.read_bytes()), model)
