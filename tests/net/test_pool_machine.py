"""Whatever happens to a pool, in whatever order, no worker is lost and nobody waits in vain."""

from __future__ import annotations

import logging
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
import trio
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_model import PoolModel
from pool_storm import Storm
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Iterator

shapes = st.tuples(st.integers(1, 4), st.integers(0, 3), st.sampled_from([0.0, 10.0, math.inf]))


@settings(max_examples=few(200))
@given(shapes, st.randoms(use_true_random=False), st.integers(1, 60))
def test_the_core_keeps_its_rules(
    shape: tuple[int, int, float], chance: random.Random, steps: int
) -> None:
    """Each decision is checked when it is taken; hypothesis finds the shortest way to break it."""
    model = PoolModel(chance, *shape)
    for _ in range(steps):
        model.step()
    model.calm_down()


def million(faults: int) -> None:
    chance, done = random.Random(faults), 0
    while done < faults:
        idle = chance.choice([0.0, 10.0, math.inf])
        model = PoolModel(chance, chance.randint(1, 8), chance.randint(0, 4), idle)
        for _ in range(1000):
            model.step()
        model.calm_down()
        assert model.served > 10
        done += model.faults


def test_the_core_loses_no_worker() -> None:
    """In long lives, one after the other."""
    million(20_000)


@pytest.mark.slow
def test_the_core_loses_no_worker_in_a_million_faults() -> None:
    """The same with many more."""
    million(1_000_000)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Silence the reports of everything that ends."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def storm(seed: int, faults: int, **options: Any) -> Storm:
    made = Storm(seed, faults, **options)
    trio.run(made.run, clock=MockClock(autojump_threshold=0))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_pool_loses_no_worker(seed: int) -> None:
    """Real ones, with clients that come, give up, nest, die and are late; pools are killed."""
    seen = storm(seed, 1500)
    assert seen.lent > 50
    assert all(seen.outcomes[kind] for kind in ("done", "timeout", "exited", "cancelled"))


@pytest.mark.parametrize(
    "seed",
    [pytest.param(n, marks=pytest.mark.slow if n < 2 else pytest.mark.soak) for n in range(50)],
)
def test_a_pool_loses_no_worker_in_a_million_faults(seed: int) -> None:
    """The same with many more, in pools of many shapes."""
    storm(1000 + seed, 20_000)
