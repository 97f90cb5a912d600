"""Every lane does its work, at a size where that takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .races import RACES

if TYPE_CHECKING:
    from .lanes import Lane, Race

# The self-tests of the benchmarks took a third of the default run, so they run with the long tests.
pytestmark = pytest.mark.slow

# Pages of memory are not smaller, and a client that sends 16 requests at once sends 16.
LEAST = {"many": 300, "million": 300, "get.16": 16}
LANES = [(race, lane) for race in RACES for lane in race.lanes]


@pytest.mark.parametrize(("race", "lane"), LANES, ids=[f"{r.name}-{x.name}" for r, x in LANES])
def test_a_lane_does_what_it_is_told(race: Race, lane: Lane) -> None:
    """A lane that is told to do some things does all of them, and that takes something."""
    n = next((n for name, n in LEAST.items() if race.name.startswith(name)), 3)

    sample = lane.run(n)

    assert n == sample.count
    assert sample.amount > 0
