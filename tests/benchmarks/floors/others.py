"""Floors of what stands on servers: restarts, tasks, streams, state machines, registries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import Abort, checkpoint, current_task, reschedule, wait_task_rescheduled
from trio.testing import wait_all_tasks_blocked

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _abort(_: object) -> Abort:
    return Abort.SUCCEEDED


async def run_again(n: int) -> Sample:
    """A task that raises when it gets a message, and a loop around it that runs it again."""
    outbox, inbox = trio.open_memory_channel[int](math.inf)
    ends = 0

    async def body() -> None:
        async for message in inbox:
            raise ValueError(message)

    async def keep() -> None:
        nonlocal ends
        while ends < n:
            try:
                await body()
            except ValueError:
                ends += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        await wait_all_tasks_blocked()
        watch = Watch()
        for i in range(n):
            outbox.send_nowait(i)
            while ends <= i:
                await checkpoint()
        return watch.sample(ends)


async def crash_and_start(n: int) -> Sample:
    """A task crashes when it gets a message; a keeper starts another, which says that it runs."""
    outbox, inbox = trio.open_memory_channel[int](math.inf)
    starts = 0
    crashes: list[Exception] = []
    parked: list[trio.lowlevel.Task] = []  # the keeper, while it waits for a crash

    async def body(keeper: trio.lowlevel.Task) -> None:
        nonlocal starts
        starts += 1
        reschedule(keeper)
        try:
            raise ValueError(await inbox.receive())
        except ValueError as exc:
            crashes.append(exc)
            if parked:
                reschedule(parked.pop())

    async def keep(nursery: trio.Nursery) -> None:
        while True:
            nursery.start_soon(body, current_task())
            await wait_task_rescheduled(_abort)
            if not crashes:
                parked.append(current_task())
                await wait_task_rescheduled(_abort)
            crashes.clear()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep, nursery)
        await wait_all_tasks_blocked()
        before = starts
        watch = Watch()
        for i in range(n):
            outbox.send_nowait(i)
            while starts <= before + i:
                await checkpoint()
        sample = watch.sample(starts - before)
        nursery.cancel_scope.cancel()
    return sample


async def _answer() -> int:
    return 1


async def task_and_result(n: int) -> Sample:
    """`start_soon`; the task wakes its owner with the result."""
    total = 0

    async def run(fn: Callable[[], Awaitable[int]], owner: trio.lowlevel.Task) -> None:
        reschedule(owner, await outcome.acapture(fn))

    async with trio.open_nursery() as nursery:
        start = nursery.start_soon
        watch = Watch()
        for _ in range(n):
            start(run, _answer, current_task())
            total += await wait_task_rescheduled(_abort)
        return watch.sample(total)


async def task_for_each(n: int, at_a_time: int) -> Sample:
    """A task for each item; when one ends, the next is started."""
    items = iter(range(n))
    results: list[int] = [0] * n

    async def run(item: int, nursery: trio.Nursery) -> None:
        results[item] = await _answer()
        for following in items:
            nursery.start_soon(run, following, nursery)
            return

    watch = Watch()
    async with trio.open_nursery() as nursery:
        for _, item in zip(range(at_a_time), items, strict=False):
            nursery.start_soon(run, item, nursery)
    return watch.sample(sum(results))


async def match_statement(n: int) -> Sample:
    """A state machine that is a `match` over state and event."""
    state, entered = "locked", 0
    watch = Watch()
    for _ in range(n):
        match state, "go":
            case "locked", "go":
                state = "unlocked"
            case "unlocked", "go":
                state = "locked"
        entered += 1
    return watch.sample(entered)


async def dict_insert(n: int) -> Sample:
    """`table[key] = (owner, value)`."""
    table: dict[int, tuple[Any, Any]] = {}
    owner = object()
    watch = Watch()
    for key in range(n):
        table[key] = (owner, None)
    return watch.sample(len(table))


async def dict_lookup(n: int) -> Sample:
    """`table.get(key)`."""
    table = {key: (object(), None) for key in range(n)}
    found = 0
    watch = Watch()
    for key in range(n):
        found += table.get(key) is not None
    return watch.sample(found)


async def send_to_all(n: int) -> Sample:
    """`send_nowait` of n channels in a list."""
    ends = [trio.open_memory_channel[str](math.inf) for _ in range(n)]
    outboxes = [outbox for outbox, _ in ends]
    watch = Watch()
    for outbox in outboxes:
        outbox.send_nowait("message")
    sample = watch.sample(sum(inbox.statistics().current_buffer_used for _, inbox in ends))
    for outbox, inbox in ends:
        outbox.close()
        inbox.close()
    return sample


async def _flood(n: int, burst: int, measure: str) -> Sample:
    outbox, inbox = trio.open_memory_channel[int](math.inf)
    total = 0

    async def serve() -> None:
        nonlocal total
        while total < n:
            total += await inbox.receive()
            for _ in range(min(burst - 1, n - total)):
                total += inbox.receive_nowait()

    for _ in range(n):
        outbox.send_nowait(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        return await longest_turn(lambda: total, n, measure)


class _Turns(trio.abc.Instrument):
    """Sees how much is handled, and how long it takes, between two checkpoints of any task."""

    def __init__(self, handled: Callable[[], int]) -> None:
        self._handled = handled
        self._before = handled()
        self._watch = Watch()
        self.most = 0
        self.longest = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._before = self._handled()
        self._watch = Watch()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if (messages := self._handled() - self._before) > 0:
            self.most = max(self.most, messages)
            self.longest = max(self.longest, self._watch.sample(1).amount)


async def longest_turn(handled: Callable[[], int], n: int, measure: str) -> Sample:
    """Return the most messages, or seconds, that a server takes before it lets others run.

    Args:
        handled: how many messages the server has handled.
        n: how many there are.
        measure: `messages` or `seconds`.
    """
    turns = _Turns(handled)
    trio.lowlevel.add_instrument(turns)
    while handled() < n:
        await checkpoint()
    trio.lowlevel.remove_instrument(turns)
    return Sample(turns.most if measure == "messages" else turns.longest, handled())


async def flood_one_by_one(n: int, measure: str) -> Sample:
    """F8: each message is a turn."""
    return await _flood(n, 1, measure)


async def flood_drained(n: int, measure: str) -> Sample:
    """F9: 64 messages are a turn."""
    return await _flood(n, 64, measure)
