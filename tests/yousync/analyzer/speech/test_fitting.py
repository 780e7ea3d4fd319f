"""Fitting and evaluating on made-up figures."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from yousync.analyzer.speech.corpus import marked, paired
from yousync.analyzer.speech.fitting import Shape, fit
from yousync.analyzer.speech.regression import Regression
from yousync.analyzer.speech.report import correlation, separation, to_the_end
from yousync.analyzer.speech.takes import Kind, Outcome

NAMES = ("straight", "bent", "noise")


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    random = np.random.default_rng(3)
    inputs = random.normal(size=(600, 3))
    return inputs, 2 * inputs[:, 0] + 3 * (np.abs(inputs[:, 1]) > 1) + random.normal(0, 0.1, 600)


def test_trees_learn_what_a_line_cannot(table: tuple[np.ndarray, np.ndarray]) -> None:
    inputs, target = table
    line = fit(inputs[:400], target[:400], NAMES, Shape(trees=0), seed=1)
    both = fit(inputs[:400], target[:400], NAMES, Shape(trees=200, rate=0.1), seed=1)
    assert correlation(line(inputs[400:]), target[400:]) < 0.9
    assert correlation(both(inputs[400:]), target[400:]) > 0.97


def test_a_fit_is_the_same_again_and_survives_json(table: tuple[np.ndarray, np.ndarray]) -> None:
    first, again = (fit(*table, NAMES, Shape(trees=20), seed=5) for _ in range(2))
    assert first.as_json() == again.as_json()
    read = Regression.from_json(orjson.loads(orjson.dumps(first.as_json())), NAMES)
    assert np.allclose(read(table[0]), first(table[0]), atol=1e-2)
    with pytest.raises(ValueError, match="calibrate again"):
        Regression.from_json(first.as_json(), ("others",))


def test_inputs_never_seen_are_taken_for_the_nearest_seen(table: tuple[np.ndarray, np.ndarray]) -> None:
    fitted = fit(*table, NAMES, Shape(trees=20), seed=5)
    assert fitted(np.full((1, 3), 1e9))[0] == fitted(fitted.high[None])[0]


def test_raters_marks() -> None:
    assert marked("B (EH0) [ L ] {R}") == [("B", 1.0), ("EH", 0.5), ("R", 0.0)]
    assert marked("TR IY0 {TS}") == [("T", 1.0), ("R", 1.0), ("IY", 1.0), ("T", 0.0), ("S", 0.0)]


def test_phones_are_paired_though_dictionaries_differ() -> None:
    theirs = [("W", 1.0), ("AH", 0.5), ("T", 0.0)]
    assert paired(["W", "AA", "T"], theirs).tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(paired(["W", "AA", "S", "T"], theirs)).tolist() == [False, False, True, False]


def test_right_and_wrong_apart() -> None:
    assert separation(np.array([0.5, 0.9]), np.array([0.1, 0.5])) == pytest.approx(0.875)


def test_what_is_omitted_in_the_end_is_counted_apart_from_what_was_said() -> None:
    def heard(*takes: tuple[Kind, int | None, set[int]]) -> list[Outcome]:
        return [Outcome(kind, at, 5 if at is None else 6, frozenset(called)) for kind, at, called in takes]

    clear = heard(("true", None, set()), ("omit", 2, {2}), ("omit", 0, {1}), ("common", 3, {3}))
    hard = heard(("true", None, {4}), ("omit", 5, set()), ("omit", 1, {1, 3}), ("common", 0, set()))
    found = to_the_end([(0.9, clear), (0.2, hard)])
    assert found["omitted_found_in_the_end"] == 0.5
    assert found["spoken_called_omitted_in_the_end"] == pytest.approx(1 / 10)
    assert found["clearly_spoken_called_omitted_in_the_end"] == 0
    assert found["omitted_found_in_clear_speech_in_the_end"] == 0.5
    assert found["common_omitted_found_in_the_end"] == 0.5
    assert found["common_omitted_found_in_clear_speech_in_the_end"] == 1
    assert found["spoken_beside_a_word_too_many_called_omitted_in_the_end"] == pytest.approx(2 / 20)
    assert found["clearly_spoken_beside_a_word_too_many_called_omitted_in_the_end"] == pytest.approx(1 / 10)
