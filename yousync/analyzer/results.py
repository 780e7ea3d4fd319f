"""The result that clients read, put together from what was measured; nothing in it is a constant.

`analyze` is what the server, `yousync analyzer score` and `evaluate` all call. The keys that frontends read come
first; what is beyond them may be ignored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer import intonation, timing
from yousync.analyzer.pitch import HOP_S
from yousync.analyzer.pronunciation import NoSpeech, Pronouncer, Pronunciation, SpokenWord, overall
from yousync.analyzer.reference import Reference
from yousync.analyzer.sounding import contour, energy, expression, rounded, warnings_of
from yousync.analyzer.voice import Voice, listen
from yousync.analyzer.words import Line

ENGINE = "yousync-analyzer"
VERSION = "2"
CLAIMS = (
    "A reference, not a judge: scores say how this recording ranks among learners' recordings, as human raters would. "
    "A single phone is a hint. See docs/analysis.md."
)
_MISMATCH = 0.5
_VOICE_FRAMES = 8  # 80 ms of voice, less than the shortest word
_HESITATION_S = 0.4


def analyze(
    pronouncer: Pronouncer,
    samples: NDArray[np.float32],
    line: Line,
    reference: Reference | None = None,
    *,
    truncated: bool = False,
) -> dict[str, Any]:
    """The result for mono sound at 16 kHz, -1 to 1: the same input, the same output.

    `reference` has one entry for each of the line's words. Without it `mfcc_similarity` and the intonation are null:
    there is nothing to compare with. `truncated` says that the file promised more sound than it held. Raises
    SpeechError, NoSpeech among it, when there is nothing to score.
    """
    voice = listen((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    heard = _assessed(pronouncer, samples, [word.text for word in line.words])
    if heard.match < _MISMATCH and int((voice.voiced & voice.active).sum()) < _VOICE_FRAMES:
        raise NoSpeech("No voice was found in the recording.")
    spans = _spans(heard.words)
    pitch = intonation.Track(
        np.arange(len(voice.hz), dtype=np.float64) * HOP_S, np.where(voice.active, voice.hz, np.nan)
    )
    melody = None
    compared = reference is not None and reference.pitch is not None
    if reference and reference.pitch:
        melody = intonation.compare(pitch, spans, reference.pitch, reference.words)
    times = timing.compare(spans, reference.words) if reference else None
    gate = heard.completeness * heard.match
    words = [_word(heard, at, melody, times) for at in range(len(heard.words))]
    return {
        "overall_score": rounded(
            overall(
                heard,
                intonation=None if melody is None else melody.score,
                timing=None if times is None else times.score,
            )
        ),
        "word_analysis": words,
        "summary": _summary(words),
        "failure_analysis": _failures(words),
        "pronunciation_score": rounded(heard.total),
        "accuracy_score": rounded(heard.accuracy),
        "fluency_score": rounded(heard.fluency),
        "prosody_score": rounded(heard.prosodic),
        "completeness_score": rounded(heard.completeness),
        "match_score": rounded(heard.match),
        "intonation_score": None if melody is None else rounded(melody.score * gate),
        "timing_score": None if times is None else rounded(times.score * gate),
        "intonation": None if melody is None else _melody(melody),
        "timing": None if times is None else _times(times, line),
        "insertions": [
            {"start_time": rounded(start), "end_time": rounded(end), "error_type": "Insertion"}
            for start, end in heard.inserted
        ],
        "pitch": contour(voice),
        "speech": expression(voice)
        | {"speech_rate": rounded(heard.speech_rate), "articulation_rate": rounded(heard.articulation_rate)},
        "energy": energy(voice),
        "warnings": _warnings(voice, heard, melody, compared=compared, truncated=truncated),
        "engine": {"name": ENGINE, "version": VERSION, "calibration": heard.calibration, "claims": CLAIMS},
    }


def _assessed(pronouncer: Pronouncer, samples: NDArray[np.float32], words: Sequence[str]) -> Pronunciation:
    """All words of the script, also those that nobody can say, such as a dash: they share their neighbour's fate."""
    speakable = [at for at, word in enumerate(words) if any(letter.isalnum() for letter in word)]
    heard = pronouncer.assess(samples, [words[at] for at in speakable])
    if len(speakable) == len(words):
        return heard
    nearest = np.clip(np.searchsorted(speakable, range(len(words)), side="right") - 1, 0, None)
    said = [heard.words[at] for at in nearest]
    return replace(
        heard,
        words=tuple(
            one if at in speakable else SpokenWord(word, None, None, one.score, one.error_type, (), one.source)
            for at, (word, one) in enumerate(zip(words, said, strict=True))
        ),
    )


def _spans(words: Sequence[SpokenWord]) -> list[intonation.Span | None]:
    """When each word was said; None for those that were not."""
    return [
        None
        if word.error_type == "Omission" or word.start_time is None or word.end_time is None
        else (word.start_time, word.end_time)
        for word in words
    ]


def _word(
    heard: Pronunciation, at: int, melody: intonation.Intonation | None, times: timing.Timing | None
) -> dict[str, Any]:
    word = heard.words[at]
    entry: dict[str, Any] = {
        "word": word.word,
        "word_score": rounded(word.score),
        "mfcc_similarity": _intonation_of(word, heard, melody, at),
        "text_status": "pass" if word.error_type == "None" else "fail",
        "pronunciation_score": rounded(_phones_score(word)),
        "fluency_score": rounded(_fluency(heard, at)),
        "start_time": None if word.start_time is None else rounded(word.start_time),
        "end_time": None if word.end_time is None else rounded(word.end_time),
        "error_type": word.error_type,
        "pronounced_by": word.source,
        "phones": [
            {
                "phone": phone.phone,
                "score": rounded(phone.score),
                "sounds_like": phone.sounds_like,
                "start_time": rounded(phone.start_time),
                "end_time": rounded(phone.end_time),
            }
            for phone in word.phones
        ],
    }
    placed = times.words[at] if times else None
    if placed is not None:
        entry |= {
            "timing_score": rounded(placed.score),
            "time_match": placed.matches,
            "overlap_ratio": rounded(placed.overlap),
        }
    if melody is not None:
        mine, theirs = melody.points[at]
        entry |= {"pitch_st": _semitones(mine), "reference_pitch_st": _semitones(theirs)}
    return entry


def _intonation_of(
    word: SpokenWord, heard: Pronunciation, melody: intonation.Intonation | None, at: int
) -> float | None:
    """The word's own; the whole's for a word of which too little is voiced; nothing for one that was not said.

    Another sentence may rise and fall alike, so doubt about what was said counts against it.
    """
    if melody is None:
        return None
    if word.error_type == "Omission":
        return 0.0
    own = melody.words[at]
    return rounded((melody.score if own is None else own) * heard.match)


def _phones_score(word: SpokenWord) -> float:
    return float(np.mean([phone.score for phone in word.phones])) if word.phones else word.score


def _fluency(heard: Pronunciation, at: int) -> float:
    """How far the word flows: less after a pause before it, and where it is drawn out for its sounds."""
    word = heard.words[at]
    if word.error_type == "Omission" or word.start_time is None or word.end_time is None:
        return 0.0
    before = [other.end_time for other in heard.words[:at] if other.end_time is not None]
    pause = max(0.0, word.start_time - before[-1]) if before else 0.0
    paces = [_pace(other) for other in heard.words]
    known = [pace for pace in paces if pace]
    own = paces[at]
    drawn = max(0.0, math.log(own / float(np.median(known))) - math.log(1.5)) if own and known else 0.0
    return math.exp(-pause / _HESITATION_S) * math.exp(-drawn)


def _pace(word: SpokenWord) -> float | None:
    """Seconds a phone."""
    if word.start_time is None or word.end_time is None or not word.phones or word.end_time <= word.start_time:
        return None
    return (word.end_time - word.start_time) / len(word.phones)


def _semitones(points: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(point) else round(point, 2) + 0.0 for point in points.tolist()]


def _melody(melody: intonation.Intonation) -> dict[str, float]:
    return {
        "correlation": rounded(melody.correlation),
        "rmse_st": rounded(melody.rmse_st),
        "range_ratio": rounded(melody.range_ratio),
        "dtw_st": rounded(melody.dtw_st),
    }


def _times(times: timing.Timing, line: Line) -> dict[str, float | None]:
    """`start_offset`: how late the learner comes in, where it is known when the recording began."""
    return {
        "start_offset": None if line.begins is None else rounded(times.offset_s + line.begins),
        "tempo_ratio": rounded(times.tempo_ratio),
        "rhythm_deviation": rounded(times.rhythm_deviation),
    }


def _summary(words: Sequence[dict[str, Any]]) -> dict[str, Any]:
    passed = sum(word["text_status"] == "pass" for word in words)
    timed = [word["time_match"] for word in words if "time_match" in word]
    sung = [word["mfcc_similarity"] for word in words if word["mfcc_similarity"] is not None]
    return {
        "total_words": len(words),
        "passed_words": passed,
        "text_accuracy": rounded(passed / len(words)) if words else None,
        "time_matched_words": sum(timed) if timed else None,
        "time_accuracy": rounded(sum(timed) / len(timed)) if timed else None,
        "mfcc_average": rounded(float(np.mean(sung))) if sung else None,
    }


def _failures(words: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {
        "stt_failures": [word["word"] for word in words if word["text_status"] == "fail"],
        "time_failures": [word["word"] for word in words if word.get("time_match") is False],
        "mfcc_low_quality": [
            word["word"] for word in words if word["mfcc_similarity"] is not None and word["mfcc_similarity"] < 0.5
        ],
    }


def _warnings(
    voice: Voice, heard: Pronunciation, melody: intonation.Intonation | None, *, compared: bool, truncated: bool
) -> list[str]:
    found = warnings_of(voice)
    if truncated:
        found.append("truncated_file")
    if heard.match < _MISMATCH:
        found.append("content_mismatch")
    if melody is None:
        found.append("intonation_unmeasured" if compared else "no_reference_pitch")
    return found
