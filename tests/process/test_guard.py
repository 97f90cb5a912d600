"""The guard of a user's nursery: it lives there while processes do, and for a turn more."""

from __future__ import annotations

import trio
import trio.testing

import trio_otp as otp

GUARD = "<otp guard>"


class Guards(trio.abc.Instrument):
    """Counts the guards that come and go."""

    def __init__(self) -> None:
        self.came = self.went = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Count it if it is one."""
        self.came += task.name == GUARD

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Count it if it was one."""
        self.went += task.name == GUARD


class Server(otp.GenServer):
    """Does nothing."""


async def test_it_stays_for_who_starts_another_right_after_the_last_end() -> None:
    """One guard does, however often the nursery is empty in between."""
    guards = Guards()
    trio.lowlevel.add_instrument(guards)
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            await otp.stop(await otp.start(Server, nursery=nursery))
        assert (guards.came, guards.went) == (1, 0)
    assert (guards.came, guards.went) == (1, 1)


async def test_it_leaves_when_nobody_starts_another() -> None:
    """The next process brings a guard of its own, and the nursery closes without one."""
    guards = Guards()
    trio.lowlevel.add_instrument(guards)
    async with trio.open_nursery() as nursery:
        for times in (1, 2):
            await otp.stop(await otp.start(Server, nursery=nursery))
            await trio.testing.wait_all_tasks_blocked()
            assert (guards.came, guards.went) == (times, times)


async def test_a_process_that_is_started_while_it_stays_is_stopped_in_order() -> None:
    """The guard that has stayed guards it: a cancelled nursery lets `terminate` run."""
    ended: list[object] = []

    class Last(otp.GenServer):
        def terminate(self, reason: object) -> None:
            ended.append(reason)

    async with trio.open_nursery() as nursery:
        await otp.stop(await otp.start(Server, nursery=nursery))
        await otp.start(Last, nursery=nursery)
        nursery.cancel_scope.cancel()
    assert ended == [otp.SHUTDOWN]
