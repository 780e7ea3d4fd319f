"""What a recording sounds like as a whole: level, noise, pitch, pauses; figures only, never a label of a mood."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from yousync.analyzer.pitch import HOP_S
from yousync.analyzer.voice import Voice, runs

_PITCH_EVERY = 10  # frames: 0.1 s, as the catalogue's pitch files have it
_PAUSE_S = 0.15
_LOW_SNR_DB = 12.0  # below it scores fall for the noise and not for the learner
_CLIPPED_SHARE = 0.001


def contour(voice: Voice) -> list[dict[str, float | None]]:
    """Pitch each tenth of a second: the middle value of its ten frames, null where nobody has a voice."""
    out: list[dict[str, float | None]] = []
    for at in range(0, len(voice.hz), _PITCH_EVERY):
        here = voice.hz[at : at + _PITCH_EVERY]
        here = here[~np.isnan(here)]
        out.append({"time": rounded(at * HOP_S), "hz": rounded(float(np.median(here))) if len(here) else None})
    return out


def energy(voice: Voice) -> dict[str, Any]:
    """Level of the speech, how far it stands above the background, what is clipped; null without speech."""
    speech = voice.db[voice.active]
    return {
        "rms_dbfs": rounded(_mean_db(speech)) if len(speech) else None,
        "snr_db": None if (snr := _snr(voice)) is None else rounded(snr),
        "clipped": rounded(voice.clipped_share),
    }


def expression(voice: Voice) -> dict[str, Any]:
    """Height and range of the voice, range of its loudness, speech and pauses."""
    hz = voice.hz[voice.active & voice.voiced]
    levels = voice.db[voice.active]
    segments = runs(voice.active)
    pauses = [
        {"start_time": rounded(after * HOP_S), "end_time": rounded(first * HOP_S)}
        for (_, after), (first, _) in pairwise(segments)
        if (first - after) * HOP_S >= _PAUSE_S
    ]
    return {
        "recording_seconds": rounded(voice.seconds),
        "speech_seconds": rounded(float(voice.active.sum()) * HOP_S),
        "onset": rounded(segments[0][0] * HOP_S) if segments else None,
        "end": rounded(segments[-1][1] * HOP_S) if segments else None,
        "pauses": pauses,
        "pitch_median_hz": rounded(float(np.median(hz))) if len(hz) else None,
        "pitch_range_st": rounded(12 * float(np.log2(np.percentile(hz, 95) / np.percentile(hz, 5))))
        if len(hz)
        else None,
        "loudness_range_db": rounded(float(np.percentile(levels, 95) - np.percentile(levels, 10)))
        if len(levels)
        else None,
    }


def warnings_of(voice: Voice) -> list[str]:
    """What makes the scores of this recording doubtful."""
    found = []
    if voice.clipped_share > _CLIPPED_SHARE:
        found.append("clipping")
    snr = _snr(voice)
    if snr is not None and snr < _LOW_SNR_DB:
        found.append("low_snr")
    return found


def rounded(value: float) -> float:
    """Four decimals, and never a minus zero."""
    return round(value, 4) + 0.0


def _snr(voice: Voice) -> float | None:
    quiet = voice.db[~voice.active]
    if not voice.active.any():
        return None
    # Without a silent moment the softest sounds have to stand for the background, which makes it louder than it is.
    return voice.speech_db - (float(np.median(quiet)) if len(quiet) >= 0.05 * len(voice.db) else voice.noise_db)


def _mean_db(levels: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))
