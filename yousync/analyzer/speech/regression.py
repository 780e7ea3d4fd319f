"""Evaluates what calibration fitted: a straight line plus small trees, read from JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Regression:
    """`offset` + standardised inputs times `slopes` + the leaves that the inputs fall into.

    A tree asks the same question of everybody at each of its levels: is input `features` above `limits`? So its leaf
    is the answers read as a binary number. Inputs are kept within `low` and `high`, the range that was seen.
    """

    names: tuple[str, ...]
    low: Doubles
    high: Doubles
    mean: Doubles
    deviation: Doubles
    offset: float
    slopes: Doubles
    features: Ints  # [tree, level]
    limits: Doubles  # [tree, level]
    leaves: Doubles  # [tree, 2 ** level]

    def __call__(self, inputs: Doubles) -> Doubles:
        """One number for every row."""
        inputs = np.clip(inputs, self.low, self.high)
        out = self.offset + ((inputs - self.mean) / self.deviation) @ self.slopes
        if len(self.features):
            above = inputs[:, self.features] > self.limits  # [row, tree, level]
            leaf = above @ (1 << np.arange(self.features.shape[1]))
            out = out + self.leaves[np.arange(len(self.features)), leaf].sum(axis=1)
        return np.asarray(out)

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "names": list(self.names),
            "low": _short(self.low),
            "high": _short(self.high),
            "mean": _short(self.mean),
            "deviation": _short(self.deviation),
            "offset": float(f"{self.offset:.5g}"),
            "slopes": _short(self.slopes),
            "trees": [
                [features, _short(limits), _short(leaves)]
                for features, limits, leaves in zip(self.features.tolist(), self.limits, self.leaves, strict=True)
            ],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], names: Sequence[str]) -> Self:
        """Raises ValueError when it was fitted to other inputs than `names`."""
        if value["names"] != list(names):
            raise ValueError("The coefficients were fitted to other measures; calibrate again.")
        trees = value["trees"]
        low, high, mean, deviation, slopes = (
            np.array(value[name], np.float64) for name in ("low", "high", "mean", "deviation", "slopes")
        )
        return cls(
            names=tuple(names),
            low=low,
            high=high,
            mean=mean,
            deviation=deviation,
            offset=value["offset"],
            slopes=slopes,
            features=np.array([tree[0] for tree in trees], np.int64),
            limits=np.array([tree[1] for tree in trees], np.float64),
            leaves=np.array([tree[2] for tree in trees], np.float64),
        )


def _short(values: Doubles) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
