"""triotp: Trio, a module of callbacks is a server. Needs Python 3.13."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import trio
from triotp import gen_server, mailbox

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _init(_: object) -> list[int]:
    return [0]


async def _handle_call(message: Any, _: object, state: list[int]) -> Any:
    if message is None:
        return gen_server.Reply(payload=state[0]), state
    return gen_server.Reply(payload=message + 1), state


async def _handle_cast(message: Any, state: list[int]) -> Any:
    if message is None:
        return gen_server.Stop(), state
    state[0] += message
    return gen_server.NoReply(), state


SERVER: Any = SimpleNamespace(
    __name__="server", init=_init, handle_call=_handle_call, handle_cast=_handle_cast
)


def _in_node(work: Callable[[int, trio.Nursery], Awaitable[Sample]], n: int) -> Sample:
    async def main() -> Sample:
        mailbox._init()
        async with trio.open_nursery() as nursery:
            sample = await work(n, nursery)
            nursery.cancel_scope.cancel()
        return sample

    return trio.run(main)


async def _start(nursery: trio.Nursery, name: str) -> None:
    nursery.start_soon(gen_server.start, SERVER, None, name)
    while mailbox._resolve(name) is None:  # its start says nothing
        await trio.lowlevel.checkpoint()


async def call(n: int, nursery: trio.Nursery) -> Sample:
    await _start(nursery, "server")
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await gen_server.call("server", i)
    return watch.sample(answer)


async def concurrent(n: int, nursery: trio.Nursery) -> Sample:
    await _start(nursery, "server")
    callers = min(n, 100)
    answered = 0

    async def caller() -> None:
        nonlocal answered
        for i in range(n // callers):
            await gen_server.call("server", i)
            answered += 1

    watch = Watch()
    async with trio.open_nursery() as clients:
        for _ in range(callers):
            clients.start_soon(caller)
    return watch.sample(answered)


async def cast(n: int, nursery: trio.Nursery) -> Sample:
    await _start(nursery, "server")
    watch = Watch()
    for _ in range(n):
        await gen_server.cast("server", 1)
    return watch.sample(await gen_server.call("server", None))


async def start(n: int, nursery: trio.Nursery) -> Sample:
    watch = Watch()
    for i in range(n):
        await _start(nursery, f"server {i}")
    return watch.sample(len(nursery.child_tasks))


async def stop(n: int, nursery: trio.Nursery) -> Sample:
    stopped = 0
    watch = Watch()
    for _ in range(n):
        await _start(nursery, "server")
        await gen_server.cast("server", None)
        while mailbox._resolve("server") is not None:
            await trio.lowlevel.checkpoint()
        stopped += 1
    return watch.sample(stopped)


async def memory(n: int, nursery: trio.Nursery) -> Sample:
    await _start(nursery, "server")
    with traced() as memory:
        for i in range(n):
            await _start(nursery, f"server {i}")
        memory.weigh()
    return Sample(memory.bytes, len(nursery.child_tasks) - 1)


WORK = {
    "call": call,
    "concurrent": concurrent,
    "cast": cast,
    "trickle": cast,  # each cast is a checkpoint
    "start": start,
    "stop": stop,
    "memory": memory,
}
LANES = {race: functools.partial(_in_node, work) for race, work in WORK.items()}
