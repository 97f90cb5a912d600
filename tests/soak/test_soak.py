"""The short form of `nox -s soak`: so many rounds, in place of minutes."""

from __future__ import annotations

import pytest

from tests.soak.run import Figures, soak

ROUNDS = 1500  # after which all is full that is bounded: the ends and time-outs that are remembered


@pytest.mark.slow
async def test_a_soaked_tree_grows_by_nothing() -> None:
    """After three times as many rounds there is no more of anything."""
    whole = ROUNDS * 3
    before, after = await soak(lambda run: run.rounds >= ROUNDS, lambda run: run.rounds >= whole)
    assert (ROUNDS, whole) == (before.rounds, after.rounds)
    assert [] == after.grown_since(before, 0.05)


def test_what_has_grown_is_named() -> None:
    """What is there by chance is not; a latency never is."""
    before = Figures(60, 10, 1000, 10_000, 20_000, 12, 0.1, 0.2)
    after = Figures(600, 100, 9000, 10_400, 23_000, 12, 9.0, 9.0)
    assert ["blocks: 20,000 -> 23,000"] == after.grown_since(before, 0.05)
