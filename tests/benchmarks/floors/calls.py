"""F0 to F7: a request and its reply.

The server adds one to what it is sent, so that the last answer of a client says how many calls
have been answered.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

import outcome
import trio
from trio.lowlevel import Abort, checkpoint, current_task, reschedule, wait_task_rescheduled
from trio.testing import wait_all_tasks_blocked

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = outcome.Value
Inbox: TypeAlias = "trio.MemoryReceiveChannel[Any]"
Outbox: TypeAlias = "trio.MemorySendChannel[Any]"


def _abort(_: object) -> Abort:
    return Abort.SUCCEEDED


async def checkpoints(n: int) -> Sample:
    """F0: what a pass through the scheduler costs."""
    watch = Watch()
    for _ in range(n):
        await checkpoint()
    return watch.sample(n)


async def ping_pong(n: int) -> Sample:
    """F1: two tasks, a deque, and `reschedule` both ways."""
    queue: deque[tuple[int, trio.lowlevel.Task]] = deque()
    take, put = queue.popleft, queue.append

    async def serve() -> None:
        while True:
            await wait_task_rescheduled(_abort)
            while queue:
                request, task = take()
                reschedule(task, Value(request + 1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        (server,) = nursery.child_tasks
        answer = 0
        watch = Watch()
        for i in range(n):
            put((i, current_task()))
            reschedule(server)
            answer = await wait_task_rescheduled(_abort)
        sample = watch.sample(answer)
        nursery.cancel_scope.cancel()
    return sample


async def _answer_tasks(inbox: Inbox) -> None:
    async for request, task in inbox:
        reschedule(task, Value(request + 1))


async def _call_tasks(outbox: Outbox, n: int) -> int:
    send = outbox.send_nowait
    answer = 0
    for i in range(n):
        send((i, current_task()))
        answer = await wait_task_rescheduled(_abort)
    return answer


async def _answer_events(inbox: Inbox) -> None:
    async for request, box, event in inbox:
        box.append(request + 1)
        event.set()


async def _call_events(outbox: Outbox, n: int) -> int:
    send = outbox.send_nowait
    answer = 0
    for i in range(n):
        box: list[int] = []
        event = trio.Event()
        send((i, box, event))
        await event.wait()
        answer = box[0]
    return answer


async def _answer_channels(inbox: Inbox) -> None:
    async for request, reply in inbox:
        reply.send_nowait(request + 1)


async def _call_channels(outbox: Outbox, n: int) -> int:
    send = outbox.send_nowait
    open_channel: Any = trio.open_memory_channel  # its `[int]` would cost some percent of a call
    answer = 0
    for i in range(n):
        reply_in, reply_out = open_channel(1)
        send((i, reply_in))
        answer = await reply_out.receive()
    return answer


async def _call_with_scopes(outbox: Outbox, n: int) -> int:
    send = outbox.send_nowait
    answer = 0
    for i in range(n):
        with trio.fail_after(5):
            send((i, current_task()))
            answer = await wait_task_rescheduled(_abort)
    return answer


async def _race(
    n: int,
    serve: Callable[[Inbox], Awaitable[None]],
    call: Callable[[Outbox, int], Awaitable[int]],
) -> Sample:
    """Time a client and a server that share a channel."""
    outbox, inbox = trio.open_memory_channel[Any](math.inf)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, inbox)
        await wait_all_tasks_blocked()
        watch = Watch()
        sample = watch.sample(await call(outbox, n))
        outbox.close()
    return sample


async def channel_and_reschedule(n: int) -> Sample:
    """F2: a memory channel in, the reply wakes the task of the caller."""
    return await _race(n, _answer_tasks, _call_tasks)


async def channel_and_event(n: int) -> Sample:
    """F3: a memory channel in, an event and a slot for the reply."""
    return await _race(n, _answer_events, _call_events)


async def two_channels(n: int) -> Sample:
    """F4: a memory channel in, and one for each reply: what people write by hand."""
    return await _race(n, _answer_channels, _call_channels)


async def cancel_scopes(n: int) -> Sample:
    """F5: F2 with a cancel scope as the time-out of each call."""
    return await _race(n, _answer_tasks, _call_with_scopes)


async def fifo_deadlines(n: int) -> Sample:
    """F6: F2 with one queue of deadlines, whose heads are dropped when they are done."""
    limits: deque[list[Any]] = deque()  # [deadline, waiting task or None]

    async def answer(inbox: Inbox) -> None:
        async for request, entry in inbox:
            task, entry[1] = entry[1], None
            reschedule(task, Value(request + 1))

    async def watch() -> None:
        while True:
            await trio.sleep_until(limits[0][0] if limits else math.inf)
            if limits and limits[0][1] is not None:
                _, task = limits.popleft()
                reschedule(task, outcome.Error(trio.TooSlowError()))

    async def call(outbox: Outbox, n: int) -> int:
        send, now, put = outbox.send_nowait, trio.current_time, limits.append
        last = 0
        for i in range(n):
            entry = [now() + 5, current_task()]
            put(entry)
            send((i, entry))
            last = await wait_task_rescheduled(_abort)
            while limits and limits[0][1] is None:
                limits.popleft()
        return last

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        sample = await _race(n, answer, call)
        nursery.cancel_scope.cancel()
    return sample


async def hundred_callers(n: int) -> Sample:
    """F7: F2 with 100 callers at once; the rate is that of all together."""
    callers = min(n, 100)
    answered = 0

    async def client(outbox: Outbox) -> None:
        nonlocal answered
        mine = await _call_tasks(outbox, n // callers)
        answered += mine

    async def clients(outbox: Outbox, _: int) -> int:
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(client, outbox)
        return answered

    return await _race(n, _answer_tasks, clients)
