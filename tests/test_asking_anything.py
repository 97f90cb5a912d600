"""Everything that has a pid, asked in every way: who asks gets an answer, and the run goes on.

What is no server may answer while the request is being put into its mailbox, before its caller
waits. The kinds stand in `KINDS`, the ways to ask in `WAYS`.
"""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Kind = Callable[[], AbstractAsyncContextManager[otp.Pid[Any]]]
    Way = Callable[[otp.Pid[Any]], Awaitable[object]]

REG = otp.registry("Reg")
a_registry = otp.child(otp.Registry).having(name="Reg")
KINDS: dict[str, Kind] = {}
OUTSIDE = ("port", "worker_thread")  # which no virtual clock knows of


def kind(function: Callable[[], AsyncGenerator[otp.Pid[Any]]]) -> None:
    """Enter a block that gives the pid of something."""
    KINDS[function.__name__] = asynccontextmanager(function)


class Echo(otp.GenServer):
    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply(request)

    def handle_cast(self, message: Any) -> None: ...

    def handle_info(self, message: Any) -> None: ...


class Sleepy(Echo):
    hibernate_after = 0


class Slow(Echo):
    async def init(self) -> None:
        await trio.sleep(3)


class Ending(Echo):
    async def terminate(self, reason: object) -> None:
        await trio.sleep(3)


class Machine(otp.GenStatem[str]):
    initial = "one"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        if isinstance(kind, otp.From):
            return otp.KeepState(otp.ReplyTo(kind, content))
        return otp.KeepState()


class App(otp.Application):
    def start(self) -> Any:
        return otp.Supervisor.spec([])


@asynccontextmanager
async def running(child: Any) -> AsyncGenerator[otp.Pid[Any]]:
    async with trio.open_nursery() as nursery:
        pid = await otp.start(child, nursery=nursery)
        yield pid
        nursery.cancel_scope.cancel()


@kind
async def server() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Echo)) as pid:
        yield pid


@kind
async def sleeping_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Sleepy)) as pid:
        await trio.testing.wait_all_tasks_blocked()
        yield pid


@kind
async def suspended_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Echo)) as pid:
        await otp.sys.suspend(pid)
        yield pid


@kind
async def server_with_a_channel() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Echo)) as pid, otp.send_end(pid):
        yield pid


@kind
async def starting_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with trio.open_nursery() as nursery:
        child = otp.child(Slow).having(name="slow")
        nursery.start_soon(lambda: otp.start(child, nursery=nursery))
        await trio.testing.wait_all_tasks_blocked()
        pid = otp.whereis("slow")
        assert pid is not None
        yield pid
        nursery.cancel_scope.cancel()


@kind
async def ending_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Ending), nursery=nursery)
        nursery.start_soon(otp.stop, pid)
        await trio.testing.wait_all_tasks_blocked()
        yield pid


@kind
async def dead_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Echo)) as pid:
        await otp.stop(pid)
        yield pid


@kind
async def killed_server() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Echo)) as pid:
        otp.exit(pid, otp.KILL)
        yield pid


@kind
async def state_machine() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(Machine)) as pid:
        yield pid


@kind
async def event_manager() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.EventManager)) as pid:
        yield pid


@kind
async def agent() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.Agent, dict)) as pid:
        yield pid


@kind
async def supervisor() -> AsyncGenerator[otp.Pid[Any]]:
    async with otp.open_supervisor([Echo]) as sup:
        yield sup.pid


@kind
async def dynamic_supervisor() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.DynamicSupervisor)) as pid:
        yield pid


@kind
async def task_supervisor() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.TaskSupervisor)) as pid:
        yield pid


@kind
async def partition_supervisor() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.PartitionSupervisor, otp.child(Echo), partitions=1)) as pid:
        yield pid


@kind
async def plain_process() -> AsyncGenerator[otp.Pid[Any]]:
    async with trio.open_nursery() as nursery:
        yield otp.spawn(trio.sleep_forever, nursery=nursery)
        nursery.cancel_scope.cancel()


@kind
async def special_process() -> AsyncGenerator[otp.Pid[Any]]:
    async def body() -> None:
        process = otp.SpecialProcess()
        while True:
            await process.receive()

    async with trio.open_nursery() as nursery:
        pid = otp.spawn(body, nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        yield pid
        nursery.cancel_scope.cancel()


@kind
async def block_of_a_process() -> AsyncGenerator[otp.Pid[Any]]:
    ready, pids = trio.Event(), []

    async def block() -> None:
        async with otp.open_process() as pid:
            pids.append(pid)
            ready.set()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(block)
        await ready.wait()
        yield pids[0]
        nursery.cancel_scope.cancel()


@kind
async def own_block() -> AsyncGenerator[otp.Pid[Any]]:
    async with otp.open_process() as pid:
        yield pid


@kind
async def registry() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(a_registry) as pid:
        yield pid


@kind
async def subscription() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(a_registry), REG.subscribe("key") as channel:
        yield channel.pid


@kind
async def full_subscription() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(a_registry), REG.subscribe("key", max_buffer=1) as channel:
        otp.send(channel.pid, "fills it")
        yield channel.pid


@kind
async def left_subscription() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(a_registry), REG.subscribe("key") as channel:
        await channel.aclose()
        yield channel.pid


@kind
async def holder_of_a_lock() -> AsyncGenerator[otp.Pid[Any]]:
    async def hold() -> None:
        async with REG.lock("key"):
            await trio.sleep_forever()

    async with running(a_registry), trio.open_nursery() as nursery:
        pid = otp.spawn(hold, nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        yield pid
        nursery.cancel_scope.cancel()


@kind
async def task() -> AsyncGenerator[otp.Pid[Any]]:
    async with otp.open_process():
        pid = otp.task.start_async(trio.sleep_forever).pid
        assert pid is not None
        yield pid


@kind
async def task_under_a_supervisor() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.TaskSupervisor)) as sup:
        yield await otp.TaskSupervisor.start_child(sup, trio.sleep_forever)


@kind
async def application() -> AsyncGenerator[otp.Pid[Any]]:
    async with otp.open_application(App, type="temporary") as app:
        yield app.pid


@kind
async def worker_thread() -> AsyncGenerator[otp.Pid[Any]]:
    stop = threading.Event()

    def work() -> None:
        otp.WorkerThread.on_stop(stop.set)
        stop.wait(10)

    async with running(otp.child(otp.WorkerThread, work)) as pid:
        yield pid


@kind
async def port() -> AsyncGenerator[otp.Pid[Any]]:
    async with running(otp.child(otp.Port, ["cat"])) as pid:
        yield pid


async def request(pid: otp.Pid[Any]) -> None:
    await otp.receive_response(otp.send_request(pid, "x"), timeout=0.01)


async def manage(pid: otp.Pid[Any]) -> None:
    await otp.start_child(pid, otp.child(Echo).having(id="new"))


async def one_way(pid: otp.Pid[Any]) -> None:
    otp.cast(pid, "x")
    otp.send(pid, "x")
    otp.send_request(pid, "x")
    await trio.lowlevel.checkpoint()


async def together(pid: otp.Pid[Any]) -> None:
    await otp.multi_call([pid, pid], "x", timeout=0.01)


WAYS: dict[str, Way] = {
    "call": lambda pid: otp.call(pid, "x", timeout=0.01),
    "call without a time-out": lambda pid: otp.call(pid, "x", timeout=None),
    "call with no time": lambda pid: otp.call(pid, "x", timeout=0),
    "call of a method": lambda pid: otp.Agent.get(pid, len, timeout=0.01),
    "call to a handler": otp.gen_event.which_handlers,
    "request": request,
    "together": together,
    "get_state": lambda pid: otp.sys.get_state(pid, timeout=0.01),
    "resume": lambda pid: otp.sys.resume(pid, timeout=0.01),
    "start_child": manage,
    "stop": lambda pid: otp.stop(pid, timeout=0.01),
    "one way": one_way,
}


def in_a_run(name: str, ask: Callable[[otp.Pid[Any]], Awaitable[None]]) -> None:
    """Ask something in a run of its own, and check that nothing is left of that."""

    async def main() -> None:
        async with KINDS[name]() as pid:
            await ask(pid)
            await trio.lowlevel.checkpoint()
            for process in runtime().processes.values():
                assert [] == [each for each in (process.requests or ()) if each._task is not None]
        assert {} == runtime().processes

    clock = None if name in OUTSIDE else trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, clock=clock)


@pytest.mark.sampled(90)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_every_question_is_answered(name: str, way: str) -> None:
    """By a value, by an error, or not in time; and then it can wait for other things."""

    async def ask(pid: otp.Pid[Any]) -> None:
        with suppress(otp.OtpError, TypeError), trio.move_on_after(0.02):
            await WAYS[way](pid)
        with trio.move_on_after(0):  # what has woken it is over by now
            await trio.sleep_forever()

    in_a_run(name, ask)


@pytest.mark.sampled(90)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_a_cancelled_caller_waits_for_nobody(name: str, way: str) -> None:
    """Cancelled before it asks, it hears of that, or of what it could know beforehand."""

    async def ask(pid: otp.Pid[Any]) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            with suppress(otp.OtpError, TypeError):
                await WAYS[way](pid)
                await trio.lowlevel.checkpoint()

    in_a_run(name, ask)
