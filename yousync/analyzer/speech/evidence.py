"""What the aligned frames say of every phone: how well it fits, what would have fitted better, how long it took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import Graph
from yousync.analyzer.speech.model import STATES, Model
from yousync.analyzer.speech.viterbi import segments

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Scores = NDArray[np.float16] | NDArray[np.float32]
FITS = ("aligned", "best", "posterior", "sharp", "worst", "margin")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row a phone of the path, in order. `fits` has a column for each of FITS; higher is better throughout.

    `rivals` is how well every phone of the language fits these frames, in nats a frame below the best.
    """

    unit: Ints
    word: Ints
    phone: Ints
    first: Ints
    after: Ints
    fits: Floats
    rivals: Floats

    @property
    def frames(self) -> Ints:
        """How long each phone took."""
        return self.after - self.first


class PhoneScores:
    """Reduces senone scores to phones."""

    def __init__(self, model: Model) -> None:
        self._order = np.argsort(model.owner, kind="stable")
        self._starts = np.searchsorted(model.owner[self._order], np.arange(len(model.phones)))
        self.spoken = np.array([at for at in range(len(model.phones)) if at not in model.triphones.fillers])

    def best(self, scores: Floats) -> Floats:
        """[frame, phone]: the best senone of every spoken phone; columns as in `spoken`."""
        return np.maximum.reduceat(scores[:, self._order], self._starts, axis=1)[:, self.spoken].astype(np.float32)


def smoothed(values: Floats, reach: int) -> Floats:
    """Means over `reach` frames either side."""
    padded = np.pad(values, ((reach + 1, reach), (0, 0)), mode="edge").cumsum(axis=0, dtype=np.float64)
    return np.asarray((padded[2 * reach + 1 :] - padded[: -2 * reach - 1]) / (2 * reach + 1), np.float32)


def gather(model: Model, graph: Graph, path: Ints, scores: Scores, by_phone: Floats, spoken: Ints) -> Evidence:
    """Evidence for the phones on the path. `scores` are below 0, the best senone of each frame being 0."""
    column = np.full(len(model.phones), -1)
    column[spoken] = np.arange(len(spoken))
    found = [(unit, first, after) for unit, first, after in segments(path) if unit >= 0]
    unit = np.array([each[0] for each in found], np.int64)
    first = np.array([each[1] for each in found], np.int64)
    after = np.array([each[2] for each in found], np.int64)
    word = np.array([graph.units[each].word for each in unit], np.int64)
    phone = np.array([graph.units[each].phone for each in unit], np.int64)
    fits = np.zeros((len(found), len(FITS)), np.float32)
    rivals = np.zeros((len(found), len(spoken)), np.float32)
    for row, (number, begin, end) in enumerate(found):
        states = path[begin:end]
        aligned = np.empty(end - begin, np.float32)
        for state in range(number * STATES, number * STATES + STATES):
            here = np.flatnonzero(states == state)
            senones = graph.senones[graph.offsets[state] : graph.offsets[state + 1]]
            aligned[here] = scores[begin + here][:, senones].max(axis=1)
        phones = by_phone[begin:end]
        mine = phones[:, column[phone[row]]]
        best = phones.max(axis=1)
        means = phones.mean(axis=0)
        rivals[row] = means - means.max()
        shares = np.exp(phones - best[:, None])
        posterior = np.log(shares[:, column[phone[row]]] / shares.sum(axis=1) + 1e-4)
        other = np.delete(means, column[phone[row]]).max()
        fits[row] = (
            aligned.mean(),
            (aligned - best).mean(),
            posterior.mean(),
            (means - other)[column[phone[row]]],
            (mine - best)[len(mine) // 4 : -(len(mine) // 4) or None].mean(),
            rivals[row][column[phone[row]]],
        )
    return Evidence(unit, word, phone, first, after, fits, rivals)
