"""Run races: all lanes take turns, round by round."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .lanes import Kind, Lane, LaneFailed, Race
from .statistics import Spread, difference, growth, ratio, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FEWEST: Final = 3  # rounds of a race whose time is up
SHARE: Final = 3  # of the time for a race, as for so many others: most of them need far less


@dataclass
class Times:
    """What a lane has reached: one figure for each round."""

    lane: Lane
    figures: list[float] = field(default_factory=list[float])
    failure: str = ""

    @property
    def spread(self) -> Spread:
        """The median figure and its quartiles."""
        return spread(self.figures)

    def ratio(self, to: Times) -> Spread:
        """How this lane compares to another, round by round."""
        return ratio(self.figures, to.figures)

    def more_than(self, other: Times) -> Spread:
        """By how much this lane's figures are larger than another's, round by round."""
        return difference(self.figures, other.figures)


@dataclass
class Result:
    """What came out of a race."""

    race: Race
    n: int
    times: list[Times]
    seconds: float = 0.0  # that the whole race took

    def of(self, kind: Kind) -> list[Times]:
        """Return the lanes of a kind that have finished."""
        return [times for times in self.times if times.lane.kind is kind and times.figures]

    def named(self, name: str, kind: Kind | None = None) -> Times | None:
        """Return the lane of this name, if it has finished."""
        found = (t for t in self.times if t.lane.name == name and t.figures)
        return next((t for t in found if kind in (None, t.lane.kind)), None)

    @property
    def exponent(self) -> float:
        """How the time for all of n things grows: 1 if each takes the same, however many."""
        lanes = self.of(Kind.OURS)
        return growth([(t.lane.scale, t.lane.scale / t.spread.median) for t in lanes])

    @property
    def failures(self) -> list[Times]:
        """The lanes that have left the race."""
        return [times for times in self.times if times.failure]


def run_race(
    race: Race, lanes: Iterable[Lane], n: int, rounds: int, limit: float = math.inf
) -> Result:
    """Let lanes take turns, A B C A B C; a first turn of each, a warm-up, does not count.

    After so many seconds no new round begins, but for a few that there are in any case.
    """
    result = Result(race, n, [Times(lane) for lane in lanes])
    watch = perf_counter()
    for number in range(0 if race.warm_up else 1, rounds + 1):
        if number > FEWEST and perf_counter() - watch > limit:
            break
        for times in result.times:
            if not times.failure:
                _turn(race, times, n, counts=number > 0)
    result.seconds = perf_counter() - watch
    return result


def _turn(race: Race, times: Times, n: int, *, counts: bool) -> None:
    gc.collect()
    try:
        n *= times.lane.scale
        sample = times.lane.run(n)
        if sample.count != n:
            raise LaneFailed(f"{sample.count} of {n} {race.what} were done")
    except Exception as exc:  # one lane that fails is no reason to lose the others
        times.failure = f"{type(exc).__name__}: {exc}"
        times.figures.clear()
    else:
        if counts:
            times.figures.append(race.measure.figure(sample))


def run_all(
    races: Iterable[Race],
    lanes_of: Callable[[Race], list[Lane]],
    *,
    quick: bool,
    rounds: int | None = None,
    seconds: float = math.inf,
    progress: Callable[[Result], object] = lambda _: None,
) -> list[Result]:
    """Run races one after the other, all of them in so many seconds if a few rounds allow it."""
    results, races = [], list(races)
    end = perf_counter() + seconds
    gc.collect()
    gc.freeze()  # the modules that are loaded are nobody's garbage
    try:
        for race in races:
            sizes = race.sizes
            n = sizes.quick if quick else sizes.full
            count = rounds or (sizes.quick_rounds if quick else sizes.rounds)
            others = len(races) - len(results) - 1
            limit = (end - perf_counter()) * SHARE / (SHARE + others)
            results.append(run_race(race, lanes_of(race), n, count, limit))
            progress(results[-1])
    finally:
        gc.unfreeze()
    return results
