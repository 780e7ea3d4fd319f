"""Fits a `Regression`: ridge first, then boosted symmetric trees on what is left. Seeded, so it can be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yousync.analyzer.speech.regression import Doubles, Ints, Regression

_BINS = 32


@dataclass(frozen=True, slots=True)
class Shape:
    """How much may be learned: `ridge` in rows' worth of evidence against any slope, `trees` of `depth` levels."""

    ridge: float = 10.0
    trees: int = 150
    depth: int = 3
    rate: float = 0.05
    prior: float = 20.0  # rows' worth of zeros in each leaf
    columns: float = 0.5  # share of the inputs each level may ask about
    rows: float = 0.7  # share of the rows each tree sees


def fit(
    inputs: Doubles, target: Doubles, names: Sequence[str], shape: Shape, *, seed: int, weights: Doubles | None = None
) -> Regression:
    """The regression of `target` on `inputs`."""
    random = np.random.default_rng(seed)
    weights = np.ones(len(target)) if weights is None else weights
    low, high = np.quantile(inputs, [0.002, 0.998], axis=0)
    inputs = np.clip(inputs, low, high)
    mean = np.average(inputs, axis=0, weights=weights)
    deviation = np.asarray(np.sqrt(np.average((inputs - mean) ** 2, axis=0, weights=weights)) + 1e-9, np.float64)
    deviation[deviation < 1e-6] = 1.0
    scaled = (inputs - mean) / deviation
    offset = float(np.average(target, weights=weights))
    weighted = scaled * weights[:, None]
    against = weighted.T @ scaled + shape.ridge * np.eye(inputs.shape[1])
    slopes = np.asarray(np.linalg.solve(against, weighted.T @ (target - offset)), np.float64)
    left = target - offset - scaled @ slopes
    features, limits, leaves = _boost(inputs, left, weights, shape, random)
    return Regression(tuple(names), low, high, mean, deviation, offset, slopes, features, limits, leaves)


def _boost(
    inputs: Doubles, left: Doubles, weights: Doubles, shape: Shape, random: np.random.Generator
) -> tuple[Ints, Doubles, Doubles]:
    edges = np.quantile(inputs, np.linspace(0, 1, _BINS + 1)[1:-1], axis=0)  # [bin - 1, input]
    binned = np.stack([np.searchsorted(edges[:, at], inputs[:, at], side="left") for at in range(inputs.shape[1])], 1)
    features = np.zeros((shape.trees, shape.depth), np.int64)
    limits = np.zeros((shape.trees, shape.depth))
    leaves = np.zeros((shape.trees, 2**shape.depth))
    for tree in range(shape.trees):
        seen = random.random(len(left)) < shape.rows
        some, rest, mass = binned[seen], left[seen] * weights[seen], weights[seen]
        leaf = np.zeros(len(some), np.int64)
        for level in range(shape.depth):
            columns = np.flatnonzero(random.random(inputs.shape[1]) < shape.columns)
            if not len(columns):
                columns = np.arange(inputs.shape[1])
            column, cut = _best_cut(some[:, columns], leaf, 2**level, rest, mass, shape.prior)
            features[tree, level] = columns[column]
            limits[tree, level] = edges[cut, columns[column]]
            leaf += (some[:, columns[column]] > cut) * 2**level
        sums = np.bincount(leaf, rest, 2**shape.depth)
        leaves[tree] = shape.rate * sums / (np.bincount(leaf, mass, 2**shape.depth) + shape.prior)
        whole = (inputs[:, features[tree]] > limits[tree]) @ (1 << np.arange(shape.depth))
        left = left - leaves[tree, whole]
    return features, limits, leaves


def _best_cut(binned: Ints, leaf: Ints, leaves: int, rest: Doubles, mass: Doubles, prior: float) -> tuple[int, int]:
    """The column and bin whose cut, made in all leaves at once, explains most."""
    columns = binned.shape[1]
    cell = ((np.arange(columns) * leaves)[None] + leaf[:, None]) * _BINS + binned
    size = columns * leaves * _BINS
    sums = np.bincount(cell.ravel(), np.repeat(rest, columns), size).reshape(columns, leaves, _BINS).cumsum(axis=2)
    masses = np.bincount(cell.ravel(), np.repeat(mass, columns), size).reshape(columns, leaves, _BINS).cumsum(axis=2)
    below, above = sums[..., :-1], sums[..., -1:] - sums[..., :-1]
    gain = (below**2 / (masses[..., :-1] + prior) + above**2 / (masses[..., -1:] - masses[..., :-1] + prior)).sum(
        axis=1
    )
    column, cut = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return int(column), int(cut)
