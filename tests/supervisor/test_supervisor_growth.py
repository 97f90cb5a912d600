"""Starting and stopping n servers takes time in proportion to n.

The short test counts Python calls, which is exact but does not see loops inside of C. The long one
measures processor time for up to 10,000 named servers and prints what it found.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

    Marker = Callable[[], None]

SIZES = (2_500, 10_000)
SLACK = 2.0  # a quadratic share that matters would quadruple the time per server


class Named(otp.GenServer):
    """A server with a name and nothing to do."""


def child(number: int) -> otp.Child[Named]:
    """Describe one of many."""
    return otp.child(Named).having(name=f"n{number}")


async def under_a_supervisor(count: int, mark: Marker) -> None:
    """Start them as the children of a supervisor."""
    async with otp.open_supervisor([child(number) for number in range(count)]):
        mark()
        assert f"n{count - 1}" in runtime().names


async def under_a_dynamic_supervisor(count: int, mark: Marker) -> None:
    """Start them one by one under a dynamic supervisor."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="d")]):
        for number in range(count):
            await otp.start_child("d", child(number))
        mark()


async def in_a_nursery(count: int, mark: Marker) -> None:
    """Start them in a nursery, which is then cancelled."""
    async with trio.open_nursery() as nursery:
        for number in range(count):
            await otp.start(child(number), nursery=nursery)
        mark()
        nursery.cancel_scope.cancel()


async def of_a_killed_supervisor(count: int, mark: Marker) -> None:
    """Start them as children of a supervisor that is then killed."""
    children = [child(number) for number in range(count)]
    inner = otp.child(otp.Supervisor, children).having(name="inner", restart="temporary")
    async with otp.open_supervisor([inner]):
        mark()
        otp.exit("inner", otp.KILL)


WAYS = [under_a_supervisor, under_a_dynamic_supervisor, in_a_nursery, of_a_killed_supervisor]


def calls(way: Any, count: int) -> list[int]:
    """Count the Python calls of starting and of stopping so many servers."""
    counted = [0]

    def count_call(frame: object, event: str, arg: object) -> None:
        if event == "call":
            counted[-1] += 1

    gc.disable()  # what it calls, finalizers and callbacks of other tests, is not counted
    sys.setprofile(count_call)
    try:
        trio.run(way, count, lambda: counted.append(0))
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted


@pytest.mark.parametrize("way", WAYS)
def test_fault_23_the_calls_for_n_servers_grow_with_n(way: Any) -> None:
    """Twice as many servers take twice as many calls, for the start and for the stop."""
    calls(way, 10)  # fills caches
    small, middle, big = (calls(way, count) for count in (20, 40, 80))
    for phase in (0, 1):
        first, second = middle[phase] - small[phase], big[phase] - middle[phase]
        assert 1.9 * first < second < 2.1 * first, (small, middle, big)


def seconds(way: Any, count: int) -> list[float]:
    """Measure the processor time of starting and of stopping so many servers: the best of three."""
    runs = [one_run(way, count) for _ in range(3)]
    return [min(phase) for phase in zip(*runs, strict=True)]


def one_run(way: Any, count: int) -> list[float]:
    gc.collect()
    gc.disable()  # it looks at all that lives, not only at what this is about
    try:
        times = [time.process_time()]
        trio.run(way, count, lambda: times.append(time.process_time()))
        times.append(time.process_time())
    finally:
        gc.enable()
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("way", WAYS)
def test_fault_23_the_time_for_n_named_servers_grows_with_n(way: Any, capsys: Any) -> None:
    """For 2,500 and for 10,000 the time per server is the same, or less than twice."""
    seconds(way, 1000)
    measured = {count: seconds(way, count) for count in SIZES}
    with capsys.disabled():
        print(f"\n{way.__name__}: microseconds per server")  # noqa: T201  (the figures)
        for count, (start, stop) in measured.items():
            line = f"{count:>7,}: start {start / count * 1e6:6.0f}, stop {stop / count * 1e6:6.0f}"
            print(line)  # noqa: T201
    for phase in (0, 1):
        each = [measured[count][phase] / count for count in SIZES]
        assert SLACK * each[0] > each[-1], each
