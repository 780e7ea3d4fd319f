"""Teaches a `Net` what learners' phones sound like: their own texts, laid over their recordings, say what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import build
from yousync.analyzer.speech.hearing import Listening
from yousync.analyzer.speech.model import STATES
from yousync.analyzer.speech.net import Doubles, Floats, Halves, Net, classes, inputs
from yousync.analyzer.speech.viterbi import best_path

Ints = NDArray[np.int64]
_HIDDEN = 256
_ROUNDS = 6  # through all frames
_TOGETHER = 256  # frames a step is taken for
_STEP, _WARM_UP = 1e-3, 200  # the largest step, and steps until it is reached
_KEPT = np.float32(0.8)  # share of the hidden layer that a frame is seen through while learning
_DECAY = 1e-3
_OF_SILENCE = 0.4  # share of its frames that is heard: there is plenty
_UNSEEN = 100.0  # frames that each phone is taken to have been met besides
_WELL, _FAIRLY = (0.8, 1.0), (0.5, 0.7)  # from this rating of its word on, how much a frame counts
_BADLY = 0.3  # what was said badly may be another phone
_MEMORY = (0.9, 0.99)  # Adam's (Kingma and Ba 2015), of slopes and of their squares
_TINY = 1e-8


@dataclass(frozen=True, slots=True)
class Frames:
    """A recording to learn from: how the model's phones fit each frame, what it is, and how much that counts."""

    by_phone: Halves
    classes: Ints
    counts: Floats


def frames_of(
    listening: Listening, ways: Sequence[Sequence[tuple[str, ...]]], ratings: Sequence[float]
) -> Frames | None:
    """What there is to learn from a recording of these words, each with its rating; None when it is too short."""
    ear = listening.ear
    graph = build(ear.model, ways)
    path = best_path(listening.scores, graph, ear.silence)
    if path is None:
        return None
    spoken, states = path.states >= 0, np.maximum(path.states, 0)
    column = np.full(len(ear.model.phones), len(ear.spoken))
    column[ear.spoken] = np.arange(len(ear.spoken))
    phone = column[np.array([unit.phone for unit in graph.units])[states // STATES]]
    rating = np.array(ratings)[np.array([unit.word for unit in graph.units])[states // STATES]]
    counts = np.select([rating >= least for least, _ in (_WELL, _FAIRLY)], [_WELL[1], _FAIRLY[1]], _BADLY)
    return Frames(
        listening.by_phone.astype(np.float16),
        np.where(spoken, phone * STATES + states % STATES, classes(len(ear.spoken)) - 1),
        np.where(spoken, counts, 1.0).astype(np.float32),
    )


def teach(heard: Sequence[Frames], *, seed: int) -> Net:
    """A net for these recordings; some 15 s of one core for an hour of sound."""
    random = np.random.default_rng(seed)
    size = heard[0].by_phone.shape[1]
    silence = classes(size) - 1
    seen = np.concatenate([inputs(each.by_phone) for each in heard])
    truth = np.concatenate([each.classes for each in heard])
    counts = np.concatenate([each.counts for each in heard])
    kept = (truth < silence) | (random.random(len(truth)) < _OF_SILENCE)
    seen, truth, counts = seen[kept], truth[kept], counts[kept]
    mean, deviation = seen.mean(axis=0), seen.std(axis=0) + np.float32(1e-3)
    seen -= mean
    seen /= deviation
    layers = _learn(seen, truth, counts, silence + 1, random)
    met = np.bincount(truth // STATES, counts, size + 1) + _UNSEEN
    weights = layers[0] / deviation[:, None]
    return Net(
        (weights, layers[1] - mean @ weights),
        (layers[2], layers[3]),
        np.log(met / met.sum()).astype(np.float32),
    ).rounded()


def _learn(seen: Floats, truth: Ints, counts: Floats, answers: int, random: np.random.Generator) -> list[Floats]:
    """Weights and additions of both layers, by stochastic gradient descent on the cross entropy."""
    layers = [
        _drawn(random, seen.shape[1], _HIDDEN, 1.0),
        np.zeros(_HIDDEN, np.float32),
        _drawn(random, _HIDDEN, answers, 0.1),
        np.zeros(answers, np.float32),
    ]
    pace = _Pace(layers, _ROUNDS * (len(seen) // _TOGETHER))
    for _ in range(_ROUNDS):
        order = random.permutation(len(seen))
        for at in range(0, len(order) - _TOGETHER + 1, _TOGETHER):
            some = order[at : at + _TOGETHER]
            through = (random.random((_TOGETHER, _HIDDEN), np.float32) < _KEPT).astype(np.float32) / _KEPT
            pace.step(_slopes(layers, seen[some], truth[some], counts[some], through))
    return layers


def _slopes(layers: list[Floats], seen: Floats, truth: Ints, counts: Floats, through: Floats) -> list[Floats]:
    """How the mean cross entropy of some frames grows with each weight."""
    hidden = np.maximum(seen @ layers[0] + layers[1], 0) * through
    wrong = hidden @ layers[2] + layers[3]
    wrong -= wrong.max(axis=1, keepdims=True)
    np.exp(wrong, out=wrong)
    wrong /= wrong.sum(axis=1, keepdims=True)
    wrong[np.arange(len(truth)), truth] -= 1
    wrong *= (counts / len(truth))[:, None]
    back = (wrong @ layers[2].T) * (hidden > 0) * through
    return [seen.T @ back, back.sum(axis=0), hidden.T @ wrong, wrong.sum(axis=0)]


class _Pace:
    """Adam: steps as long as slopes have been steady; they grow at first, then shrink to nothing along a cosine."""

    def __init__(self, layers: list[Floats], steps: int) -> None:
        self._layers, self._steps, self._done = layers, steps, 0
        self._slopes = [np.zeros_like(layer) for layer in layers]
        self._squares = [np.zeros_like(layer) for layer in layers]

    def step(self, slopes: list[Floats]) -> None:
        """Moves all weights a little downhill."""
        self._done += 1
        size = _STEP * min(1.0, self._done / _WARM_UP) * (1 + np.cos(np.pi * self._done / self._steps)) / 2
        first, second = (1 - memory**self._done for memory in _MEMORY)
        for layer, slope, steady, square in zip(self._layers, slopes, self._slopes, self._squares, strict=True):
            steady[...] += np.float32(1 - _MEMORY[0]) * (slope - steady)
            square[...] += np.float32(1 - _MEMORY[1]) * (slope**2 - square)
            moved = (steady / np.float32(first)) / (np.sqrt(square / np.float32(second)) + np.float32(_TINY))
            layer[...] -= np.float32(size) * (moved + np.float32(_DECAY) * layer)


def _drawn(random: np.random.Generator, rows: int, columns: int, share: float) -> Floats:
    drawn: Doubles = random.normal(0, np.sqrt(2 / rows) * share, (rows, columns))
    return drawn.astype(np.float32)
