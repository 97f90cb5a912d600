"""Medians, spreads, ratios and growth: pure functions over figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Spread:
    """The middle of some figures, and the range in which half of them lie."""

    median: float
    low: float
    high: float

    @property
    def relative(self) -> float:
        """Half the width of that range, as a part of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def spread(figures: Sequence[float]) -> Spread:
    """Return median and quartiles; of fewer than three figures, the smallest and the largest."""
    if len(figures) < 3:
        return Spread(median(figures), min(figures), max(figures))
    low, middle, high = quantiles(figures, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratio(figures: Sequence[float], to: Sequence[float]) -> Spread:
    """Compare two lanes round by round.

    What slows one round slows both lanes in it, so the ratios of the rounds lie closer together
    than the figures. Rounds that only one of them has run are left out.
    """
    return spread([mine / theirs for mine, theirs in zip(figures, to, strict=False)])


def difference(figures: Sequence[float], less: Sequence[float]) -> Spread:
    """Compare two lanes round by round, as `ratio`, where it is what lies between that counts."""
    return spread([mine - theirs for mine, theirs in zip(figures, less, strict=False)])


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return the exponent k of the power law `amount ~ n**k` that fits best, by least squares."""
    xs = [math.log(n) for n, _ in points]
    ys = [math.log(amount) for _, amount in points]
    middle_x, middle_y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    over = math.fsum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return over / math.fsum((x - middle_x) ** 2 for x in xs)
