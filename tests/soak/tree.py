"""The tree that is soaked, and what is done to it in one round."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any, Final

import trio

import trio_otp as otp

GONE: Final = (otp.NoProcess, otp.ServerExited, otp.CallTimeout)  # what a client meets in a restart
REGISTRY: Final = otp.registry("soak registry")


class Server(otp.GenServer):
    """Keeps values; crashes when it is told to."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}

    @otp.on_call
    def put(self, key: int, value: int) -> int:
        self.values[key % 100] = value
        return len(self.values)

    @otp.on_cast
    def crash(self) -> None:
        raise ValueError("as it was told")


POOL: Final = otp.pool("pool", Server)


class Door(otp.GenStatem[str]):
    """Opens and closes; a state time-out locks it."""

    initial = "closed"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if content == "crash":
            raise ValueError(state)
        following = "open" if state == "closed" else "closed"
        if isinstance(kind, otp.From):
            return otp.NextState(following, otp.Reply(following))
        return otp.NextState(following)


class Ear(otp.GenEvent):
    """Counts events; raises at some, and is removed."""

    def __init__(self) -> None:
        self.count = 0

    def handle_event(self, event: Any) -> Any:
        if event == "crash":
            raise ValueError(event)
        self.count += 1


class Guest(otp.GenServer, restart="temporary"):
    """Comes and goes, and is in the registry meanwhile."""

    def init(self) -> None:
        REGISTRY.register("guests")
        otp.pg.join(otp.pg.Scope, "guests", otp.self())

    def handle_info(self, message: Any) -> Any:
        return otp.Stop(otp.NORMAL) if message == "leave" else None


def children() -> list[Any]:
    """List what stands in the tree: each behaviour once."""
    return [
        otp.child(otp.Registry, keys="duplicate").having(name="soak registry"),
        otp.child(otp.pg.Scope).having(name=otp.pg.Scope),
        otp.child(Server).having(name="server"),
        otp.child(Door).having(name="door"),
        otp.child(otp.EventManager).having(name="events"),
        otp.child(otp.Agent, dict).having(name="agent"),
        otp.child(otp.DynamicSupervisor).having(name="guests"),
        otp.child(otp.TaskSupervisor).having(name="tasks"),
        otp.child(otp.Pool, Server, size=3).having(name="pool"),
    ]


async def _double(number: int) -> int:
    await trio.lowlevel.checkpoint()
    return 2 * number


async def _fail(number: int) -> int:
    raise ValueError(number)


async def one_round(number: int, latencies: list[float]) -> None:
    """Do something with everything that stands in the tree; now and then let something end."""
    with suppress(*GONE):
        began = trio.current_time()
        await Server.at("server").put(number, number)
        latencies.append(trio.current_time() - began)
    with suppress(*GONE):
        await otp.call("door", "push")
    with suppress(*GONE):
        otp.gen_event.notify("events", number)
        await otp.Agent.update("agent", lambda state: {"number": number})
    with suppress(*GONE, otp.task.TaskExited):
        assert 2 * number == await (await otp.TaskSupervisor.start_async("tasks", _double, number))
    async with otp.task.async_stream(range(5), _double) as results:
        assert 5 == len([result async for result in results])
    with suppress(*GONE):
        async with POOL.checkout() as worker:
            await worker.put(number, number)
    await _guests(number)
    await _trouble(number)


async def _guests(number: int) -> None:
    with suppress(*GONE):
        for _ in range(3):
            await otp.start_child("guests", Guest)
        REGISTRY.send("guests", "hello")
        REGISTRY.send("guests", "leave")


async def _trouble(number: int) -> None:
    """End something, each time in another way; supervisors start it again."""
    with suppress(*GONE):
        match number % 10:
            case 1:
                Server.at("server").crash()
            case 2:
                otp.exit(random.choice(["server", "door", "agent", "pool"]), otp.KILL)
            case 3:
                otp.cast("door", "crash")
            case 4:
                await otp.gen_event.add_handler("events", Ear())
                otp.gen_event.notify("events", "crash")
            case 5:
                with suppress(otp.task.TaskExited):
                    await (await otp.TaskSupervisor.start_async_nolink("tasks", _fail, number))
            case 6:
                otp.exit("guests", otp.KILL)
            case _:
                await otp.call("server", "nobody knows this", timeout=0.001)
