"""Code of the user stays open to Ctrl-C wherever the library calls it: an endless loop ends."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from trio.lowlevel import currently_ki_protected

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SEEN: dict[str, bool] = {}  # {which code of the user ran: whether Ctrl-C was held off}
REG = otp.registry("Reg")


def note(what: str) -> None:
    """Note, in code of the user, whether Ctrl-C could break into it."""
    SEEN[what] = SEEN.get(what, False) or currently_ki_protected()


class Server(otp.GenServer):
    """Notes each of its callbacks."""

    hibernate_after = None

    def __init__(self) -> None:
        note("constructor")

    def init(self) -> Any:
        note("init")
        return otp.NoReply(continue_="token")

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        note("handle_call")
        if request == "defer":
            otp.reply_from_task(from_, noted, "reply_from_task")
            return otp.NoReply()
        if request == "crash":
            raise ValueError(request)
        return otp.Reply(request)

    def handle_cast(self, message: Any) -> None:
        note("handle_cast")

    def handle_info(self, message: Any) -> None:
        note("handle_info")

    def handle_continue(self, token: Any) -> None:
        note("handle_continue")

    @otp.on_call
    def asked(self) -> int:
        note("on_call")
        return 1

    @otp.on_cast
    def told(self) -> None:
        note("on_cast")

    @otp.on_call_deferred
    def deferred(self, from_: otp.From[int]) -> None:
        note("on_call_deferred")
        otp.reply(from_, 1)

    def terminate(self, reason: object) -> None:
        note("terminate")

    def format_status(self) -> object:
        note("format_status")
        return None

    def code_change(self, old_version: Any, extra: Any) -> None:
        note("code_change")


class Awaiting(otp.GenServer):
    """Does so with async callbacks."""

    async def init(self) -> Any:
        await noted("async init")

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        await noted("async handle_call")
        return otp.Reply(request, timeout=0.01)

    async def handle_cast(self, message: Any) -> Any:
        await noted("async handle_cast")
        return otp.NoReply(continue_="token")

    async def handle_info(self, message: Any) -> None:
        await noted("async handle_info")

    async def handle_continue(self, token: Any) -> None:
        await noted("async handle_continue")

    async def terminate(self, reason: object) -> None:
        await noted("async terminate")

    async def code_change(self, old_version: Any, extra: Any) -> None:
        await noted("async code_change")


async def noted(what: str, value: Any = None) -> Any:
    note(what)
    await trio.lowlevel.checkpoint()
    note(what)
    return value


async def servers() -> None:
    """Run everything a server may define."""
    children = [otp.child(Server).having(name="s"), otp.child(Awaiting).having(name="a")]
    async with otp.open_supervisor(children):
        for ref in ("s", "a"):
            await otp.call(ref, 1)
            otp.cast(ref, 1)
            otp.send(ref, 1)
            await trio.sleep(1)
            await otp.sys.get_status(ref)
            await otp.sys.replace_state(ref, lambda state: (note("replace_state"), state)[1])
            await otp.sys.suspend(ref)
            await otp.sys.change_code(ref)
            await otp.sys.resume(ref)
        await Server.asked("s")
        Server.told("s")
        await Server.deferred("s")
        await otp.call("s", "defer")
        with suppress(otp.ServerExited):
            await otp.call("s", "crash")
        await trio.sleep(1)


class Sup(otp.Supervisor):
    def __init__(self) -> None:
        note("constructor of a supervisor")

    async def init(self) -> Any:
        await noted("init of a supervisor")
        return otp.Supervisor.spec([])


class Dynamic(otp.DynamicSupervisor):
    def init(self) -> Any:
        note("init of a dynamic supervisor")
        return super().init()


async def function_child(*, task_status: trio.TaskStatus[None]) -> None:
    await noted("function child")
    task_status.started()
    await noted("function child that has started")


async def processes() -> None:
    """Run plain processes, supervisors, and what they are given."""
    async with otp.open_supervisor([Sup, Dynamic, otp.child(function_child)]):
        note("block of open_supervisor")
    async with otp.open_process():
        note("block of open_process")
        otp.spawn(noted, "spawn")
        otp.spawn_link(noted, "spawn_link")
        otp.apply_after(0.1, noted, "apply_after")
        otp.apply_interval(0.1, noted, "apply_interval")
        otp.send(otp.self(), 1)
        await otp.receive(lambda _: (note("match"), True)[1])
        otp.spawn(special)
        await trio.sleep(1)


async def special() -> None:
    process = otp.SpecialProcess()
    otp.send(otp.self(), 1)
    await process.receive(lambda _: (note("match of a special process"), True)[1])


async def tasks() -> None:
    """Run tasks, with and without a supervisor, and streams."""

    def items() -> Iterator[str]:
        note("input of a stream")
        yield "stream"

    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="t")]):
        await (await otp.TaskSupervisor.start_async("t", noted, "task under a supervisor"))
        async with otp.task.async_stream(items(), noted) as results:
            note("block of a stream")
            async for _ in results:
                note("loop over a stream")
        async with otp.TaskSupervisor.async_stream("t", items(), noted) as results:
            async for _ in results:
                pass
        async with otp.open_process():
            await otp.task.start_async(noted, "task")


class Handler(otp.GenEvent):
    async def init(self) -> None:
        await noted("init of a handler")

    async def handle_event(self, event: Any) -> None:
        await noted("handle_event")

    async def handle_call(self, request: Any) -> Any:
        await noted("handle_call of a handler")
        return otp.Reply(request)

    async def handle_info(self, message: Any) -> None:
        await noted("handle_info of a handler")

    async def terminate(self, reason: object) -> None:
        await noted("terminate of a handler")


class Machine(otp.GenStatem[str]):
    initial = "one"

    async def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        await noted("handle_event of a state machine")
        return otp.KeepState()

    async def terminate(self, reason: object) -> None:
        await noted("terminate of a state machine")


async def other_behaviours() -> None:
    """Run event managers, state machines, agents and registries."""
    children = [
        otp.child(otp.EventManager, [Handler]).having(name="e"),
        otp.child(Machine).having(name="m"),
        otp.child(otp.Agent, lambda: note("first state of an agent")).having(name="agent"),
        otp.child(otp.Registry).having(name="Reg"),
    ]
    async with otp.open_supervisor(children), otp.open_process():
        await otp.gen_event.sync_notify("e", 1)
        await otp.gen_event.call("e", Handler, 1)
        otp.send("e", 1)
        otp.cast("m", 1)
        await otp.Agent.get("agent", lambda _: note("get of an agent"))
        await otp.Agent.update("agent", lambda _: note("update of an agent"))
        REG.register("key", 1)
        REG.update_value("key", lambda _: note("update_value"))
        REG.dispatch("key", lambda _: note("dispatch"))
        REG.unregister_match("key", lambda _: (note("unregister_match"), True)[1])
        async with REG.lock("key"):
            note("block of a lock")
        async with REG.subscribe("topic"):
            note("block of a subscription")
        await trio.sleep(1)


class App(otp.Application):
    environment = {"size": 1}  # noqa: RUF012  (a test class)
    start_phases = ("one",)

    async def start(self) -> Any:
        await noted("start of an application")
        return otp.Supervisor.spec([])

    async def start_phase(self, phase: str) -> None:
        await noted("start_phase")

    async def prep_stop(self) -> None:
        await noted("prep_stop")

    async def stop(self) -> None:
        await noted("stop of an application")

    async def config_change(self, *_: object) -> None:
        await noted("config_change")


async def applications() -> None:
    """Run an application."""

    async def last(_: object) -> None:
        await noted("shutdown_func")

    async with otp.open_application(App, shutdown_func=last):
        note("block of open_application")
        await otp.application.reload_config({"app": {"size": 2}})


async def threads() -> None:
    """Tell a thread to stop."""
    running, stop = trio.Event(), threading.Event()

    def work() -> None:
        otp.WorkerThread.on_stop(lambda: (note("on_stop"), stop.set()))
        trio.from_thread.run_sync(running.set)
        stop.wait(10)

    async with otp.open_process():
        await otp.start_link(otp.child(otp.WorkerThread, work))
        await running.wait()


@pytest.mark.parametrize(
    ("program", "expected"),
    [(servers, 21), (processes, 13), (tasks, 6), (other_behaviours, 15), (applications, 7)],
)
async def test_ctrl_c_can_break_into_it(
    program: Callable[[], Awaitable[None]],
    expected: int,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """No code of the user that the library calls is protected."""
    SEEN.clear()
    await program()
    assert [] == [what for what, held_off in SEEN.items() if held_off]
    assert expected == len(SEEN), sorted(SEEN)


async def test_ctrl_c_can_break_into_what_stops_a_thread() -> None:
    """It runs in the thread of the loop."""
    SEEN.clear()
    await threads()
    assert {"on_stop": False} == SEEN
