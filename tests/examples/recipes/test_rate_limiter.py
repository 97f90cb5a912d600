"""The limiter grants a number of permissions per period, in the order of the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp
from examples.recipes import rate_limiter
from examples.recipes.rate_limiter import Limiter

if TYPE_CHECKING:
    import pytest


async def begun(count: int, *, until: float = 100.0, **options: Any) -> list[float]:
    """Ask a number of times at once; return when each request was granted."""
    times: list[float] = []
    limiter = Limiter.at("limiter")
    start = trio.current_time()

    async def take() -> None:
        await limiter.take()
        times.append(round(trio.current_time() - start, 6))

    async with otp.open_supervisor([otp.child(Limiter, **options).having(name="limiter")]):
        with trio.move_on_after(until):
            async with trio.open_nursery() as nursery:
                for _ in range(count):
                    nursery.start_soon(take)
    return times


async def test_at_most_so_many_in_a_time(autojump_clock: Any) -> None:
    """The first ones at once, as many as the burst allows."""
    assert [0, 0.25, 0.5, 0.75, 1.0] == await begun(5, rate=4)
    assert [0, 0, 0, 0.25, 0.5] == await begun(5, rate=4, burst=3)


async def test_a_thousand_rights_take_their_time(autojump_clock: Any) -> None:
    """No rounding error lets one through early, or adds up."""
    times = await begun(1001, rate=7, burst=1, until=1000.0)
    assert [round(number / 7, 6) for number in range(1001)] == times


async def test_a_pause_gives_a_new_burst_and_no_more(autojump_clock: Any) -> None:
    """However long it was."""
    child = otp.child(Limiter, rate=1, burst=2).having(name="limiter")
    limiter = Limiter.at("limiter")
    async with otp.open_supervisor([child]):
        for pause in (0, 1000):
            await trio.sleep(pause)
            assert [True, True, False] == [await limiter.try_take() for _ in range(3)]
        await trio.sleep(1)
        assert [True, False] == [await limiter.try_take() for _ in range(2)]


async def test_a_caller_that_gives_up_costs_nobody_a_turn(autojump_clock: Any) -> None:
    """Those behind it move up; and nobody overtakes those who wait."""
    got: list[Any] = []
    limiter = Limiter.at("limiter")

    async def take(name: str, patience: float) -> None:
        with trio.move_on_after(patience):
            await limiter.take()
            got.append((name, trio.current_time() - began))

    async with otp.open_supervisor([otp.child(Limiter, rate=1).having(name="limiter")]):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for name, patience in (("a", 9), ("b", 9), ("c", 0.5), ("d", 9)):
                nursery.start_soon(take, name, patience)
                await trio.testing.wait_all_tasks_blocked()
            assert not await limiter.try_take()
    assert [("a", 0), ("b", 1), ("d", 2)] == got


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Three at once, the others one each half second."""
    await rate_limiter.main()
    printed = capsys.readouterr().out.splitlines()
    assert ["0 s: ada", "0.01 s: bob", "0.02 s: cyd"] == printed[:3]
    assert ["now or not: False", "0.5 s: dan", "1 s: eve"] == printed[3:]
