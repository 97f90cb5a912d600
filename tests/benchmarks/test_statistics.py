"""Medians, spreads, ratios and exponents, against figures worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .measure import Measure, Sample
from .statistics import Spread, difference, growth, ratio, spread

FIGURES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=30)


def test_the_spread_of_figures_is_their_median_and_quartiles() -> None:
    """Half of the figures lie between low and high, and the median in the middle."""
    assert Spread(3, 2, 4) == spread([5, 1, 3, 2, 4])


def test_two_figures_are_their_own_spread() -> None:
    """Of fewer than three figures the smallest and the largest are given."""
    assert Spread(2, 1, 3) == spread([3, 1])


def test_the_relative_spread_is_half_the_width() -> None:
    """From 90 to 110 around 100 is ten per cent to either side."""
    assert pytest.approx(0.1) == Spread(100, 90, 110).relative


@given(FIGURES)
def test_a_median_lies_within_its_spread(figures: list[float]) -> None:
    """For any figures low <= median <= high, and all are among what was measured."""
    middle = spread(figures)

    assert min(figures) <= middle.low <= middle.median <= middle.high <= max(figures)


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which everything was slow gives the same ratio as any other."""
    assert Spread(2, 2, 2) == ratio([200, 20, 2], [100, 10, 1])


def test_differences_are_taken_round_by_round() -> None:
    """A round in which both needed a second more gives the same difference as any other."""
    assert Spread(2, 2, 2) == difference([7, 1007, 5], [5, 1005, 3])


def test_the_ratio_to_itself_is_one() -> None:
    """Whatever the figures, a lane is as fast as itself."""
    assert Spread(1, 1, 1) == ratio([3, 1, 2], [3, 1, 2])


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 2])
def test_growth_finds_the_exponent_of_a_power_law(exponent: float) -> None:
    """What grows as n**k has the exponent k."""
    points = [(n, 7 * n**exponent) for n in (10, 20, 40, 80)]

    assert pytest.approx(exponent) == growth(points)


@pytest.mark.parametrize(
    ("measure", "figure"),
    [
        (Measure.RATE, 5.0),
        (Measure.MEMORY, 0.2),
        (Measure.TIME, 0.2),
        (Measure.MESSAGES, 2.0),
        (Measure.DELAY, 2.0),
    ],
)
def test_a_measure_makes_a_figure_of_a_sample(measure: Measure, figure: float) -> None:
    """Rates are things per second, weights and times are per thing, a longest turn is itself."""
    assert pytest.approx(figure) == measure.figure(Sample(2.0, 10))
