"""Applications that are cancelled, interrupted or cut short at every single step of their life."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from application_kit import Traced, Weak, Web, ctrl_c, empty_log, log, running
from inside import controller, runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ctrl_c", "empty_log"]

SOME = pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])  # steps


class AtStep(trio.abc.Instrument):
    """Does something after the n-th step that any task takes."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        self.left = step
        self.action = action

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.action()


async def life() -> None:
    """Start, stop, restart a worker: everything an application goes through."""
    async with otp.open_application(Web):
        await otp.application.start(Weak)
        await otp.application.stop(Weak)
        otp.cast("base1", RuntimeError("restarted"))
        await trio.testing.wait_all_tasks_blocked()


def check_nothing_is_left() -> None:
    assert {} == runtime().processes
    assert [] == otp.registered()
    assert [] == running()
    assert {} == controller().masters
    assert [] == controller().blocks


def count_steps(program: Callable[[], object]) -> int:
    """Tell how many steps a program takes that nothing disturbs."""
    counter = AtStep(0, lambda: None)
    trio.run(program, instruments=[counter])  # type: ignore[arg-type]
    log.clear()
    return -counter.left


def check_order() -> None:
    """Whatever was up went down, prep_stop before, stop after it, and the first start last."""
    names = {kind: [entry[1] for entry in log if entry[0] == kind] for kind in KINDS}
    assert sorted(names["up"]) == sorted(names["down"])
    assert names["prep_stop"] == names["stop"]
    assert all(entry[2] == 0 for entry in log if entry[0] == "stop")
    assert names["stop"] in ([], ["base"], ["web", "base"], ["weak", "web", "base"])


KINDS = ("start", "up", "prep_stop", "down", "stop")


@SOME
def test_cancelled_at_every_step(every: int) -> None:
    """A block cancelled at any moment stops what has started in order, and leaves nothing."""

    async def program(scope: trio.CancelScope) -> None:
        with scope:
            await life()
        check_nothing_is_left()

    steps = count_steps(life)
    assert steps > 50
    for step in range(1, steps, every):
        scope = trio.CancelScope()
        log.clear()
        trio.run(program, scope, instruments=[AtStep(step, scope.cancel)])
        check_order()


@SOME
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_at_every_step(every: int) -> None:
    """Ctrl-C in plain Trio code, at any moment, stops in order what has started."""

    async def program() -> None:
        try:
            await life()
        finally:
            check_nothing_is_left()

    for step in range(1, count_steps(life), every):
        log.clear()
        press = AtStep(step, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            trio.run(program, instruments=[press])
        check_order()


@SOME
def test_cut_short_at_every_step(every: int) -> None:
    """Killing what is left, at any moment, ends it, and a program does not call that a good end."""

    class Slow(Traced):
        async def stop(self) -> None:
            await trio.lowlevel.checkpoint()

    async def program(scope: trio.CancelScope) -> bool:
        with scope:
            async with otp.open_application(Web), otp.open_application(Slow):
                scope.cancel()
                await trio.lowlevel.checkpoint()
        check_nothing_is_left()
        return controller().clean

    def cut_short(scope: trio.CancelScope, cut: list[str]) -> None:
        cut += controller().masters
        scope.cancel()
        for block in controller().blocks:
            block.cut()

    for step in range(1, count_steps(partial(program, trio.CancelScope())), every):
        log.clear()
        scope = trio.CancelScope()
        cut: list[str] = []
        action = partial(cut_short, scope, cut)
        clean = trio.run(program, scope, instruments=[AtStep(step, action)])
        assert not (clean and cut), step
