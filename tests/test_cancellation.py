"""Cancellation, a kill or a Ctrl-C at every step of every public async function.

Each operation is run again and again in a world of its own; at the n-th step that any task takes
something happens, until n is beyond the last step. Afterwards the world must be whole: no process,
name, request, link, monitor or timer is left of what was broken off, and the servers work.
"""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from async_kit import CASES, PUBLIC_ASYNC, Operation, World, world

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 1000  # more than any operation takes


class At(trio.abc.Instrument):
    """Does something once the tasks of a run have taken so many steps."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.left = step
        self.act = act
        self.armed = False

    def arm(self) -> None:
        """Count from now on."""
        self.armed = True
        if self.left == 0:
            self.act()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= self.armed
        if self.armed and self.left == 0:
            self.armed = False
            self.act()

    @property
    def happened(self) -> bool:
        """Check whether it was done."""
        return self.left <= 0


def run(main: Callable[[], Any], instrument: At | None = None) -> None:
    """Run on a virtual clock; what hangs for long fails."""

    async def limited() -> None:
        with trio.fail_after(10_000):
            await main()

    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(limited, clock=clock, instruments=[] if instrument is None else [instrument])


def cancelled_at(step: int, operation: Operation) -> bool:
    """Run an operation, cancelled at a step; tell whether it came to that."""
    scope = trio.CancelScope()
    at = At(step, scope.cancel)

    async def main() -> None:
        async with world(at.arm) as w:
            with scope:
                await operation(w)
            at.armed = False
            await w.check()

    run(main, at)
    return at.happened


def test_every_public_async_function_is_swept() -> None:
    """A new public async function needs a case in async_kit."""
    assert PUBLIC_ASYNC <= {name.split(":", maxsplit=1)[0] for name in CASES}


@pytest.mark.sampled(30)
@pytest.mark.parametrize("name", CASES)
def test_fault_04_cancelled_at_every_step(name: str) -> None:
    """Wherever it is cancelled, nothing is left of it and nobody else is hurt."""
    for step in range(STEPS):
        if not cancelled_at(step, CASES[name]):
            return
    pytest.fail(f"{name} took more than {STEPS} steps")


def killed_at(step: int, victim: str, operation: Operation) -> bool:
    """Run an operation while a process is killed at a step; tell whether it came to that."""
    at = At(step, lambda: otp.exit(victim, otp.KILL))

    async def main() -> None:
        async with world(at.arm) as w:
            try:
                with trio.fail_after(1000):
                    await operation(w)
            except otp.CallTimeout:
                raise
            except (otp.CallError, otp.StartError, otp.ChildError):
                pass
            at.armed = False
            await trio.sleep(100)

    run(main, at)
    return at.happened


VICTIMS = {
    "call": "server",
    "call: helper": "server",
    "call: on_call": "server",
    "stop": "server",
    "start_link": "new",
    "start_monitor": "new",
    "start_child: dynamic": "dyn",
    "ensure_child": "dyn",
    "terminate_child: dynamic": "dynamic",
    "PoolHandle.checkout": "db",
    "PoolHandle.checkout: the first": "db",
    "PoolHandle.checkout: one in another": "db",
    "RegistryHandle.lock": "reg",
    "RegistryHandle.subscribe": "reg",
    "Subscription.receive": "reg",
}


@pytest.mark.parametrize("name", VICTIMS)
def test_fault_01_killed_at_every_step(name: str) -> None:
    """Whenever the process it talks to is killed, an operation ends with a result or an error."""
    for step in range(STEPS):
        if not killed_at(step, VICTIMS[name], CASES[name]):
            return
    pytest.fail(f"{name} took more than {STEPS} steps")


def interrupted_at(step: int, operation: Operation) -> bool:
    """Run an operation and press Ctrl-C at a step; tell whether it came to that."""
    at = At(step, lambda: signal.raise_signal(signal.SIGINT))
    seen: list[Any] = []

    async def main() -> None:
        from inside import runtime

        seen.append(runtime())
        async with world(at.arm) as w:
            await operation(w)
            at.armed = False

    try:
        run(main, at)
    except (KeyboardInterrupt, BaseExceptionGroup) as exc:
        if not contains_interrupt(exc):
            raise
    assert {} == seen[0].processes
    assert {} == seen[0].names
    return at.happened


def contains_interrupt(exc: BaseException) -> bool:
    """Check whether a Ctrl-C is among what left the run."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(KeyboardInterrupt)[0] is not None
    return isinstance(exc, KeyboardInterrupt)


INTERRUPTED = (
    "call",
    "start_link",
    "start_child",
    "open_supervisor",
    "stop",
    "PoolHandle.checkout: waiting",
    "RegistryHandle.lock: waiting",
    "RegistryHandle.subscribe",
)
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in CASES if name not in INTERRUPTED]


@pytest.mark.parametrize("name", [*INTERRUPTED, *OTHERS])
def test_fault_25_ctrl_c_at_every_step(name: str) -> None:
    """Whenever Ctrl-C is pressed, the run ends by it, with every process ended."""
    for step in range(STEPS):
        if not interrupted_at(step, CASES[name]):
            return
    pytest.fail(f"{name} took more than {STEPS} steps")


async def leak_a_process(w: World) -> None:
    otp.spawn(trio.sleep_forever)


async def leak_a_message(w: World) -> None:
    otp.send("me", "unread")


async def leak_a_link(w: World) -> None:
    otp.spawn_link(trio.sleep_forever)


async def leak_a_monitor(w: World) -> None:
    otp.monitor("up")


async def leak_a_timer(w: World) -> None:
    otp.send_after("me", "unread", 1000)


async def leak_a_request(w: World) -> None:
    w.nursery.start_soon(partial(otp.call, "me", "unanswered", timeout=None))


@pytest.mark.parametrize(
    "leak",
    [
        leak_a_process,
        leak_a_message,
        leak_a_link,
        leak_a_monitor,
        leak_a_timer,
        leak_a_request,
    ],
)
def test_what_is_left_of_an_operation_is_found(leak: Operation) -> None:
    """The check that the sweeps rely on sees each kind of thing that could be left behind."""
    with pytest.raises(AssertionError):
        cancelled_at(STEPS, leak)
