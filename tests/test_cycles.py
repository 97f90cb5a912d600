"""A process that has ended leaves nothing to the garbage collector: its last reference frees it.

Each case lets processes of one kind come and go with the collector switched off; what a collection
then finds was in a circle of references.
"""

from __future__ import annotations

import gc
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

TIMES = 5  # how many of a kind come and go


class Server(otp.GenServer):
    """Answers; crashes on a cast."""

    def handle_call(self, request: Any, from_: Any) -> Any:
        if request == "crash":
            raise ValueError(from_)
        return otp.Reply(request)

    def handle_cast(self, message: Any) -> Any:
        raise ValueError(message)


class Patient(otp.GenServer):
    """Waits in its `terminate`."""

    async def terminate(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


class Machine(otp.GenStatem[str]):
    """A state machine in its only state."""

    initial = "on"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        return None


class Handler(otp.GenEvent):
    """Takes every event."""


async def _answer(*_: object) -> int:
    return 1


async def _crash() -> None:
    raise ValueError


async def _serve(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    await trio.sleep_forever()


async def _settle(pid: otp.Pid | None = None) -> None:
    """Wait until all has ended that is about to."""
    await wait_all_tasks_blocked()
    assert pid is None or not otp.is_alive(pid)


async def stopped(nursery: trio.Nursery) -> None:
    pid = await otp.start(Server, nursery=nursery)
    await otp.call(pid, 1)
    await otp.stop(pid)


async def stopped_with_patience(nursery: trio.Nursery) -> None:
    await otp.stop(await otp.start(Patient, nursery=nursery))


async def killed(nursery: trio.Nursery) -> None:
    pid = await otp.start(Server, nursery=nursery)
    otp.exit(pid, otp.KILL)
    await _settle(pid)


async def told_to_exit(nursery: trio.Nursery) -> None:
    pid = await otp.start(Server, nursery=nursery)
    otp.exit(pid, "enough")
    await _settle(pid)


async def crashed(nursery: trio.Nursery) -> None:
    pid = await otp.start(Server, nursery=nursery)
    otp.cast(pid, 1)
    await _settle(pid)


async def crashed_in_a_call(nursery: trio.Nursery) -> None:
    pid = await otp.start(Server, nursery=nursery)
    with suppress(otp.ServerExited):
        await otp.call(pid, "crash")
    await _settle(pid)


async def plain_crashed(nursery: trio.Nursery) -> None:
    await _settle(otp.spawn(_crash, nursery=nursery))


async def task_crashed(nursery: trio.Nursery) -> None:
    with suppress(otp.task.TaskExited):
        await otp.task.start_async(_crash, nursery=nursery)


async def child_restarted(_: trio.Nursery) -> None:
    async with otp.open_supervisor([otp.child(Server).having(name="server")]):
        otp.cast("server", 1)
        await wait_all_tasks_blocked()
        assert 1 == await otp.call("server", 1)


async def machine(nursery: trio.Nursery) -> None:
    await otp.stop(await otp.start(Machine, nursery=nursery))


async def event_manager(nursery: trio.Nursery) -> None:
    pid = await otp.start(otp.child(otp.EventManager), nursery=nursery)
    await otp.gen_event.add_handler(pid, Handler())
    await otp.stop(pid)


async def function(nursery: trio.Nursery) -> None:
    pid = await otp.start(_serve, nursery=nursery)
    otp.exit(pid, otp.KILL)
    await _settle(pid)


async def spawned(nursery: trio.Nursery) -> None:
    await _settle(otp.spawn(_answer, nursery=nursery))


async def task(nursery: trio.Nursery) -> None:
    assert 1 == await otp.task.start_async(_answer, nursery=nursery)


async def task_of_a_process(_: trio.Nursery) -> None:
    async with otp.open_process():
        assert 1 == await otp.task.start_async(_answer)


async def stream(_: trio.Nursery) -> None:
    async with otp.task.async_stream(range(3), _answer) as results:
        assert 3 == len([result async for result in results])


async def linked_and_monitored(_: trio.Nursery) -> None:
    async with otp.open_process():
        pid = await otp.start_link(Server)
        otp.monitor(pid)
        await otp.stop(pid)


async def child(_: trio.Nursery) -> None:
    async with otp.open_supervisor([Server]):
        pass


async def dynamic_child(nursery: trio.Nursery) -> None:
    sup = await otp.start(otp.DynamicSupervisor, nursery=nursery)
    pid = await otp.start_child(sup, Server)
    await otp.terminate_child(sup, pid)
    await otp.stop(sup)


async def supervised_task(nursery: trio.Nursery) -> None:
    sup = await otp.start(otp.TaskSupervisor, nursery=nursery)
    assert 1 == await (await otp.TaskSupervisor.start_async(sup, _answer))
    await otp.stop(sup)


KINDS = (
    stopped,
    stopped_with_patience,
    killed,
    told_to_exit,
    crashed,
    crashed_in_a_call,
    plain_crashed,
    task_crashed,
    child_restarted,
    machine,
    event_manager,
    function,
    spawned,
    task,
    task_of_a_process,
    stream,
    linked_and_monitored,
    child,
    dynamic_child,
    supervised_task,
)


@pytest.fixture
def unlogged() -> Iterator[None]:
    """No log: a record that a handler keeps would keep the process."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("unlogged")
def test_the_dead_leave_no_circle(kind: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    async def main() -> int:
        async with trio.open_nursery() as nursery:
            await kind(nursery)  # what the first one brings stays
            await _settle()
            gc.collect()
            for _ in range(TIMES):
                await kind(nursery)
                await _settle()
            return gc.collect()

    gc.disable()
    try:
        assert 0 == trio.run(main)
    finally:
        gc.enable()
