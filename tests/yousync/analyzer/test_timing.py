"""Timing is about when words come and how long they last; beginning the recording late is nobody's fault."""

from __future__ import annotations

import pytest

from yousync.analyzer.timing import Span, compare

THEIRS: list[Span | None] = [(10.0, 10.3), (10.3, 10.7), (10.8, 11.0), (11.0, 11.5), (11.6, 12.0)]


def moved(*, by: float = 0.0, tempo: float = 1.0) -> list[Span | None]:
    return [None if span is None else ((span[0] - 10) * tempo + by, (span[1] - 10) * tempo + by) for span in THEIRS]


def test_in_time_is_the_best_there_is_whenever_the_recording_began() -> None:
    for late in (0.0, 0.4, 3.0):
        found = compare(moved(by=late), THEIRS)
        assert found is not None
        assert found.score == pytest.approx(1.0)
        assert found.offset_s == pytest.approx(late - 10)
        assert all(word is not None and word.matches and word.overlap > 0.99 for word in found.words)


def test_slower_and_faster_lose_and_are_told() -> None:
    slower, faster = compare(moved(tempo=1.25), THEIRS), compare(moved(tempo=0.8), THEIRS)

    assert slower is not None
    assert faster is not None
    assert 0.5 < slower.score < 0.8
    assert 0.5 < faster.score < 0.8
    assert slower.tempo_ratio == pytest.approx(1.25)
    assert faster.tempo_ratio == pytest.approx(0.8)
    assert slower.rhythm_deviation == pytest.approx(0.0, abs=1e-6)


def test_one_word_out_of_its_place_is_the_one_that_loses() -> None:
    mine = moved()
    mine[3] = (1.0, 2.3)

    found = compare(mine, THEIRS)

    assert found is not None
    scores = [word.score for word in found.words if word]
    assert scores.index(min(scores)) == 3
    assert not (found.words[3] and found.words[3].matches)
    assert found.rhythm_deviation > 0.2


def test_a_word_that_was_left_out_is_not_in_time_and_an_untimed_one_has_no_time() -> None:
    mine = moved()
    mine[1] = None
    theirs = list(THEIRS)
    theirs[4] = None

    found = compare(mine, theirs)

    assert found is not None
    assert found.words[1] is not None
    assert found.words[1].score == 0.0
    assert not found.words[1].matches
    assert found.words[4] is None


def test_nothing_in_common_is_nothing_to_say() -> None:
    assert compare([None, (0.0, 1.0)], [(0.0, 1.0), None]) is None
    assert compare([], []) is None


def test_a_single_word_has_a_length_at_least() -> None:
    found = compare([(0.0, 0.6)], [(5.0, 5.3)])

    assert found is not None
    assert 0.0 < found.score < 0.6
