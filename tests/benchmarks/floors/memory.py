"""F12 and F13: what a thing that waits for messages weighs."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import trio
from trio.testing import wait_all_tasks_blocked

from ..measure import Sample, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _weigh(n: int, body: Callable[[list[Any]], Awaitable[None]]) -> Sample:
    with traced() as memory:
        ends: list[Any] = []  # what others would hold to send to it
        async with trio.open_nursery() as nursery:
            for _ in range(n):
                nursery.start_soon(body, ends)
            await wait_all_tasks_blocked()
            memory.weigh()
            count = len(nursery.child_tasks)
            nursery.cancel_scope.cancel()
    return Sample(memory.bytes, count)


async def _with_channel(ends: list[Any]) -> None:
    outbox, inbox = trio.open_memory_channel[Any](math.inf)
    ends.append(outbox)
    async for _ in inbox:
        pass


async def _with_channel_and_scope(ends: list[Any]) -> None:
    outbox, inbox = trio.open_memory_channel[Any](math.inf)
    ends.append(outbox)
    with trio.CancelScope():
        async for _ in inbox:
            pass


async def _with_deque(ends: list[Any]) -> None:
    ends.append(deque())
    await trio.sleep_forever()


async def parked_with_channel(n: int) -> Sample:
    """F12: a parked task with a memory channel."""
    return await _weigh(n, _with_channel)


async def parked_with_channel_and_scope(n: int) -> Sample:
    """F12: a parked task with a memory channel and a cancel scope of its own."""
    return await _weigh(n, _with_channel_and_scope)


async def parked_with_deque(n: int) -> Sample:
    """F12: a parked task with a deque and no channel."""
    return await _weigh(n, _with_deque)


class _Asleep:
    """A server that is only its name, state and queue until its first message."""

    __slots__ = ("name", "queue", "state")

    def __init__(self, name: int) -> None:
        self.name = name
        self.state: object = None
        self.queue: deque[Any] = deque()


async def no_task(n: int) -> Sample:
    """F13: no task at all before the first message."""
    with traced() as memory:
        servers = {name: _Asleep(name) for name in range(n)}
        memory.weigh()
        count = len(servers)
    return Sample(memory.bytes, count)
