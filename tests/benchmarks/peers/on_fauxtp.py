"""fauxtp: anyio, here on asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from fauxtp import GenServer
from fauxtp import call as ask
from fauxtp import cast as tell

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Server(GenServer):
    async def init(self) -> int:
        return 0

    async def handle_call(self, request: Any, from_ref: Any, state: int) -> tuple[int, int]:
        return (state if request is None else request + 1), state

    async def handle_cast(self, request: int, state: int) -> int:
        return state + request


def _in_group(work: Callable[[int, Any], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        async with anyio.create_task_group() as group:
            sample = await work(n, group)
            group.cancel_scope.cancel()
        return sample

    return lambda n: anyio.run(main, n)


async def call(n: int, group: Any) -> Sample:
    pid = await Server.start(task_group=group)
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await ask(pid, i)
    return watch.sample(answer)


async def concurrent(n: int, group: Any) -> Sample:
    pid = await Server.start(task_group=group)
    callers = min(n, 100)
    answered = 0

    async def caller() -> None:
        nonlocal answered
        for i in range(n // callers):
            await ask(pid, i)
            answered += 1

    watch = Watch()
    async with anyio.create_task_group() as clients:
        for _ in range(callers):
            clients.start_soon(caller)
    return watch.sample(answered)


async def cast(n: int, group: Any) -> Sample:
    pid = await Server.start(task_group=group)
    watch = Watch()
    for _ in range(n):
        await tell(pid, 1)
    return watch.sample(await ask(pid, None, timeout=60))


async def start(n: int, group: Any) -> Sample:
    watch = Watch()
    pids = [await Server.start(task_group=group) for _ in range(n)]
    await ask(pids[-1], 0)  # by then all have begun
    return watch.sample(len(pids))


async def stop(n: int, group: Any) -> Sample:
    stopped = 0

    async def ended(*_: Any) -> None:
        nonlocal stopped
        stopped += 1

    watch = Watch()
    for i in range(n):
        handle = await Server.start_link(task_group=group, on_exit=ended)
        await ask(handle.pid, 0)
        handle.cancel_scope.cancel()
        while stopped <= i:
            await anyio.lowlevel.checkpoint()
    return watch.sample(stopped)


async def memory(n: int, group: Any) -> Sample:
    with traced() as memory:
        pids = [await Server.start(task_group=group) for _ in range(n)]
        for pid in pids:
            await ask(pid, 0)
        memory.weigh()
    return Sample(memory.bytes, len(pids))


WORK = {
    "call": call,
    "concurrent": concurrent,
    "cast": cast,
    "trickle": cast,  # each cast is a checkpoint
    "start": start,
    "stop": stop,
    "memory": memory,
}
LANES = {race: _in_group(work) for race, work in WORK.items()}
