"""everything-is-an-actor: asyncio, imported as `actor_for_agents`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actor_for_agents import Actor, ActorSystem, MemoryMailbox

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Server(Actor):
    async def on_started(self) -> None:
        self.total = 0

    async def on_receive(self, message: Any) -> int:
        if message is None:
            return self.total
        if message < 0:
            self.total -= message
        return message + 1


def _in_system(work: Callable[[int, Any, Any], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        system = ActorSystem("benchmark")
        # the default mailbox refuses what is more than 256 messages
        ref = await system.spawn(Server, "server", mailbox=MemoryMailbox(n + 1))
        try:
            return await work(n, system, ref)
        finally:
            await system.shutdown()

    return lambda n: asyncio.run(main(n))


async def call(n: int, _: Any, ref: Any) -> Sample:
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await ref.ask(i)
    return watch.sample(answer)


async def concurrent(n: int, _: Any, ref: Any) -> Sample:
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


async def cast(n: int, _: Any, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        await ref.tell(-1)
    return watch.sample(await ref.ask(None))


async def trickle(n: int, _: Any, ref: Any) -> Sample:
    watch = Watch()
    for _ in range(n):
        await ref.tell(-1)
        await asyncio.sleep(0)
    return watch.sample(await ref.ask(None))


async def start(n: int, system: Any, _: Any) -> Sample:
    watch = Watch()
    refs = [await system.spawn(Server, f"server {i}") for i in range(n)]
    return watch.sample(sum(ref.is_alive for ref in refs))


async def stop(n: int, system: Any, _: Any) -> Sample:
    stopped = 0
    watch = Watch()
    for i in range(n):
        ref = await system.spawn(Server, f"server {i}")
        ref.stop()
        await ref.join()
        stopped += not ref.is_alive
    return watch.sample(stopped)


async def memory(n: int, system: Any, _: Any) -> Sample:
    with traced() as memory:
        refs = [await system.spawn(Server, f"server {i}") for i in range(n)]
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
LANES = {race: _in_system(work) for race, work in WORK.items()}
