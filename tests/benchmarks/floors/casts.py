"""F8 to F10: messages that nobody answers, sent in one go."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import Abort, checkpoint, current_task, reschedule, wait_task_rescheduled
from trio.testing import wait_all_tasks_blocked

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST = 64  # messages taken between two checkpoints


def _abort(_: object) -> Abort:
    return Abort.SUCCEEDED


async def _take_each(inbox: trio.MemoryReceiveChannel[int]) -> int:
    total = 0
    async for message in inbox:
        total += message
    return total


async def _take_bursts(inbox: trio.MemoryReceiveChannel[int]) -> int:
    total = 0
    take = inbox.receive_nowait
    try:
        while True:
            total += await inbox.receive()
            try:
                for _ in range(BURST - 1):
                    total += take()
            except trio.WouldBlock:
                pass
    except trio.EndOfChannel:
        return total


async def _burst(
    n: int, serve: Callable[[trio.MemoryReceiveChannel[int]], Awaitable[int]]
) -> Sample:
    outbox, inbox = trio.open_memory_channel[int](math.inf)
    total = 0

    async def run() -> None:
        nonlocal total
        total = await serve(inbox)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        send = outbox.send_nowait
        watch = Watch()
        for _ in range(n):
            send(1)
        outbox.close()
    return watch.sample(total)


async def one_by_one(n: int) -> Sample:
    """F8: `send_nowait` n times, and a server that takes them with `async for`."""
    return await _burst(n, _take_each)


async def drained(n: int) -> Sample:
    """F9: the server takes up to 64 queued messages between two checkpoints."""
    return await _burst(n, _take_bursts)


async def deque_drained(n: int) -> Sample:
    """F10: as F9 with a plain deque and one parked task."""
    queue: deque[int] = deque()
    total = 0
    idle = False
    server: Any = None

    async def serve() -> None:
        nonlocal total, idle, server
        server = current_task()
        take = queue.popleft
        while total < n:
            if not queue:
                idle = True
                await wait_task_rescheduled(_abort)
            for _ in range(min(BURST, len(queue))):
                total += take()
            if queue:
                await checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        put = queue.append
        watch = Watch()
        for _ in range(n):
            put(1)
            if idle:
                idle = False
                reschedule(server)
    return watch.sample(total)


async def trickle(n: int) -> Sample:
    """F8, one message at a time: after each the server gets its turn."""
    outbox, inbox = trio.open_memory_channel[int](math.inf)
    total = 0

    async def run() -> None:
        nonlocal total
        async for message in inbox:
            total += message

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        send = outbox.send_nowait
        watch = Watch()
        for _ in range(n):
            send(1)
            await checkpoint()
        outbox.close()
    return watch.sample(total)
