"""The pitch tracker finds what was sung, in noise too, and nothing where nobody sings."""

from __future__ import annotations

import numpy as np
import pytest

from tests.yousync.analyzer.singing import Floats, voice
from yousync.analyzer.pitch import HOP, RATE, track


def errors_st(hz: Floats, sung: Floats) -> tuple[Floats, float]:
    """Semitones off where a voice was found, and how much of the time it was."""
    truth = sung[::HOP][: len(hz)]
    found = ~np.isnan(hz[: len(truth)])
    return np.abs(12 * np.log2(hz[: len(truth)][found] / truth[found])), float(found.mean())


@pytest.mark.parametrize("base", [90.0, 110.0, 160.0, 240.0, 320.0])
@pytest.mark.parametrize("snr_db", [30.0, 10.0])
def test_a_gliding_voice_is_followed_within_a_fraction_of_a_semitone(base: float, snr_db: float) -> None:
    def glide(time: Floats) -> Floats:
        return np.asarray(base * 2 ** (np.sin(2 * np.pi * 0.9 * time) * 4 / 12))

    hz = track(voice(glide, 1.5, snr_db=snr_db))

    off, share = errors_st(hz, glide(np.arange(round(1.5 * RATE)) / RATE))
    assert share > 0.5
    assert np.mean(off > 1.0) < 0.01, "octave errors"
    assert np.median(off) < 0.1


def test_it_never_leaps_an_octave_within_a_voice() -> None:
    hz = track(voice(lambda time: 130 * 2 ** (-time / 3), 2.0, snr_db=15.0))

    leaps = np.abs(12 * np.log2(hz[1:] / hz[:-1]))
    assert np.nanmax(leaps) < 2.0


def test_silence_and_noise_have_no_pitch() -> None:
    assert np.isnan(track(np.zeros(RATE))).all()
    assert np.isnan(track(np.random.default_rng(3).normal(0, 0.1, RATE))).mean() > 0.98
    assert np.isnan(track(np.zeros(3))).all()


def test_it_stops_when_the_voice_does() -> None:
    sung = voice(lambda time: np.full_like(time, 200.0), 0.5)
    hz = track(np.concatenate([np.zeros(RATE // 2), sung, np.zeros(RATE // 2)]))

    found = np.flatnonzero(~np.isnan(hz)) * HOP / RATE
    assert found[0] == pytest.approx(0.5, abs=0.03)
    assert found[-1] == pytest.approx(1.0, abs=0.03)
