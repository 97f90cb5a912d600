"""A small world in which each public async function can be used once, and the table of its uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from inside import runtime

import trio_otp as otp


class Slow(otp.GenServer):
    """Has checkpoints everywhere, so that something can happen at each of them."""

    def __init__(self) -> None:
        self.kept: list[otp.From[Any]] = []

    async def init(self) -> None:
        await steps()

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        await steps()
        if request == "helper":
            otp.reply_from_task(from_, give, "helped")
            return otp.NoReply()
        return otp.Reply(request)

    async def handle_cast(self, message: Any) -> None:
        await steps()

    @otp.on_call
    async def echo(self, value: str) -> str:
        await steps()
        return value

    @otp.on_cast
    async def note(self, value: str) -> None:
        await steps()

    def handle_info(self, message: Any) -> None:
        """Take it."""

    async def terminate(self, reason: object) -> None:
        await steps()


async def steps(count: int = 2) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


async def give(value: Any) -> Any:
    await steps()
    return value


def slow(name: str) -> otp.Child[Slow]:
    return otp.child(Slow).having(name=name)


class Listener(otp.GenEvent):
    """A handler with checkpoints everywhere."""

    async def init(self) -> None:
        await steps()

    async def handle_event(self, event: Any) -> None:
        await steps()

    async def handle_call(self, request: Any) -> Any:
        await steps()
        return otp.Reply(request)

    @otp.on_call
    async def asked(self, value: str) -> str:
        await steps()
        return value

    async def terminate(self, reason: object) -> Any:
        await steps()
        return reason


class Base(otp.Application):
    """Something to depend on."""

    def start(self) -> Any:
        return otp.Supervisor.spec([slow("base worker")])


class App(otp.Application):
    """An application with one worker."""

    dependencies = (Base,)
    environment = {"size": 1}  # noqa: RUF012  (a test class)

    async def config_change(self, *_: object) -> None:
        await steps()

    def start(self) -> Any:
        return otp.Supervisor.spec([slow("app worker")])


class World:
    """A process `me` beside a tree: `sup` with `up`, `down` (stopped), `dyn` with `dynamic`."""

    def __init__(self, nursery: trio.Nursery, begin: Callable[[], object]) -> None:
        self.nursery = nursery
        self.begin = begin
        self.before = set(runtime().processes.values())
        self.links = set(self.me.links or ())
        self.returned: list[Any] = []  # pids an operation gave to its caller

    @property
    def me(self) -> Any:
        return runtime().names["me"]

    async def check(self) -> None:
        """Fail if anything is left of an operation, or if the servers do not work any more."""
        await trio.sleep(100)
        for process in runtime().processes.values():
            assert not process.requests, process
            assert process.waits_for is None, process
            assert process.starting is None, process
            assert process.alive, process
        assert all(process.alive for process in runtime().names.values())
        assert not any(runtime().timers._fifos.values())
        assert 0 == runtime().timers.pending()
        assert {} == runtime().name_watchers
        assert not [process for process in self.before if process.extras.followers]
        assert runtime().node is None
        await self._check_own()

    async def _check_own(self) -> None:
        new = {process.pid for process in set(runtime().processes.values()) - self.before}
        listed = {
            info.pid
            for sup in ("sup", "dyn", "shop", "db")
            for info in (await otp.which_children(sup) if otp.whereis(sup) else [])
        }
        assert new <= listed | set(self.returned)
        assert {process.pid for process in self.me.links or ()} <= {
            *(process.pid for process in self.links),
            *self.returned,
        }
        assert not self.me.monitors
        left = [message for message in self.me.mailbox.drain() if not self._may_stay(message)]
        assert [] == left, left
        if otp.whereis("events") is not None:
            await otp.gen_event.sync_notify("events", "works")
        for name in ("up", "server", "dynamic", "new"):
            if otp.whereis(name) is not None:
                assert "works" == await otp.call(name, "works")

    def _may_stay(self, message: object) -> bool:
        """Check whether it is of the end of what an operation started and linked."""
        return isinstance(message, otp.Exit) and message.pid in self.returned


@asynccontextmanager
async def world(begin: Callable[[], object]) -> AsyncGenerator[World]:
    """Build the world, and check that nothing of it is left at its end."""
    children = [
        slow("up"),
        slow("down"),
        otp.child(otp.DynamicSupervisor).having(name="dyn"),
        otp.child(otp.EventManager, [Listener]).having(name="events"),
    ]
    async with (
        otp.open_supervisor(children, name="sup"),
        otp.open_process(name="me", trap_exit=True),
        trio.open_nursery() as nursery,
    ):
        await otp.terminate_child("sup", "down")
        await otp.start_child("dyn", slow("dynamic"))
        await otp.start(slow("server"))
        yield World(nursery, begin)
        nursery.cancel_scope.cancel()
    assert {} == runtime().processes
    assert {} == runtime().names
    assert {} == runtime().nurseries


# -- the operations --------------------------------------------------------------------------------

Operation = Callable[[World], Awaitable[object]]
CASES: dict[str, Operation] = {}


def case(name: str) -> Callable[[Operation], Operation]:
    """Enter an operation under the public name that it uses, and a word on how.

    It calls `w.begin()` when its preparations are over.
    """

    def enter(operation: Operation) -> Operation:
        CASES[name] = operation
        return operation

    return enter
