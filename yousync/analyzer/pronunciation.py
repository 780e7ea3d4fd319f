"""How well the words of a script were said: what is measured of them, and who measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.aligning import align
from yousync.analyzer.voice import HOP_S, RATE, listen
from yousync.analyzer.words import Word, windows

ErrorType = Literal["None", "Omission", "Insertion", "Mispronunciation"]
Source = Literal["dictionary", "espeak", "rules"]
ENGINE = "yousync-speech"


class SpeechError(Exception):
    """The recording can be read but not scored; `code` and `message` go into the webhook."""

    code = "analysis_failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NoSpeech(SpeechError):
    """Nobody speaks in the recording."""

    code = "no_speech"


class AlignmentFailed(SpeechError):
    """The words cannot be laid over the recording: it is too short for them, or there are none."""

    code = "alignment_failed"


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound of a word as it should be said (ARPAbet), in seconds of the recording.

    `score` is 0 to 1; `sounds_like` is the sound that fits better what was heard, where one does so clearly.
    """

    phone: str
    start_time: float
    end_time: float
    score: float
    sounds_like: str | None


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of the script; an omitted word has no times and no phones. `source` tells how it is pronounced."""

    word: str
    start_time: float | None
    end_time: float | None
    score: float
    error_type: ErrorType
    phones: tuple[Phone, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Every word of the script in order, and the whole. Scores are 0 to 1, times seconds of the recording.

    `inserted` is speech that belongs to no word. `completeness` is the share of words that were said and `match` how
    surely it was this script at all. Rates are syllables a second, with and without the pauses.
    """

    words: tuple[SpokenWord, ...]
    inserted: tuple[tuple[float, float], ...]
    pauses: tuple[tuple[float, float], ...]
    accuracy: float
    fluency: float
    prosodic: float
    total: float
    completeness: float
    match: float
    speech_rate: float
    articulation_rate: float
    calibration: str


class Pronouncer:
    """Scores recordings. Holds the models: make one a process, at its start."""

    def assess(self, samples: NDArray[np.float32], words: Sequence[str]) -> Pronunciation:
        """What was said of `words` in mono sound at 16 kHz, -1 to 1. The same input, the same output.

        Raises NoSpeech and AlignmentFailed.
        """
        if not words:
            raise AlignmentFailed("The script has no words.")
        voice = listen((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        if not (voice.voiced & voice.active).any():
            raise NoSpeech("No voice was found in the recording.")
        expected = windows([Word(word, None, None) for word in words])
        placed = align(voice.active, expected, None)
        said = []
        for word, window in zip(words, expected, strict=True):
            start, end = placed.place(window)
            inside = voice.active[max(0, round(start / HOP_S)) : max(0, round(end / HOP_S))]
            score = float(inside.mean()) if len(inside) else 0.0
            said.append(SpokenWord(word, start, end, score, "None" if score >= 0.5 else "Omission", (), "rules"))
        share = float(np.mean([word.score for word in said]))
        rate = len(words) / (len(samples) / RATE)
        return Pronunciation(tuple(said), (), (), share, share, share, share, share, share, rate, rate, "uncalibrated")


def overall(pronunciation: Pronunciation, *, intonation: float | None, timing: float | None) -> float:
    """One figure for the take: mostly pronunciation, with intonation and timing where there is a reference.

    Scaled down by what is missing of the script, and by doubt that it was this script at all.
    """
    parts = [(0.75, pronunciation.total), (0.125, intonation), (0.125, timing)]
    present = [(weight, value) for weight, value in parts if value is not None]
    mean = sum(weight * value for weight, value in present) / sum(weight for weight, _ in present)
    return mean * pronunciation.completeness * pronunciation.match
