"""async-pykka: asyncio, an inbox and a future for each question."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import async_pykka

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Server(async_pykka.AsyncioActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    async def on_receive(self, message: Any) -> int:
        if message is None:
            return self.total
        if message < 0:
            self.total -= message
        return message + 1


def _in_loop(work: Callable[[int, Any], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        ref = Server.start()
        await ref.ask(0)
        try:
            return await work(n, ref)
        finally:
            await async_pykka.ActorRegistry.stop_all()

    return lambda n: asyncio.run(main(n))


async def call(n: int, ref: Any) -> Sample:
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await ref.ask(i)
    return watch.sample(answer)


async def concurrent(n: int, ref: Any) -> Sample:
    callers = min(n, 100)
    answered = 0

    async def caller() -> None:
        nonlocal answered
        for i in range(n // callers):
            await ref.ask(i)
            answered += 1

    watch = Watch()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return watch.sample(answered)


async def cast(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        ref.tell(-1)
    return watch.sample(await ref.ask(None))


async def trickle(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        ref.tell(-1)
        await asyncio.sleep(0)
    return watch.sample(await ref.ask(None))


async def start(n: int, _: Any) -> Sample:
    watch = Watch()
    refs = [Server.start() for _ in range(n)]
    await refs[-1].ask(0)
    return watch.sample(len(refs))


async def stop(n: int, _: Any) -> Sample:
    stopped = 0
    watch = Watch()
    for _ in range(n):
        stopped += await Server.start().stop()
    return watch.sample(stopped)


async def memory(n: int, _: Any) -> Sample:
    with traced() as memory:
        refs = [Server.start() for _ in range(n)]
        await asyncio.gather(*(ref.ask(0) for ref in refs))
        memory.weigh()
    return Sample(memory.bytes, len(refs))


WORK = {
    "call": call,
    "concurrent": concurrent,
    "cast": cast,
    "trickle": trickle,
    "start": start,
    "stop": stop,
    "memory": memory,
}
LANES = {race: _in_loop(work) for race, work in WORK.items()}
