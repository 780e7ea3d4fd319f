"""Medians, percentiles, spreads and ratios."""

from __future__ import annotations

import math

import pytest

from benchmarks.figures import Spread, median, number, percentile, ratio, times


@pytest.mark.parametrize(
    ("values", "rank", "found"),
    [([3.0, 1.0, 2.0], 50, 2.0), ([1.0, 2.0, 3.0, 4.0], 50, 2.0), ([1.0, 2.0], 99, 2.0), ([7.0], 1, 7.0)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], rank: float, found: float) -> None:
    assert percentile(values, rank) == found


def test_a_hundred_values_have_their_percentiles_in_order() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, rank) for rank in (50, 99, 100)] == [50, 99, 100]


def test_nothing_has_no_percentile_and_no_median() -> None:
    assert math.isnan(percentile([], 50))
    assert math.isnan(median([]))


def test_a_median_leaves_out_rounds_without_a_figure() -> None:
    assert median([1.0, math.nan, 3.0]) == 2.0


@pytest.mark.parametrize(
    ("rounds", "text"),
    [
        ((10.0, 30.0, 20.0), "20/s (10–30)"),
        ((20.0, 20.0), "20/s"),
        ((1234.5,), "1,234/s"),
        ((math.nan, 5.0), "5/s"),
        ((math.nan,), "–/s"),
    ],
)
def test_a_spread_tells_the_median_and_how_far_the_rounds_went(rounds: tuple[float, ...], text: str) -> None:
    assert Spread(rounds).text("/s") == text


def test_a_ratio_to_nothing_is_infinite_unless_there_is_nothing_at_all() -> None:
    assert ratio(6, 2) == 3
    assert ratio(6, 0) == math.inf
    assert math.isnan(ratio(0, 0))
    assert math.isnan(ratio(math.nan, 2))
    assert math.isnan(ratio(2, math.nan))


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (1.2345, "1.23"), (12.345, "12.3"), (12345.6, "12,346"), (3.0, "3")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_ratios_for_people() -> None:
    assert [times(value) for value in (15.04, math.inf, math.nan)] == ["15.0 ×", "∞ ×", "–"]
