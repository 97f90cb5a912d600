"""lapinbeam: asyncio, with a core in Rust."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lapinbeam import Node, Supervisor, actor
from lapinbeam.context import current_message

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@actor(name="server")
class Server:
    def __init__(self) -> None:
        self.total = 0

    async def receive(self, message: Any) -> None:
        if message is None:
            await current_message().reply(self.total)
        elif message < 0:
            self.total -= message
        else:
            await current_message().reply(message + 1)


def _on_node(work: Callable[[int, Any], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        async with Node("benchmark") as node:
            ref = Supervisor(node=node).spawn(Server)
            return await work(n, ref)

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
        await ref.send(-1)
    return watch.sample(await ref.ask(None, timeout=60))


async def trickle(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        await ref.send(-1)
        await asyncio.sleep(0)
    return watch.sample(await ref.ask(None, timeout=60))


WORK = {"call": call, "concurrent": concurrent, "cast": cast, "trickle": trickle}
LANES = {race: _on_node(work) for race, work in WORK.items()}
