"""F11: a task that waits for ever, started in the ways Trio has, and ended."""

from __future__ import annotations

import outcome
import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_task_rescheduled
from trio.testing import wait_all_tasks_blocked

from ..measure import Sample, Watch


def _abort(_: object) -> Abort:
    return Abort.SUCCEEDED


async def _park(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    await trio.sleep_forever()


async def _wait() -> None:
    await trio.sleep_forever()


async def start_soon(n: int) -> Sample:
    """F11: `nursery.start_soon` of a task that waits for ever, until all wait."""
    async with trio.open_nursery() as nursery:
        start = nursery.start_soon
        watch = Watch()
        for _ in range(n):
            start(_wait)
        await wait_all_tasks_blocked()
        sample = watch.sample(len(nursery.child_tasks))
        nursery.cancel_scope.cancel()
    return sample


async def nursery_start(n: int) -> Sample:
    """`nursery.start`: as F11, waiting for each until it has started."""
    async with trio.open_nursery() as nursery:
        start = nursery.start
        watch = Watch()
        for _ in range(n):
            await start(_park)
        sample = watch.sample(len(nursery.child_tasks))
        nursery.cancel_scope.cancel()
    return sample


async def _empty(task_status: trio.TaskStatus[None]) -> None:
    task_status.started()


async def nursery_start_empty(n: int) -> Sample:
    """`nursery.start` of an empty task: it says that it has started, and is over."""
    ended = 0
    async with trio.open_nursery() as nursery:
        start = nursery.start
        watch = Watch()
        for _ in range(n):
            await start(_empty)
            ended += 1
        return watch.sample(ended)


async def hand_made_start(n: int) -> Sample:
    """What people write: `start_soon`; the task says that it runs, and is kept."""
    tasks: list[trio.lowlevel.Task] = []

    async def park(starter: trio.lowlevel.Task) -> None:
        reschedule(starter, outcome.Value(current_task()))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        start = nursery.start_soon
        watch = Watch()
        for _ in range(n):
            start(park, current_task())
            tasks.append(await wait_task_rescheduled(_abort))
        sample = watch.sample(len(tasks))
        nursery.cancel_scope.cancel()
    return sample


async def start_and_end(n: int) -> Sample:
    """Start a task in a cancel scope of its own, cancel it, and wait for its end."""
    ended = 0

    async def park(task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        nonlocal ended
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await trio.sleep_forever()
        ended += 1

    async with trio.open_nursery() as nursery:
        start = nursery.start
        watch = Watch()
        for _ in range(n):
            scope: trio.CancelScope = await start(park)
            scope.cancel()
            await trio.lowlevel.checkpoint()
    return watch.sample(ended)
