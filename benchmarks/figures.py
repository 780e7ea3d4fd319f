"""Figures: medians, percentiles and spreads of what was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], rank: float) -> float:
    """The smallest value that at least `rank` percent of all are not above; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(rank / 100 * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle of those that are there; NaN of nothing."""
    there = [value for value in values if not math.isnan(value)]
    return statistics.median(there) if there else math.nan


@dataclass(frozen=True, slots=True)
class Spread:
    """The same figure, round by round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that counts."""
        return median(self.rounds)

    def text(self, unit: str = "") -> str:
        """The median, and from where to where the rounds went."""
        there = [value for value in self.rounds if not math.isnan(value)]
        if len(there) < 2 or number(min(there)) == number(max(there)):
            return f"{number(self.median)}{unit}"
        return f"{number(self.median)}{unit} ({number(min(there))}–{number(max(there))})"


def ratio(one: float, other: float) -> float:
    """How many times `other` goes into `one`: infinitely often where it is nothing, NaN where both are."""
    if other:
        return one / other
    return math.inf if one else math.nan


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def times(value: float) -> str:
    """A ratio for people."""
    return "–" if math.isnan(value) else f"{number(value)} ×"
