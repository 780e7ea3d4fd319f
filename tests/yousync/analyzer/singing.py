"""Voices whose pitch is known to the sample: what trackers and comparisons are checked against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.pitch import RATE

Floats = NDArray[np.float64]
FORMANTS = ((600.0, 80.0), (1300.0, 100.0), (2500.0, 150.0))


def voice(pitch: Callable[[Floats], Floats], seconds: float, *, snr_db: float = 40.0, seed: int = 0) -> Floats:
    """A vowel whose pitch at each second of an array is `pitch` of it, -1 to 1, under white noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    hz = pitch(time)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    sound = np.zeros(len(time))
    for number in range(1, 40):
        colour = sum(1 / (1 + ((number * hz - middle) / width) ** 2) for middle, width in FORMANTS) + 0.02
        sound += np.where(number * hz < 7000, np.sin(number * phase + rng.uniform(0, 6)) * colour / np.sqrt(number), 0)
    sound *= 0.1 / sound.std()
    return np.asarray(sound + rng.normal(0, 0.1 * 10 ** (-snr_db / 20), len(sound)))
