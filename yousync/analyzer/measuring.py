"""Turns a recording and its script into the result that clients read; every figure is measured, none is a constant."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from yousync.analyzer.aligning import Alignment, align
from yousync.analyzer.voice import HOP_S, Flags, Voice, listen, runs
from yousync.analyzer.words import Line, Window, Word, windows

ENGINE = "yousync-analyzer"
VERSION = "1"
MEASURES = {
    "word_score": "how much voiced, audible speech lies in the word's window; says nothing about pronunciation",
    "text_status": "pass when speech covers at least half of the window",
    "timing_score": "how near the window's middle is to where the video has it; only when the script gives times",
    "pitch": "fundamental frequency by YIN, one value each 0.1 s",
    "speech": "where somebody speaks, by level and voicing",
    "overall_score": "mean of the word scores",
}
_VOICE_FRAMES = 8  # 80 ms of voice, less than the shortest word
_FULL_DB, _SILENT_DB = -12.0, -30.0  # a word as loud as ordinary speech; one that is lost in it
_FULL_VOICED = 0.4  # even words full of s and t are voiced for this share of their time
_COVERED = 0.5
_PUNCTUAL_S, _OFF_S = 0.1, 0.6
_PITCH_EVERY = 10  # frames: 0.1 s, as the catalogue's pitch files have it
_PAUSE_S = 0.15


class UnusableError(Exception):
    """The recording can be read but not measured; `code` and `message` go into the webhook."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def measure(pcm: bytes, line: Line) -> dict[str, Any]:
    """The result for mono 16-bit PCM at 16 kHz: contract keys first, then our own. The same input, the same output.

    `mfcc_similarity` is null: it compares with the actor's voice, which is not here. `pronunciation_score` and
    `fluency_score` are left out for the same reason. Raises UnusableError when nobody speaks.
    """
    voice = listen(pcm)
    if int((voice.voiced & voice.active).sum()) < _VOICE_FRAMES:
        raise UnusableError("no_speech", "No voice was found in the recording.")
    expected = windows(line.words)
    first = next((word.start for word, at in zip(line.words, expected, strict=True) if at.told), None)
    begins = None if first is None or line.begins is None else first - line.begins
    alignment = align(voice.active, expected, begins)
    heard = [_word(voice, word, window, alignment, begins) for word, window in zip(line.words, expected, strict=True)]
    scores = [entry["word_score"] for entry in heard]
    return {
        "overall_score": _round(float(np.mean(scores))) if scores else None,
        "word_analysis": heard,
        "summary": _summary(heard),
        "pitch": _contour(voice),
        "speech": _speech(voice, alignment, begins),
        "warnings": _warnings(voice),
        "engine": {"name": ENGINE, "version": VERSION, "measures": MEASURES},
    }


def _word(voice: Voice, word: Word, window: Window, alignment: Alignment, begins: float | None) -> dict[str, Any]:
    start, end = alignment.place(window)
    first, after = max(0, round(start / HOP_S)), min(len(voice.db), max(round(end / HOP_S), round(start / HOP_S) + 1))
    length = max(round((end - start) / HOP_S), 1)
    inside = slice(first, max(first, after))
    covered = min(1.0, float(voice.active[inside].sum()) / length)
    voiced = min(1.0, float((voice.voiced & voice.active)[inside].sum()) / length)
    levels = voice.db[inside][voice.active[inside]]
    level = float(np.percentile(levels, 75)) - voice.speech_db if len(levels) else None
    loud = 0.0 if level is None else _between(level, _SILENT_DB, _FULL_DB)
    entry: dict[str, Any] = {
        "word": word.text,
        "word_score": _round(covered * (loud + min(1.0, voiced / _FULL_VOICED)) / 2),
        "mfcc_similarity": None,
        "text_status": "pass" if covered >= _COVERED else "fail",
        "overlap_ratio": _round(covered),
        "voiced_ratio": _round(voiced),
        "level_db": None if level is None else _round(level),
        "start_time": _round(start),
        "end_time": _round(end),
    }
    if begins is not None and window.told:
        meant = begins + (window.start + window.end) / 2
        near = 1.0 - _between(abs((start + end) / 2 - meant), _PUNCTUAL_S, _OFF_S)
        entry["timing_score"] = _round(near * covered)
        entry["time_match"] = near >= _COVERED and covered >= _COVERED
    return entry


def _summary(heard: list[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "total_words": len(heard),
        "passed_words": sum(entry["text_status"] == "pass" for entry in heard),
    }
    timed = [entry["time_match"] for entry in heard if "time_match" in entry]
    if timed:
        summary |= {"time_matched_words": sum(timed), "time_accuracy": _round(sum(timed) / len(timed))}
    return summary


def _contour(voice: Voice) -> list[dict[str, float | None]]:
    """Times are seconds in the recording; each value is the middle one of its tenth of a second."""
    contour: list[dict[str, float | None]] = []
    for at in range(0, len(voice.hz), _PITCH_EVERY):
        here = voice.hz[at : at + _PITCH_EVERY]
        here = here[~np.isnan(here)]
        contour.append({"time": _round(at * HOP_S), "hz": _round(float(np.median(here))) if len(here) else None})
    return contour


def _speech(voice: Voice, alignment: Alignment, begins: float | None) -> dict[str, Any]:
    segments = runs(voice.active)
    pauses = [
        {"start_time": _round(after * HOP_S), "end_time": _round(first * HOP_S)}
        for (_, after), (first, _) in pairwise(segments)
        if (first - after) * HOP_S >= _PAUSE_S
    ]
    speech: dict[str, Any] = {
        "recording_seconds": _round(voice.seconds),
        "speech_seconds": _round(float(voice.active.sum()) * HOP_S),
        "onset": _round(segments[0][0] * HOP_S),
        "end": _round(segments[-1][1] * HOP_S),
        "segments": [{"start_time": _round(a * HOP_S), "end_time": _round(b * HOP_S)} for a, b in segments],
        "pauses": pauses,
        "pitch_median_hz": _round(float(np.nanmedian(voice.hz))),
        "tempo_ratio": _round(alignment.tempo),
    }
    if begins is not None:
        speech["start_offset"] = _round(alignment.start - begins)
    return speech


def _warnings(voice: Voice) -> list[str]:
    warnings = []
    if voice.clipped_share > 0.001:
        warnings.append("clipping")
    quiet: Flags = ~voice.active
    # Without a silent moment the background cannot be told from the voice.
    if quiet.mean() > 0.05 and voice.speech_db - float(np.median(voice.db[quiet])) < 12.0:
        warnings.append("low_snr")
    return warnings


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _round(value: float) -> float:
    """Four decimals, and never a minus zero."""
    return round(value, 4) + 0.0
