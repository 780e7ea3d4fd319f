"""The search against one that tries every path."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import Graph, Unit
from yousync.analyzer.speech.viterbi import FOREIGN, PAUSE, Costs, best_path, runs_of, segments

SILENCE = 0


def graph(words: list[int]) -> Graph:
    """Each word said in as many ways as its number tells, each way one phone of three states."""
    units = tuple(Unit(word, way, 0, 0, (), ()) for word, ways in enumerate(words) for way in range(ways))
    states = 3 * len(units)
    owner = np.array([unit.word for unit in units])
    starts = np.arange(0, states, 3)
    return Graph(len(words), units, np.arange(1, states + 1), np.arange(states + 1), starts, owner, starts + 2, owner)


def gap_after(shape: Graph, node: int | None) -> int | None:
    """The gap that may come after a state or a pause; none within a word. A pause is -1 - 2 * gap - kind."""
    if node is None:
        return 0
    if node < 0:
        return (-1 - node) // 2
    return shape.units[node // 3].word + 1 if node % 3 == 2 else None


def move(shape: Graph, costs: Costs | None, before: int | None, node: int | None) -> float | None:
    """What it costs to go from one to another, or to the end; None where it cannot be."""
    starts = set(shape.starts.tolist())
    if node is not None and before is not None and (node == before or (node == before + 1 and 0 < node not in starts)):
        return 0.0 if node == before or before >= 0 else None
    gap = gap_after(shape, before)
    if gap is None or (node is not None and node >= 0 and node not in starts):
        return None
    until = shape.words if node is None else shape.units[node // 3].word if node >= 0 else (-1 - node) // 2
    toll = costs.enter if costs and node is not None and node < 0 and (-1 - node) % 2 else 0.0
    if until < gap or (until > gap and costs is None):
        return None
    return -toll - (costs.omit * (until - gap) if costs else 0.0)


def cost_of(path: tuple[int, ...], shape: Graph, costs: Costs | None) -> float | None:
    """What all moves cost, or None where one cannot be."""
    moves = [move(shape, costs, before, node) for before, node in pairwise([None, *path, None])]
    return None if None in moves else sum(each for each in moves if each is not None)


def best_of_all(
    scores: NDArray[np.float32], shape: Graph, costs: Costs | None, foreign: NDArray[np.float32] | None
) -> float | None:
    kinds = (0,) if foreign is None else (0, 1)
    choices = [*range(shape.states), *(-1 - 2 * gap - kind for gap in range(shape.words + 1) for kind in kinds)]
    best = None
    for path in product(choices, repeat=len(scores)):
        cost = cost_of(path, shape, costs)
        if cost is None:
            continue
        for at, state in enumerate(path):
            if state >= 0:
                cost += float(scores[at, state + 1])
            elif foreign is not None and (-1 - state) % 2:
                cost += float(foreign[at])
            else:
                cost += float(scores[at, SILENCE])
        best = cost if best is None else max(best, cost)
    return best


numbers = st.integers(-9, 0).map(float)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_path_is_better(data: st.DataObject) -> None:
    shape = graph(data.draw(st.sampled_from([[1], [2]])))
    frames = data.draw(st.integers(2, 4))
    scores = np.array(
        data.draw(st.lists(numbers, min_size=frames * (shape.states + 1), max_size=frames * (shape.states + 1))),
        np.float32,
    ).reshape(frames, -1)
    lenient = data.draw(st.booleans())
    foreign = np.array(data.draw(st.lists(numbers, min_size=frames, max_size=frames)), np.float32) if lenient else None
    costs = Costs(omit=data.draw(st.sampled_from([1.0, 6.0])), enter=2.0) if lenient else None
    found = best_path(scores, shape, np.array([SILENCE]), costs, foreign)
    best = best_of_all(scores, shape, costs, foreign)
    assert (None if found is None else found.score) == best


def test_words_follow_each_other_with_a_pause_where_it_is_quiet() -> None:
    shape = graph([1, 1])
    scores = np.full((9, 7), -9, np.float32)
    for at, column in enumerate([1, 2, 3, 0, 0, 4, 5, 5, 6]):
        scores[at, column] = 0
    found = best_path(scores, shape, np.array([SILENCE]))
    assert found is not None
    assert segments(found.states) == [(0, 0, 3), (PAUSE, 3, 5), (1, 5, 9)]


def test_a_word_nobody_said_is_left_out_and_what_nobody_asked_for_is_foreign() -> None:
    shape = graph([1, 1])
    scores = np.full((6, 7), -9, np.float32)
    scores[[0, 1, 2], [1, 2, 3]] = 0
    foreign = np.array([-9, -9, -9, -1, -1, -1], np.float32)
    found = best_path(scores, shape, np.array([SILENCE]), Costs(omit=5, enter=1), foreign)
    assert found is not None
    assert segments(found.states) == [(0, 0, 3), (FOREIGN, 3, 6)]
    assert best_path(scores[:2], shape, np.array([SILENCE])) is None


@given(st.lists(st.booleans(), min_size=1))
def test_runs_are_where_flags_hold(flags: list[bool]) -> None:
    runs = runs_of(np.array(flags))
    held = {at for first, after in runs for at in range(first, after)}
    assert held == {at for at, flag in enumerate(flags) if flag}
    assert all(after < first for (_, after), (first, _) in pairwise(runs))
