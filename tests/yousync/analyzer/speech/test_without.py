"""What is lost without a word, against searches that were never told of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import Graph, Unit
from yousync.analyzer.speech.viterbi import best_path
from yousync.analyzer.speech.without import BothWays

SILENCE = np.array([0])
FRAMES = 18
Scores = NDArray[np.float32]


def graph(words: list[int]) -> Graph:
    """One word for each number: it is one phone of three states, whose senones are 3 * number + 1 and following."""
    units = tuple(Unit(at, 0, 0, number, (), ()) for at, number in enumerate(words))
    senones = np.array([3 * number + 1 + state for number in words for state in range(3)])
    starts, owner = np.arange(0, len(senones), 3), np.arange(len(words))
    return Graph(len(words), units, senones, np.arange(len(senones) + 1), starts, owner, starts + 2, owner)


def said(words: list[tuple[int, int]]) -> Scores:
    """Scores of a recording that says (number, frames); number -1 is silence, -2 something else."""
    rows = []
    for number, frames in words:
        for at in range(frames):
            row = np.full(10, -9.0, np.float32)
            if number >= -1:
                row[0 if number < 0 else 3 * number + 1 + min(3 * at // frames, 2)] = 0
            rows.append(row)
    return np.array(rows)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_loss_is_that_of_a_search_without_the_word(seed: int) -> None:
    scores = np.random.default_rng(seed).integers(-20, 1, (FRAMES, 10)).astype(np.float32)
    whole = best_path(scores, graph([0, 1, 2]), SILENCE)
    found = BothWays.of(scores, graph([0, 1, 2]), SILENCE)
    assert whole is not None
    path = found.path()
    assert path is not None
    assert (path.score, path.states.tolist()) == (whole.score, whole.states.tolist())
    without = found.without(scores.max(axis=1), scores.max(axis=1))
    for word in range(3):
        fewer = best_path(scores, graph([each for each in range(3) if each != word]), SILENCE)
        assert fewer is not None
        assert without.skip[word] == whole.score - fewer.score


def test_a_word_that_is_not_there_is_no_loss_and_its_neighbours_are_as_they_were() -> None:
    scores = said([(0, 9), (2, 9)])
    without = BothWays.of(scores, graph([0, 1, 2]), SILENCE).without(scores.max(axis=1), np.full(18, -1, np.float32))
    assert without.skip[1] < 0 < min(without.skip[0], without.skip[2])
    before, behind = without.sides[1]
    assert before is not None
    assert behind is not None
    assert (before.first, before.after, before.fit) == (0, 9, 0)
    assert (behind.first, behind.after, behind.fit) == (9, 18, 0)
    assert (before.phones.tolist(), before.frames.tolist()) == ([0], [9])
    assert without.sides[0][0] is without.sides[2][1] is None
    assert without.other[1, 1] <= 0, "nothing is left for other speech"


def test_a_word_said_as_another_leaves_speech_that_its_neighbours_do_not_explain() -> None:
    scores = said([(0, 6), (-2, 9), (2, 6)])
    speech = np.full(21, -1, np.float32)
    without = BothWays.of(scores, graph([0, 1, 2]), SILENCE).without(scores.max(axis=1), speech)
    assert without.other[1, 1] > 30
    assert without.span[1].tolist() == [6, 15]
    assert without.other[1, 0] > without.other[1, 1] > without.other[1, 3], "a higher toll leaves less to win"


def test_silence_in_a_words_place_is_no_speech() -> None:
    scores = said([(0, 6), (-1, 9), (2, 6)])
    without = BothWays.of(scores, graph([0, 1, 2]), SILENCE).without(scores.max(axis=1), np.full(21, -1, np.float32))
    assert without.skip[1] < 0
    assert without.other[1, 1] <= 0
    before, behind = without.sides[1]
    assert before is not None
    assert behind is not None
    assert (before.after, behind.first) == (6, 15)
