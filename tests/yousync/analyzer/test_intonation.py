"""Intonation follows the melody: not how high somebody speaks, nor how fast, but how the voice moves."""

from __future__ import annotations

import numpy as np
import pytest

from yousync.analyzer.intonation import Intonation, Track, compare

WORDS = [(0.1, 0.4), (0.4, 0.8), (0.9, 1.1), (1.1, 1.7), (1.8, 2.2)]
STEP = 0.01
TIMES = np.arange(0, 2.4, STEP)
MELODY = 4 * np.sin(2 * np.pi * 0.7 * TIMES) - 1.5 * TIMES


def sung(semitones: np.ndarray, *, hz: float = 200.0, every: int = 1) -> Track:
    return Track(TIMES[::every], (hz * 2 ** (semitones / 12))[::every])


def against(semitones: np.ndarray, hz: float = 200.0) -> Intonation:
    found = compare(sung(semitones, hz=hz), WORDS, sung(MELODY), WORDS)
    assert found is not None
    return found


def test_the_same_melody_is_the_best_there_is_at_any_height() -> None:
    for hz in (90.0, 200.0, 330.0):
        found = against(MELODY, hz=hz)
        assert found.score == pytest.approx(1.0, abs=0.01)
        assert [word == pytest.approx(1.0, abs=0.05) for word in found.words] == [True] * 5
        assert found.dtw_st < 0.05


def test_a_flat_voice_and_an_inverted_melody_score_low() -> None:
    assert against(np.zeros_like(MELODY)).score < 0.3
    inverted = against(-MELODY)
    assert inverted.score < 0.4
    assert inverted.correlation < -0.9
    assert max(word for word in inverted.words if word is not None) < 0.6


def test_half_the_range_is_between() -> None:
    assert 0.6 < against(0.5 * MELODY).score < against(0.8 * MELODY).score < 0.97


def test_one_word_sung_otherwise_lowers_that_word_and_its_neighbours_only() -> None:
    changed = MELODY.copy()
    inside = (WORDS[3][0] <= TIMES) & (WORDS[3][1] > TIMES)
    changed[inside] = changed[inside].mean() * 2 - changed[inside]

    found = against(changed)

    assert all(word == pytest.approx(1.0, abs=0.05) for word in found.words[:2])
    assert found.words[3] is not None
    assert found.words[3] < 0.6


def test_a_slower_speaker_with_the_same_melody_is_no_worse() -> None:
    slower = Track(TIMES * 1.3, 200 * 2 ** (MELODY / 12))

    found = compare(slower, [(a * 1.3, b * 1.3) for a, b in WORDS], sung(MELODY), WORDS)

    assert found is not None
    assert found.score > 0.97


def test_the_coarse_contour_of_a_pitch_file_is_enough() -> None:
    found = compare(sung(MELODY), WORDS, sung(MELODY, every=10), WORDS)

    assert found is not None
    assert found.score > 0.93


def test_words_that_were_not_said_or_not_voiced_have_no_figure_of_their_own() -> None:
    hz = 200 * 2 ** (MELODY / 12)
    hz[(TIMES > 0.85) & (TIMES < 1.1)] = np.nan

    found = compare(Track(TIMES, hz), [None, *WORDS[1:]], sung(MELODY), WORDS)

    assert found is not None
    assert found.words[0] is None
    assert found.words[4] == pytest.approx(1.0, abs=0.05)
    assert np.isnan(found.points[2, 0, :6]).all()


def test_without_voice_there_is_nothing_to_compare() -> None:
    silent = Track(TIMES, np.full(len(TIMES), np.nan))

    assert compare(silent, WORDS, sung(MELODY), WORDS) is None
    assert compare(sung(MELODY), [None] * 5, sung(MELODY), WORDS) is None
    assert compare(sung(MELODY), [], sung(MELODY), []) is None
