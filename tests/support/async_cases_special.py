"""Special processes, and what watches a whole run, one case each."""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from async_world import Slow, World, case, steps

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Generator


@case("SpecialProcess.receive")
async def _(w: World) -> None:
    special = otp.SpecialProcess()
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await special.receive(str)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("enter_loop")
async def _(w: World) -> None:
    async def begin(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        await steps()
        await otp.enter_loop(Slow())

    w.begin()
    w.returned.append(await otp.start(otp.child(begin).having(name="new")))


@case("observer.problems")
async def _(w: World) -> None:
    w.begin()
    await otp.observer.problems()


@case("observer.serve")
async def _(w: World) -> None:
    with clock_at_rest():
        w.begin()
        w.returned.append((await otp.observer.serve(port=None)).pid)


@contextmanager
def clock_at_rest() -> Generator[None]:
    """Keep the virtual clock from jumping to the end of the test while a thread is waited for."""
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, trio.testing.MockClock):
        yield
        return
    threshold, clock.autojump_threshold = clock.autojump_threshold, math.inf
    try:
        yield
    finally:
        clock.autojump_threshold = threshold


@case("observer.start")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.observer.start(stream=io.StringIO()))
