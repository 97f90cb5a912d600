"""casty: virtual actors on asyncio, with a core in Rust; what is sent is serialized."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from casty import ActorSystem, Askable, Context, actor

from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True)
class Ask(Askable[int]):
    number: int


@dataclass(frozen=True)
class Add:
    number: int


@dataclass(frozen=True)
class Total(Askable[int]):
    pass


@actor(initial=0)
async def server(ctx: Context[int, Ask | Add | Total]) -> None:
    total = 0
    async for message in ctx.inbox:
        match message:
            case Add(number):
                total += number
            case Ask(number):
                message.reply_to.tell(number + 1)
            case Total():
                message.reply_to.tell(total)


def _in_system(work: Callable[[int, Any], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        async with ActorSystem() as system:
            ref = system.ref(server, "server")
            assert await ref.ask(Ask(1)) == 2
            return await work(n, ref)

    return lambda n: asyncio.run(main(n))


async def call(n: int, ref: Any) -> Sample:
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await ref.ask(Ask(i))
    return watch.sample(answer)


async def concurrent(n: int, ref: Any) -> Sample:
    callers = min(n, 100)
    answered = 0

    async def caller() -> None:
        nonlocal answered
        for i in range(n // callers):
            await ref.ask(Ask(i))
            answered += 1

    watch = Watch()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return watch.sample(answered)


async def cast(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        ref.tell(Add(1))
    return watch.sample(await ref.ask(Total()))


async def trickle(n: int, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        ref.tell(Add(1))
        await asyncio.sleep(0)
    return watch.sample(await ref.ask(Total()))


WORK = {"call": call, "concurrent": concurrent, "cast": cast, "trickle": trickle}
LANES = {race: _in_system(work) for race, work in WORK.items()}
