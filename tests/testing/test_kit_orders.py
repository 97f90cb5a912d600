"""The order of tasks: a seed fixes it, and many seeds find what one order hides."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio._core import _run as trio_loop
from trio.testing import MockClock

import trio_otp as otp
from trio_otp.testing import explore, task_order

WORDS = "abcdefgh"


async def order(rounds: int = 3) -> list[str]:
    """Tell in which order tasks run that can all run at once."""
    done: list[str] = []

    async def put(word: str) -> None:
        for _ in range(rounds):
            done.append(word)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for word in WORDS:
            nursery.start_soon(put, word)
    return done


def run(seed: int) -> list[str]:
    with task_order(seed):
        return trio.run(order, clock=MockClock(autojump_threshold=0))


def test_a_seed_gives_one_order_and_others_give_others() -> None:
    """The same seed, the same order, whatever ran before; each round has an order of its own."""
    orders = [run(seed) for seed in range(20)]

    assert orders == [run(seed) for seed in range(20)]
    assert len({tuple(done) for done in orders}) == 20
    first, second, third = (orders[0][n : n + 8] for n in (0, 8, 16))
    assert sorted(WORDS) == sorted(first) == sorted(second) == sorted(third)
    assert first != second != third


async def test_the_order_can_be_fixed_inside_of_a_run(autojump_clock: Any) -> None:
    """From where the block begins the order is that of the seed."""
    orders = []
    for _ in range(2):
        with task_order(3):
            orders.append(await order())
    assert orders[0] == orders[1]


@pytest.mark.parametrize("was", [True, False])
def test_everything_is_as_before_after_the_block(
    was: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it raises: neither the switch nor the random numbers of others have changed."""
    monkeypatch.setattr(trio_loop, "_ALLOW_DETERMINISTIC_SCHEDULING", was)
    state = trio_loop._r.getstate()

    def fail() -> None:
        with task_order(1):
            assert trio_loop._ALLOW_DETERMINISTIC_SCHEDULING
            trio_loop._r.random()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state == trio_loop._r.getstate()
    assert was is trio_loop._ALLOW_DETERMINISTIC_SCHEDULING


@given(seed=st.integers())
def test_hypothesis_may_draw_the_seed(seed: int) -> None:
    """Any whole number is a seed, and hypothesis, which sets Trio's as well, is in nobody's way."""
    assert run(seed) == run(seed)


@pytest.mark.parametrize("seed", ["x", None, 1.5, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    """Something else is refused."""
    with pytest.raises(TypeError, match=r"seed=.*: expected a whole number"), task_order(seed):
        pass


def test_a_trio_that_has_no_such_switch_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no public part of Trio; if it goes, nobody is to believe that the order is fixed."""
    monkeypatch.delattr(trio_loop, "_ALLOW_DETERMINISTIC_SCHEDULING")
    with pytest.raises(RuntimeError, match=r"Trio [\d.]+ has no _ALLOW_.*: its order cannot be"):
        run(1)


# -- explore ---------------------------------------------------------------------------------------


async def second_first() -> None:
    """Fail if of two tasks the second one runs first."""
    done: list[int] = []

    async def put(number: int) -> None:
        done.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, 1)
        nursery.start_soon(put, 2)
    assert done == [1, 2]


def failure(*args: Any, **options: Any) -> BaseException:
    with pytest.raises(AssertionError) as caught:
        explore(*args, **options)
    return caught.value


def test_explore_finds_the_order_that_fails_and_says_its_seed() -> None:
    """The error of the test has the seed as a note, and that seed fails each time."""
    note = failure(second_first, runs=100).__notes__[0]
    seed = int(note.partition("seed ")[2].partition(",")[0])

    assert note == (
        f"explore: failed with seed {seed}, after {seed} of 100 runs that passed; to repeat it "
        f"write\n    explore(second_first, seeds=[{seed}])"
    )
    for _ in range(3):
        again = failure(second_first, seeds=[seed]).__notes__[0]
        assert again.startswith(f"explore: failed with seed {seed}, after 0 of 1 runs")
    explore(second_first, seeds=range(seed))


def test_explore_gives_arguments_and_shows_them() -> None:
    """What follows the test is given to it, and stands in the line that repeats it."""

    async def fails(number: int, text: str) -> None:
        await trio.lowlevel.checkpoint()
        assert (number, text) == (1, "other")

    assert "    explore(fails, 1, 'text', seeds=[0])" in failure(fails, 1, "text").__notes__[0]


def test_explore_runs_each_seed_once_in_virtual_time() -> None:
    """Each run is one of its own, starts at zero and takes no real time."""
    runs: list[tuple[float, int]] = []

    async def test() -> None:
        runs.append((trio.current_time(), otp.process_count()))
        await trio.sleep(1000)

    explore(test, runs=5)
    explore(test, seeds=[7])
    assert [(0, 0)] * 6 == runs


def test_explore_notices_a_standstill() -> None:
    """A test that waits for what never comes fails, with the seed, instead of waiting for ever."""

    async def test() -> None:
        await trio.sleep_forever()

    with pytest.raises(trio.TooSlowError) as caught:
        explore(test, runs=5, seconds=10)
    assert "explore: failed with seed 0" in caught.value.__notes__[0]


async def test_explore_is_for_plain_functions() -> None:
    """Inside of a run there can be no other one."""
    with pytest.raises(RuntimeError, match="call it from a plain `def test_"):
        explore(order)


@pytest.mark.parametrize("test", [lambda: 5, "test"])
def test_explore_is_for_async_functions(test: Any) -> None:
    """Something else is refused."""
    with pytest.raises(TypeError, match="expected "):
        explore(test)


@pytest.mark.parametrize("options", [{"runs": 0}, {"runs": "x"}, {"seconds": -1}])
def test_wrong_numbers_are_refused(options: Any) -> None:
    """The text says what is accepted."""
    with pytest.raises(ValueError, match="expected"):
        explore(order, **options)
