"""A service that is cancelled, or loses one of its parts, at every step: no connection is left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from net_kit import Memory, answer_after, service
from supervision_kit import leftovers
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 2000  # more than a scenario takes
SOME = pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])  # steps


class At(trio.abc.Instrument):
    """Does something once the tasks of a run have taken so many steps."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.left = step
        self.act = act
        self.armed = True

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= self.armed
        if self.armed and self.left == 0:
            self.act()


async def busy(stream: Any) -> None:
    """Send a client an error that all places are taken."""
    await stream.send_all(b"BUSY")


async def use(memory: Memory, answers: list[bytes]) -> None:
    """Run two clients that are served, one that is refused and one that leaves at once."""
    clients = [memory.connect() for _ in range(4)]
    try:
        await clients[3].aclose()
        for client in clients[:2]:
            await client.send_all(b"x")
        answers += [bytes(await client.receive_some()) for client in clients[:3]]
    finally:
        with trio.CancelScope(shield=True):
            for client in clients:
                await client.aclose()


def run(main: Callable[[], Any], at: At) -> None:
    """Run on a virtual clock; what hangs for long fails."""

    async def limited() -> None:
        with trio.fail_after(10_000):
            await main()

    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(limited, clock=clock, instruments=[at])


def web(memory: Memory) -> otp.Child[Any]:
    """Describe the service of these tests."""
    return service(answer_after(0.1), opens=memory.open, max_connections=2, on_full=busy)


def cancelled_at(step: int) -> bool:
    """Cancel a service at a step; tell whether it came to that."""
    scope = trio.CancelScope()
    at = At(step, scope.cancel)

    async def main() -> None:
        memory = Memory()
        with scope:
            async with otp.open_supervisor([web(memory)]):
                await use(memory, [])
        await wait_all_tasks_blocked()
        assert [] == leftovers()
        assert memory.all_closed()

    run(main, at)
    return at.left <= 0


@SOME
def test_cancelled_at_every_step_it_leaves_no_connection_and_no_process(every: int) -> None:
    """From the opening of its listeners to the end of its last connection."""
    for step in range(1, STEPS, every):
        if not cancelled_at(step):
            assert step > 50
            return
    pytest.fail(f"it took more than {STEPS} steps")


def hit_at(step: int, part: str, reason: object) -> bool:
    """End a part of a service at a step, and see whether it serves as before; tell if it did."""

    def act() -> None:
        pids = {info.id: info.pid for info in children() if info.pid is not None}
        pids["web"] = otp.whereis("web")
        victim = pids.get(part)
        if victim is not None:
            otp.exit(victim, reason)

    at = At(step, act)

    async def main() -> None:
        reports: list[Any] = []
        otp.events.attach("crash", reports.append)
        memory = Memory()
        answers: list[bytes] = []
        at.armed = False  # an end before it has started is a failed start
        async with otp.open_supervisor([web(memory)]):
            at.armed = True
            with trio.move_on_after(60), suppress(trio.BrokenResourceError):
                await use(memory, answers)
            at.armed = False
            await trio.sleep(100)
            assert set(answers) <= {b"X", b"BUSY", b""}
            await check(memory)
        assert [] == reports
        await wait_all_tasks_blocked()
        assert [] == leftovers()
        assert memory.all_closed()

    run(main, at)
    return at.left <= 0


def children() -> list[otp.ChildInfo]:
    """List the parts of the service, from an instrument."""
    from inside import loop_of, runtime

    process = runtime().names.get("web")
    loop = None if process is None else loop_of(process)
    return [] if loop is None else loop.infos()


async def check(memory: Memory) -> None:
    """Check that two clients are served at the same time, as before, and one more is refused."""
    answers: list[bytes] = []
    with trio.fail_after(60):
        await use(memory, answers)
    assert [b"BUSY", b"X", b"X"] == sorted(answers)


@SOME
@pytest.mark.parametrize("part", ["acceptor", "connections", "web"])
@pytest.mark.parametrize("reason", [otp.KILL, otp.SHUTDOWN], ids=repr)
def test_whenever_a_part_ends_the_service_goes_on(part: str, reason: object, every: int) -> None:
    """No place is lost, no connection is left, and later clients are served."""
    for step in range(1, STEPS, every):
        if not hit_at(step, part, reason):
            assert step > 50
            return
    pytest.fail(f"it took more than {STEPS} steps")
