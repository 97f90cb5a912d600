"""Lanes and races: who runs, and what runs together.

A *race* is one piece of work. Its *lanes* are those who do it: floors, trio_otp in one or several
ways, peers. All lanes of a race take turns, so what disturbs the machine disturbs all of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .measure import Measure, Sample

OURS = "trio_otp"


class Kind(enum.Enum):
    """What a lane is there for."""

    FLOOR = "floor"
    OURS = "ours"
    PEER = "peer"


class LaneFailed(Exception):
    """A lane has not done its work; it leaves the race."""


@dataclass(frozen=True)
class Lane:
    """One who takes part: it does n things and says how long they took."""

    kind: Kind
    name: str  # of the floor or the peer; for ours it tells the rows of a race apart
    title: str
    run: Callable[[int], Sample]
    scale: int = 1  # it does so many times what the others do

    @property
    def contestant(self) -> str:
        """The name by which a contestant is chosen on the command line."""
        return OURS if self.kind is Kind.OURS else self.name


class Sizes(NamedTuple):
    """How many things a lane does in one round, and how many rounds there are."""

    full: int
    quick: int
    rounds: int = 15
    quick_rounds: int = 5


@dataclass(frozen=True)
class Race:
    """One piece of work, and who does it in this process; peers that know its name join."""

    name: str
    title: str
    what: str  # is counted
    measure: Measure
    sizes: Sizes
    lanes: tuple[Lane, ...]
    note: str = ""
    grows: bool = False  # the lanes differ in their scale alone, and what counts is how they differ
    warm_up: bool = True
    in_quick: bool = True
    on_request: bool = False


def floor(name: str, title: str, work: Callable[[int], Awaitable[Sample]]) -> Lane:
    """Make a lane of a floor, which gets a Trio run of its own in each round."""

    def run(n: int) -> Sample:
        return trio.run(work, n)

    return Lane(Kind.FLOOR, name, title, run)


def growing(work: Callable[[int], Awaitable[Sample]]) -> tuple[Lane, ...]:
    """Make the lanes of a race that asks how the cost grows with the number."""

    def run(n: int) -> Sample:
        return trio.run(work, n)

    return tuple(Lane(Kind.OURS, f"{k}n", f"{k}n", run, k) for k in (1, 2, 4, 8))


def ours(name: str, title: str, work: Callable[..., Awaitable[Sample]], *args: Any) -> Lane:
    """Make a lane of trio_otp: `work(n, *args)` in a Trio run of its own."""

    def run(n: int) -> Sample:
        sample: Sample = trio.run(work, n, *args)
        return sample

    return Lane(Kind.OURS, name, title, run)
