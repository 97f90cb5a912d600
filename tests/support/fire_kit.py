"""A server under fire: where it lives, who waits for it, and how it is made to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from inside import process_of

import trio_otp as otp

if TYPE_CHECKING:
    from inside import Process

CALLERS = 100


class Bug(Exception):
    """What a server crashes with."""


class Target(otp.GenServer, shutdown=2.0):
    """Defers a call, or holds one in hand until it is told how to go on."""

    def __init__(self, end: Any = None, *, trap: bool = False, terminate: Any = None) -> None:
        self.kept: list[otp.From[Any]] = []
        self.go = trio.Event()
        self.end = end
        self.last = terminate
        otp.trap_exit(trap)

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        match request:
            case "defer":
                self.kept.append(from_)
                return otp.NoReply()
            case "hold":
                await self.go.wait()
                return self.end()
            case _:
                return otp.Reply("served")

    async def terminate(self, reason: object) -> None:
        if self.last is not None:
            await self.last()


class Scene:
    """A server with its house, and 100 callers in a nursery that outlives both."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.pid: otp.Pid[Any] | None = None
        self.process: Process | None = None
        self.ready = trio.Event()
        self.leave = trio.Event()
        self.got: dict[int, Any] = {}
        self.left: list[type[BaseException]] = []

    async def host(self, house: House, child: otp.Child[Any]) -> None:
        """Run a house, and take what leaves it as a Ctrl-C would."""
        try:
            await house(self, child)
        except BaseExceptionGroup as group:
            if not group.split((KeyboardInterrupt, SystemExit))[0]:
                raise
            self.left.append(type(group.exceptions[0]))

    def enter(self, pid: otp.Pid[Any] | None) -> None:
        """Note that the server runs."""
        assert pid is not None
        self.pid = pid
        self.process = process_of(pid)
        self.ready.set()

    async def call(self, number: int, request: str) -> None:
        """Be one caller."""
        assert self.pid is not None
        timeout = None if number % 3 == 0 else 60.0
        try:
            answer = await otp.call(self.pid, request, timeout=timeout)
        except otp.CallError as exc:
            answer = exc
        assert number not in self.got
        self.got[number] = answer

    async def fill(self) -> None:
        """Put the callers where they are to be when the server ends."""
        for request, numbers in {
            "defer": range(CALLERS // 3),
            "hold": [CALLERS // 3],
            "queued": range(CALLERS // 3 + 1, CALLERS),
        }.items():
            for number in numbers:
                if number % 2:
                    otp.spawn(self.call, number, request, nursery=self.nursery)
                else:
                    self.nursery.start_soon(self.call, number, request)
            await trio.testing.wait_all_tasks_blocked()

    @property
    def server(self) -> Target:
        """Return the instance."""
        assert self.process is not None
        instance: Target = self.process.instance
        return instance


House = Callable[[Scene, otp.Child[Any]], Awaitable[None]]


async def in_nursery(scene: Scene, child: otp.Child[Any]) -> None:
    """Be a house: a user's nursery, cancelled when it is time to leave."""
    async with trio.open_nursery() as nursery:
        scene.enter(await otp.start(child, nursery=nursery))
        await scene.leave.wait()
        nursery.cancel_scope.cancel()


async def in_supervisor(scene: Scene, child: otp.Child[Any]) -> None:
    """Be a house: the block of open_supervisor."""
    async with otp.open_supervisor([child.having(name="target", restart="temporary")]):
        scene.enter(otp.whereis("target"))
        await scene.leave.wait()


async def in_dynamic_supervisor(scene: Scene, child: otp.Child[Any]) -> None:
    """Be a house: a dynamic supervisor below another supervisor."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="dynamic")]):
        scene.enter(await otp.start_child("dynamic", child.having(restart="temporary")))
        await scene.leave.wait()


async def with_link(scene: Scene, child: otp.Child[Any]) -> None:
    """Be a house: a process that the server is linked to, and which crashes."""

    async def boss() -> None:
        scene.enter(await otp.start_link(child))
        await scene.leave.wait()
        raise Bug

    async with trio.open_nursery() as nursery:
        otp.spawn(boss, nursery=nursery)


async def in_block(scene: Scene, child: otp.Child[Any]) -> None:
    """Be a house: the block of open_process."""
    async with otp.open_process():
        scene.enter(await otp.start(child))
        await scene.leave.wait()
