"""How well the words of a script were said: what is told of them, and who tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech import judging
from yousync.analyzer.speech.features import HOP_S, RATE
from yousync.analyzer.speech.hearing import Ear
from yousync.analyzer.speech.judging import Coefficients
from yousync.analyzer.speech.lexicon import Lexicon, Source
from yousync.analyzer.speech.model import folder, load
from yousync.analyzer.speech.reading import Reader, Reading
from yousync.analyzer.speech.viterbi import FOREIGN, runs_of

ErrorType = Literal["None", "Omission", "Insertion", "Mispronunciation"]
ENGINE = "yousync-speech"
_QUIETEST = 10 ** (-65 / 20)  # nobody speaks where even the loudest moments are below -65 dB
_LEAST_S = 0.15  # shorter than any word
_INSERTED_S = 0.15  # shorter stretches of foreign speech are breath and hesitation
_POOR_PHONE = 0.8
_CLEARLY = 2.0  # nats a frame by which another phone must fit better to be named


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
    """Scores recordings. Holds the models, some 100 MB: make one a process, at its start."""

    def __init__(self, coefficients: Coefficients | None = None) -> None:
        model = load()
        self._coefficients = coefficients or judging.shipped(model)
        self._ear = Ear(model, self._coefficients.net)
        self._lexicon = Lexicon(folder() / "cmudict-en-us.dict")

    def assess(self, samples: NDArray[np.float32], words: Sequence[str]) -> Pronunciation:
        """What was said of `words` in mono sound at 16 kHz, -1 to 1. The same input, the same output.

        What is no word, such as a dash, is told as said. Raises NoSpeech and AlignmentFailed.
        """
        pronounced = [self._lexicon.pronounce(word) for word in words]
        spoken = [at for at, each in enumerate(pronounced) if each.ways]
        if not spoken:
            raise AlignmentFailed("The script has no words.")
        if len(samples) < _LEAST_S * RATE or float(np.abs(samples).max()) < _QUIETEST:
            raise NoSpeech("No voice was found in the recording.")
        ways = [pronounced[at].ways for at in spoken]
        listening = self._ear.listen(samples, ways)
        reader = None if listening is None else Reader(self._coefficients, listening, ways)
        whole = None if reader is None else reader.whole()
        if reader is None or whole is None:
            raise AlignmentFailed("The recording is too short for the script.")
        omitted, final = reader.without_omitted(whole)
        measured, judged = whole.measured, whole.judged
        told: list[SpokenWord] = []
        for at, word in enumerate(words):
            source = pronounced[at].source
            row = spoken.index(at) if at in spoken else None
            if row is None:
                told.append(SpokenWord(word, None, None, 1.0, "None", (), source))
            elif row in omitted:
                told.append(SpokenWord(word, None, None, omitted[row], "Omission", (), source))
            else:
                told.append(self._word(word, final.rows.index(row), final, source))
        return Pronunciation(
            tuple(told),
            tuple(
                (first * HOP_S, after * HOP_S)
                for first, after in runs_of(final.heard.lenient == FOREIGN)
                if (after - first) * HOP_S >= _INSERTED_S
            ),
            measured.pauses,
            judged.whole["accuracy"],
            judged.whole["fluency"],
            judged.whole["prosodic"],
            judged.whole["total"],
            1 - len(omitted) / len(spoken),
            judged.match,
            float(measured.speech_rate),
            float(measured.articulation_rate),
            self._coefficients.version,
        )

    def _word(self, word: str, row: int, reading: Reading, source: Source) -> SpokenWord:
        evidence, judged, limits = reading.heard.evidence, reading.judged, self._coefficients.limits
        phones = []
        names = self._ear.model.phones
        for at in np.flatnonzero(evidence.word == row):
            rivals = evidence.rivals[at]
            rival = names[self._ear.spoken[int(np.argmax(rivals))]]
            mine = names[evidence.phone[at]]
            clear = rival != mine and float(evidence.fits[at, 3]) < -_CLEARLY and judged.phones[at] < _POOR_PHONE
            phones.append(
                Phone(
                    mine,
                    int(evidence.first[at]) * HOP_S,
                    int(evidence.after[at]) * HOP_S,
                    float(judged.phones[at]),
                    rival if clear else None,
                )
            )
        score = float(judged.words[row])
        wrong = judged.said[row] < limits.said or score < limits.poor
        return SpokenWord(
            word,
            phones[0].start_time,
            phones[-1].end_time,
            score,
            "Mispronunciation" if wrong else "None",
            tuple(phones),
            source,
        )


def overall(pronunciation: Pronunciation, *, intonation: float | None, timing: float | None) -> float:
    """One figure for the take: mostly pronunciation, with intonation and timing where there is a reference.

    Scaled down by what is missing of the script, and by doubt that it was this script at all.
    """
    parts = [(0.75, pronunciation.total), (0.125, intonation), (0.125, timing)]
    present = [(weight, value) for weight, value in parts if value is not None]
    mean = sum(weight * value for weight, value in present) / sum(weight for weight, _ in present)
    return mean * pronunciation.completeness * pronunciation.match
