"""Tasks, streams, state machines and registries of trio_otp."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp
from trio_otp._gen_statem.engine import Engine

from ..floors.others import longest_turn
from ..measure import Sample, Watch
from .calls import REGISTRY
from .servers import served

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


async def _answer() -> int:
    return 1


async def _answer_item(_: int) -> int:
    return 1


async def tasks(n: int) -> Sample:
    """`await otp.task.start_async(fn)`."""
    total = 0
    async with otp.open_process():
        watch = Watch()
        for _ in range(n):
            total += await otp.task.start_async(_answer)
        return watch.sample(total)


async def stream(n: int, at_a_time: int) -> Sample:
    """`otp.task.async_stream` over n items."""
    total = 0
    watch = Watch()
    async with otp.task.async_stream(range(n), _answer_item, max_concurrency=at_a_time) as results:
        async for result in results:
            assert isinstance(result, otp.task.Ok)
            total += result.value
    return watch.sample(total)


class Turnstile(otp.GenStatem["Turnstile.State"]):
    """Each `go` takes it to the other of two states."""

    class State(enum.Enum):
        LOCKED = "locked"
        UNLOCKED = "unlocked"

    initial = State.LOCKED

    def __init__(self) -> None:
        self.total = 0

    @otp.on_state(State.LOCKED)
    def locked(self, kind: Any, content: Any) -> Any:
        self.total += 1
        if kind.__class__ is otp.From:
            return otp.NextState(self.State.UNLOCKED, otp.Reply(self.total))
        return otp.NextState(self.State.UNLOCKED)

    @otp.on_state(State.UNLOCKED)
    def unlocked(self, kind: Any, content: Any) -> Any:
        self.total += 1
        if kind.__class__ is otp.From:
            return otp.NextState(self.State.LOCKED, otp.Reply(self.total))
        return otp.NextState(self.State.LOCKED)


async def statem_calls(n: int) -> Sample:
    """Events of a GenStatem that are calls."""
    answer = 0
    async with served(Turnstile) as pid:
        watch = Watch()
        for _ in range(n):
            answer = await otp.call(pid, "go")
        return watch.sample(answer)


async def statem_casts(n: int) -> Sample:
    """Events of a GenStatem that are casts, and a call at the end."""
    async with served(Turnstile) as pid:
        watch = Watch()
        for _ in range(n - 1):
            otp.cast(pid, "go")
        return watch.sample(await otp.call(pid, "go"))


async def statem_engine(n: int) -> Sample:
    """The pure engine alone: what an event costs without a process."""
    engine = Engine(Turnstile.State.LOCKED, Turnstile)
    engine.begin()
    states = [otp.NextState(Turnstile.State.UNLOCKED), otp.NextState(Turnstile.State.LOCKED)]
    changes = 0
    watch = Watch()
    for i in range(n):
        engine.receive(otp.Event.CAST, "go")
        assert engine.next_event() is not None
        engine.done(states[i & 1])
        changes += 1
    return watch.sample(changes)


def _registry(keys: Any) -> AbstractAsyncContextManager[Any]:
    return served(otp.child(otp.Registry, keys=keys).having(name="benchmark"))


async def register(n: int) -> Sample:
    """`REG.register(key)` by one process."""
    async with _registry("unique"), otp.open_process():
        add = REGISTRY.register
        watch = Watch()
        for key in range(n):
            add(key)
        return watch.sample(REGISTRY.count())


async def lookup(n: int) -> Sample:
    """`REG.lookup(key)` of one of n keys."""
    async with _registry("unique"), otp.open_process():
        for key in range(n):
            REGISTRY.register(key)
        find, found = REGISTRY.lookup, 0
        watch = Watch()
        for key in range(n):
            found += len(find(key))
        return watch.sample(found)


async def dispatch(n: int) -> Sample:
    """`REG.send(key, message)` to n processes."""
    async with _registry("duplicate"), trio.open_nursery() as nursery:

        async def subscriber() -> None:
            REGISTRY.register("key")
            await otp.receive()

        for _ in range(n):
            otp.spawn(subscriber, nursery=nursery)
        await wait_all_tasks_blocked()
        watch = Watch()
        sample = watch.sample(REGISTRY.send("key", "message"))
        nursery.cancel_scope.cancel()
    return sample


async def flood(n: int, server: type[Any], measure: str) -> Sample:
    """What a flood of casts does to another task."""
    kept: list[Any] = []

    class Kept(server):  # type: ignore[misc]
        def init(self) -> None:
            kept.append(self)

    async with served(Kept) as pid:
        for _ in range(n):
            otp.cast(pid, 1)
        return await longest_turn(lambda: kept[0].total, n, measure)
