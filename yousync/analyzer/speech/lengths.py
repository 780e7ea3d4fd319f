"""How long phones take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long phones take when said well: mean and deviation of the logarithm of their frames, by phone number."""

    mean: Doubles
    deviation: Doubles

    def stretch(self, phones: Ints, frames: Ints) -> Doubles:
        """How many deviations longer than usual each phone is."""
        return np.asarray((np.log(frames) - self.mean[phones]) / self.deviation[phones])

    def expected(self, phones: Ints) -> float:
        """The logarithm of the frames that all of them take together."""
        return float(np.log(np.exp(self.mean[phones]).sum()))
