"""Ctrl-C at every line where it can get in: the program ends by it, and nothing is left.

`test_ctrl_c` looks at the sync functions one by one, `test_cancellation` presses it between two
steps of a task. Here it hits any line of the library that is not protected, while programs run and
end.
"""

from __future__ import annotations

import gc
import logging
import random
import warnings
from typing import TYPE_CHECKING

import pytest
import trio
from async_kit import CASES, world
from inside import OrderedNursery
from interrupt_programs import PROGRAMS, REAL
from interrupt_sweep import Counting, Ended, Interrupt, run

if TYPE_CHECKING:
    from collections.abc import Iterator

# A Ctrl-C between the call of an async function and its `await`.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
SOME = 8  # lines of each program in a run without `-m slow`
OURS = {**PROGRAMS, **REAL}
WAITS = {*REAL, "observer.serve"}  # for other programs or threads, of which no virtual clock knows
BARE = OURS.keys() - {"starts", "locks"}  # which open nurseries, as does the world of the cases


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let nobody hear the reports of what is broken off, nor later tests of its garbage."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # see `pytestmark`
        gc.collect()


def run_with(name: str, interrupt: Interrupt) -> Ended:
    """Run one of our programs, or that of a case of a public async function."""

    def begin() -> None:
        interrupt.active = True

    async def in_world() -> None:
        async with world(begin) as w:
            await CASES[name](w)
            interrupt.active = False  # how a tree ends is seen in programs of ours

    if name in OURS:
        return run(OURS[name], interrupt, real=name in WAITS)
    return run(in_world, interrupt, real=name in WAITS, prepares=True)


def counted(name: str) -> Counting:
    """Count the lines at which Ctrl-C can get in; the program has to end well without it."""
    for _ in range(2):  # what is imported and cached at first use is no part of it
        counting = Counting()
        ended = run_with(name, counting)
    assert ended.error is None, ended.error
    return counting


def check(name: str, number: int, counting: Counting, second: int = 0) -> None:
    """Run a program with Ctrl-C at a line, and fail unless it ends by that."""
    if name in WAITS:  # for others, so that no two runs are the same
        ended = run_with(name, Interrupt(number, second))
        assert is_interrupt(name, ended.error) or not ended.pressed, ended
        return
    ended = run_with(name, Interrupt(number, second, like=counting))
    assert [counting.places[number - 1]] == ended.places[:1], f"line {number} is another one now"
    assert is_interrupt(name, ended.error), ended


def is_interrupt(name: str, error: BaseException | None) -> bool:
    """Check whether it is a Ctrl-C, bare but for a nursery that the program itself has opened."""
    if isinstance(error, BaseExceptionGroup) and name not in BARE:
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", OURS)
def test_ctrl_c_at_some_lines(name: str) -> None:
    """Wherever it gets in, the program ends by it, with every process ended."""
    counting = counted(name)
    assert counting.count > 0
    for number in chosen(random.Random(name), counting):
        check(name, number, counting)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", PROGRAMS)
def test_ctrl_c_twice(name: str) -> None:
    """A second one, at a line on the way to the end, changes nothing about that."""
    counting, chance = counted(name), random.Random(name)
    for number in chosen(chance, counting):
        check(name, number, counting, second=chance.randint(1, 60))


def chosen(chance: random.Random, counting: Counting) -> list[int]:
    return chance.sample(range(1, counting.count + 1), min(counting.count, SOME))


def test_ctrl_c_at_every_line_of_a_small_program() -> None:
    """All of them, in every run of the tests."""
    counting = counted("small")
    for number in range(1, counting.count + 1):
        check("small", number, counting)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OURS, *CASES])
def test_ctrl_c_at_every_line(name: str) -> None:
    """Wherever it gets in, the program ends by it, with every process ended."""
    counting = counted(name)
    for number in range(1, counting.count + 1):
        check(name, number, counting)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_program_that_hangs_is_named() -> None:
    """If the closing of an ordered nursery were not protected, the sweep would find it."""
    total = counted("small").count
    trio.lowlevel.disable_ki_protection(OrderedNursery.close_after)
    try:
        with pytest.raises(
            AssertionError, match=r"hangs after Ctrl-C at .*nursery\.py.* in OrderedNursery"
        ):
            run_at_all("small", total * 2)
    finally:
        trio.lowlevel.enable_ki_protection(OrderedNursery.close_after)
        gc.collect()  # what is left of that run complains here, and not in another test


def run_at_all(name: str, total: int) -> None:
    for number in range(1, total + 1):
        run_with(name, Interrupt(number))
