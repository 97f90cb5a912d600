"""A failing use of each public async function: what is wrong is the state of the run, if it can be.

Each prepares what it needs and gives the await that fails, so that only that one is looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from async_cases_cluster import HERE, THERE
from async_cases_watch import Gauge
from async_world import App, Base, Listener, Slow, World, give, slow
from inside import create

import trio_otp as otp
from trio_otp.testing import (
    OtpSystem,
    Probe,
    assert_call_fails,
    assert_down,
    assert_receive,
    assert_restarted,
    pause,
    refute_receive,
    virtual_clock,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

Fails = Callable[[], Awaitable[object]]
Prepare = Callable[[World], Awaitable[Fails]]
# {public name, and a word on how: (preparation, the error)}
FAILURES: dict[str, tuple[Prepare, type[Exception]]] = {}
SIMPLE: dict[str, Fails] = {}  # those of them that need no preparation
# Those that have no error of their own, and why.
CANNOT_FAIL = {
    "OpenApplication.wait": "waits for an end",
    "OpenApplication.wait_over": "waits for an end",
    "OpenSupervisor.wait": "waits for an end",
    "SendEnd.aclose": "closes, in a cancelled scope too",
    "observer.problems": "reads tables",
    "Subscription.aclose": "closes, in a cancelled scope too",
    "wait_draining": "waits for an end that may never come",
    "testing.open_system": "fails only as it is left",
}


def failing(name: str, error: type[Exception]) -> Callable[[Prepare], Prepare]:
    """Enter a preparation under the public name that fails, and a word on how."""

    def enter(prepare: Prepare) -> Prepare:
        FAILURES[name] = prepare, error
        return prepare

    return enter


def simply(name: str, error: type[Exception], fails: Fails) -> None:
    """Enter what needs no preparation."""

    async def prepare(_: World) -> Fails:  # noqa: ASYNC124 - others prepare something
        return fails

    FAILURES[name] = prepare, error
    SIMPLE[name] = fails


async def enter(block: AbstractAsyncContextManager[object]) -> None:
    async with block:
        raise AssertionError("the block was entered")


async def next_of(stream: AbstractAsyncContextManager[Any]) -> None:
    async with stream as results:
        await anext(results)


REG = otp.registry("nobody")
SLOW = Slow.at("nobody")


# -- nobody is there -------------------------------------------------------------------------------

NOBODY: dict[str, Fails] = {
    "call": lambda: otp.call("nobody", "x"),
    "call: without limit": lambda: otp.call("nobody", "x", timeout=None),
    "call: of a client": lambda: SLOW.echo("x"),
    "call: of a class": lambda: Slow.echo("nobody", "x"),
    "call: of a handler": lambda: Listener.at("nobody").asked("x"),
    "stop": lambda: otp.stop("nobody"),
    "receive_response": lambda: otp.receive_response(otp.send_request("nobody", "x")),
    "wait_response": lambda: otp.wait_response(otp.send_request("nobody", "x")),
    "Agent.get": lambda: otp.Agent.get("nobody", len),
    "Agent.update": lambda: otp.Agent.update("nobody", len),
    "Agent.get_and_update": lambda: otp.Agent.get_and_update("nobody", len),
    "start_child": lambda: otp.start_child("nobody", Slow),
    "terminate_child": lambda: otp.terminate_child("nobody", "x"),
    "restart_child": lambda: otp.restart_child("nobody", "x"),
    "delete_child": lambda: otp.delete_child("nobody", "x"),
    "which_children": lambda: otp.which_children("nobody"),
    "which_child": lambda: otp.which_child("nobody", "x"),
    "count_children": lambda: otp.count_children("nobody"),
    "get_childspec": lambda: otp.get_childspec("nobody", "x"),
    "ensure_child": lambda: otp.ensure_child("nobody", slow("new")),
    "Partitions.resize": lambda: otp.partitions("nobody").resize(1),
    "PoolHandle.checkout": lambda: enter(otp.pool("nobody").checkout()),
    "wait_for_child": lambda: otp.wait_for_child("nobody", "x"),
    "while_alive": lambda: enter(otp.while_alive("nobody")),
    "RegistryHandle.lock": lambda: enter(REG.lock("key")),
    "RegistryHandle.subscribe": lambda: enter(REG.subscribe("key")),
    "TaskSupervisor.start_async": lambda: otp.TaskSupervisor.start_async("nobody", give, 1),
    "TaskSupervisor.start_async_nolink": lambda: otp.TaskSupervisor.start_async_nolink(
        "nobody", give, 1
    ),
    "TaskSupervisor.start_child": lambda: otp.TaskSupervisor.start_child("nobody", give, 1),
    "TaskSupervisor.children": lambda: otp.TaskSupervisor.children("nobody"),
    "TaskSupervisor.terminate_child": lambda: otp.TaskSupervisor.terminate_child(
        "nobody", otp.self()
    ),
    "task.async_stream": lambda: next_of(otp.TaskSupervisor.async_stream("nobody", [1], give)),
    "alarm_handler.get_alarms": otp.alarm_handler.get_alarms,
    "gen_event.add_handler": lambda: otp.gen_event.add_handler("nobody", Listener()),
    "gen_event.add_sup_handler": lambda: otp.gen_event.add_sup_handler("nobody", Listener()),
    "gen_event.call": lambda: otp.gen_event.call("nobody", Listener, "x"),
    "gen_event.delete_handler": lambda: otp.gen_event.delete_handler("nobody", Listener),
    "gen_event.stop": lambda: otp.gen_event.stop("nobody"),
    "gen_event.swap_handler": lambda: otp.gen_event.swap_handler("nobody", Listener, Listener()),
    "gen_event.swap_sup_handler": lambda: otp.gen_event.swap_sup_handler(
        "nobody", Listener, Listener()
    ),
    "gen_event.sync_notify": lambda: otp.gen_event.sync_notify("nobody", "x"),
    "gen_event.which_handlers": lambda: otp.gen_event.which_handlers("nobody"),
    "sys.change_code": lambda: otp.sys.change_code("nobody"),
    "sys.get_state": lambda: otp.sys.get_state("nobody"),
    "sys.get_status": lambda: otp.sys.get_status("nobody"),
    "sys.install": lambda: otp.sys.install("nobody", print),
    "sys.log": lambda: otp.sys.log("nobody", True),
    "sys.log_to_file": lambda: otp.sys.log_to_file("nobody", False),
    "sys.no_debug": lambda: otp.sys.no_debug("nobody"),
    "sys.remove": lambda: otp.sys.remove("nobody", "x"),
    "sys.replace_state": lambda: otp.sys.replace_state("nobody", str),
    "sys.resume": lambda: otp.sys.resume("nobody"),
    "sys.statistics": lambda: otp.sys.statistics("nobody", True),
    "sys.suspend": lambda: otp.sys.suspend("nobody"),
    "sys.terminate": lambda: otp.sys.terminate("nobody"),
    "sys.trace": lambda: otp.sys.trace("nobody", True),
}
for _name, _fails in NOBODY.items():
    simply(_name, otp.NoProcess, _fails)

# -- the wrong one is there ------------------------------------------------------------------------

WRONG: dict[str, Fails] = {
    "call: of another class": lambda: Slow.at("events").echo("x"),
    "Agent.get: of no agent": lambda: otp.Agent.get("up", len),
    "gen_event.call: of no manager": lambda: otp.gen_event.call("up", Listener, "x"),
    "start_child: of no supervisor": lambda: otp.start_child("up", Slow),
    "sys.get_state: of a plain process": lambda: otp.sys.get_state("me"),
    "TaskSupervisor.children: of another": lambda: otp.TaskSupervisor.children("dyn"),
}
for _name, _fails in WRONG.items():
    simply(_name, otp.WrongServer, _fails)

simply("call: to itself", otp.CallingSelf, lambda: otp.call("me", "x"))
simply("call: to itself, with a limit", otp.CallingSelf, lambda: otp.call("me", "x", timeout=1))
simply("call: to itself, at once", otp.CallingSelf, lambda: otp.call("me", "x", timeout=0))
simply("cast_wait", TypeError, lambda: otp.cast_wait("up", Slow.echo))
simply("cast_wait: of a client", otp.WrongServer, lambda: Slow.at("events").note.wait("x"))
simply("call: too late", otp.CallTimeout, lambda: otp.call("up", "x", timeout=0))
simply("stop: of itself", otp.CallingSelf, lambda: otp.stop("me"))
simply("terminate_child: of no name", otp.ChildNotFound, lambda: otp.terminate_child("dyn", "x"))
simply("start_child: of a plain value", otp.SpecError, lambda: otp.start_child("sup", 5))  # type: ignore[call-overload]  # that is the mistake
simply("ensure_child: without a name", otp.SpecError, lambda: otp.ensure_child("sup", Slow))
simply("Partitions.resize: below 0", ValueError, lambda: otp.partitions("nobody").resize(-1))
simply("receive_response: of no request", TypeError, lambda: otp.receive_response(5))  # type: ignore[arg-type]  # that is the mistake
simply("multi_call", TypeError, lambda: otp.multi_call(5, "x"))  # type: ignore[arg-type]  # that is the mistake

# -- a name that is taken, a block that is not open ------------------------------------------------

simply("start", otp.AlreadyStarted, lambda: otp.start(slow("up")))
simply("start: of no child", otp.SpecError, lambda: otp.start(5))  # type: ignore[call-overload]  # that is the mistake
simply("start_link", otp.AlreadyStarted, lambda: otp.start_link(slow("up")))
simply("start_link: of no child", otp.SpecError, lambda: otp.start_link(5))  # type: ignore[call-overload]  # that is the mistake
simply("start_monitor", otp.AlreadyStarted, lambda: otp.start_monitor(slow("up")))
simply("start_monitor: of no child", otp.SpecError, lambda: otp.start_monitor(5))  # type: ignore[call-overload]  # that is the mistake
simply(
    "cluster.open_node",
    otp.StartError,
    lambda: enter(otp.cluster.open_node(HERE, cookie_file="no such file", epmd=False)),
)
simply("cluster.connect", RuntimeError, lambda: otp.cluster.connect(THERE))
simply("open_process", otp.AlreadyRegistered, lambda: enter(otp.open_process(name="up")))
simply("open_supervisor", otp.AlreadyStarted, lambda: enter(otp.open_supervisor(name="up")))
simply(
    "open_application", otp.SpecError, lambda: enter(otp.open_application(App, config={"x": {}}))
)
simply("enter_loop", ValueError, lambda: otp.enter_loop(Slow()))
simply("observer.start", TypeError, lambda: otp.observer.start(unknown=1))
simply("observer.serve", otp.StartError, lambda: otp.observer.serve(port=-1))
simply("application.start", otp.ApplicationNotStarted, lambda: otp.application.start(App))
simply(
    "application.start: no block", otp.NoApplicationController, lambda: otp.application.start(Base)
)
simply(
    "application.ensure_started",
    otp.ApplicationNotStarted,
    lambda: otp.application.ensure_started(App),
)
simply(
    "application.ensure_all_started",
    otp.NoApplicationController,
    lambda: otp.application.ensure_all_started(App),
)
simply("application.stop", otp.ApplicationNotStarted, lambda: otp.application.stop(App))
simply("application.reload_config", otp.SpecError, otp.application.reload_config)


@failing("start: in a nursery that is closed", RuntimeError)
async def _(w: World) -> Fails:
    async with trio.open_nursery() as nursery:
        pass
    return lambda: otp.start(Slow, nursery=nursery)


class Refusing:
    """A via module that fails."""

    def whereis_name(self, key: Any) -> None:
        raise LookupError(key)

    register_name = unregister_name = send = whereis_name


simply(
    "start: with a name that cannot be looked up",
    otp.StartError,
    lambda: otp.start(otp.child(Slow).having(name=("via", Refusing(), "key"))),
)


# -- watches and waits -----------------------------------------------------------------------------

simply("watch", TypeError, lambda: enter(otp.watch("up", 5)))
simply("watch: of a class without it", otp.WrongServer, lambda: enter(otp.watch("up", Gauge.level)))
simply("wait_for_name", otp.WaitTimeout, lambda: otp.wait_for_name("nobody", timeout=0))
simply("wait_for_name: of a pid", TypeError, lambda: otp.wait_for_name(otp.self()))  # type: ignore[arg-type]  # that is the mistake
simply(
    "wait_for_child: too late",
    otp.WaitTimeout,
    lambda: otp.wait_for_child("sup", "down", timeout=0),
)
simply(
    "wait_for_child: of no child", otp.ChildNotFound, lambda: otp.wait_for_child("sup", "nobody")
)
simply("wait_for_child: of no supervisor", otp.WrongServer, lambda: otp.wait_for_child("up", "x"))
simply("wait_down", TypeError, lambda: otp.wait_down(5))  # type: ignore[arg-type]  # that is the mistake
simply("wait_down: of itself", otp.CallingSelf, lambda: otp.wait_down("me"))


async def watched(w: World) -> otp.Watch[int]:
    """Watch a gauge in the background."""
    w.returned.append(await otp.start(otp.child(Gauge).having(name="gauge")))
    got: list[otp.Watch[int]] = []

    async def watch(*, task_status: Any) -> None:
        async with otp.watch("gauge", Gauge.level) as level:
            got.append(level)
            task_status.started()
            await trio.sleep_forever()

    await w.nursery.start(watch)
    return got[0]


@failing("Watch.wait_value", LookupError)
@failing("WatchedValue.wait_value", LookupError)
async def _(w: World) -> Fails:
    level = await watched(w)
    return lambda: level.wait_value(raises)


@failing("Watch.wait_transition", LookupError)
@failing("WatchedValue.wait_transition", LookupError)
async def _(w: World) -> Fails:
    level = await watched(w)
    otp.cast("gauge", 2)
    return lambda: level.wait_transition(lambda new, _: raises(new))


# -- messages, answers, tasks ----------------------------------------------------------------------

simply("receive", otp.ReceiveTimeout, lambda: otp.receive(timeout=0))
simply("receive: of no match", TypeError, lambda: otp.receive("x"))  # type: ignore[call-overload]  # that is the mistake


def raises(message: object) -> bool:
    raise LookupError(message)


@failing("receive: with a match that raises", LookupError)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    otp.send("me", "message")

    async def fails() -> None:
        try:
            await otp.receive(raises)
        finally:
            w.me.mailbox.drain()

    return fails


@failing("SpecialProcess.receive", otp.ReceiveTimeout)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    special = otp.SpecialProcess()
    return lambda: special.receive(timeout=0)


@failing("SpecialProcess.receive: with a wrong time", ValueError)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    special = otp.SpecialProcess()
    return lambda: special.receive(timeout=-1)


def two_requests() -> otp.RequestIds:
    ids = otp.RequestIds()
    for _ in range(2):
        ids.send("up", "x")
    return ids


simply("RequestIds.receive", otp.CallTimeout, lambda: two_requests().receive(timeout=0))
simply("RequestIds.wait", otp.CallTimeout, lambda: two_requests().wait(timeout=0))


@failing("wait_response: taken before", ValueError)
async def _(w: World) -> Fails:
    request = otp.send_request("up", "x")
    await otp.wait_response(request)
    return lambda: otp.wait_response(request)


def of_another() -> otp.task.Task[int]:
    """Make a task that is finished, and belongs to nobody who asks."""
    task = otp.task.completed(1)
    task.owner = otp.whereis("up")
    return task


async def plainly(task: otp.task.Task[int]) -> int:
    return await task


for _name, _fails in {
    "task.await_one": lambda: otp.task.await_one(of_another()),
    "task.await_one: await": lambda: plainly(of_another()),
    "task.await_many": lambda: otp.task.await_many([of_another()]),
    "task.yield_one": lambda: otp.task.yield_one(of_another()),
    "task.yield_many": lambda: otp.task.yield_many([of_another()]),
    "task.shutdown": lambda: otp.task.shutdown(of_another()),
}.items():
    simply(_name, otp.TaskNotOwned, _fails)


@failing("SendEnd.send", trio.ClosedResourceError)
async def _(_: World) -> Fails:  # noqa: ASYNC124 - others wait
    end = otp.send_end("me")
    end.close()
    return partial(end.send, "x")


async def full(w: World) -> otp.Pid[Any]:
    """Start a server whose mailbox is full, and which has yet to run."""
    child = otp.child(Slow).having(mailbox=otp.BoundedMailbox(1))
    pid: Any = await otp.start(child)
    w.returned.append(pid)
    otp.cast(pid, "fills it")
    return pid


@failing("call: without room", otp.MailboxFull)
async def _(w: World) -> Fails:
    pid = await full(w)
    return lambda: otp.call(pid, "x")


@failing("SendEnd.send: to the dead", trio.BrokenResourceError)
async def _(_: World) -> Fails:
    pid = otp.spawn(trio.sleep_forever)
    end = otp.send_end(pid)
    await otp.stop(pid)
    return partial(end.send, "x")


@failing("Subscription.receive", otp.ServerExited)
async def _(w: World) -> Fails:
    pid = await otp.start(otp.child(otp.Registry, keys="duplicate"))
    channels: list[Any] = []

    async def subscribe(*, task_status: Any) -> None:
        async with otp.registry(pid).subscribe("news") as channel:
            channels.append(channel)
            task_status.started()
            await trio.sleep_forever()

    await w.nursery.start(subscribe)
    await otp.stop(pid)
    return channels[0].receive


@failing("RegistryHandle.subscribe: taken", otp.AlreadyRegistered)
async def _(w: World) -> Fails:
    pid = await otp.start(otp.child(otp.Registry, keys="unique"))
    w.returned.append(pid)
    w.me.trap_exit = True
    otp.registry(pid).register("news", None)

    async def fails() -> None:
        try:
            await enter(otp.registry(pid).subscribe("news"))
        finally:
            with trio.CancelScope(shield=True):
                await otp.stop(pid)

    return fails


# -- the kit for tests -----------------------------------------------------------------------------

simply("testing.assert_call_fails", TypeError, lambda: assert_call_fails(5))  # type: ignore[arg-type]  # that is the mistake
simply("testing.assert_down", otp.testing.UnknownServer, lambda: assert_down("nobody"))
simply("testing.assert_receive", AssertionError, lambda: assert_receive(str, within=0))
simply("testing.assert_restarted", AssertionError, lambda: assert_restarted("up", within=0))
simply("testing.pause", otp.testing.UnknownServer, lambda: enter(pause("nobody")))


@failing("testing.refute_receive", AssertionError)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    otp.send("me", "message")

    async def fails() -> None:
        try:
            await refute_receive(within=0)
        finally:
            w.me.mailbox.drain()

    return fails


@failing("OtpSystem.start_supervised", otp.testing.UsedAfterTest)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    system = create(OtpSystem, w.me, "test")
    return lambda: system.start_supervised(Slow)


@failing("OtpSystem.stop_supervised", otp.testing.UsedAfterTest)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    system = create(OtpSystem, w.me, "test")
    return lambda: system.stop_supervised("up")


async def closed_probe(w: World) -> Probe:
    async with otp.testing.open_system() as system:
        return system.probe()


@failing("Probe.receive", otp.testing.UsedAfterTest)
async def _(w: World) -> Fails:
    probe = await closed_probe(w)
    return probe.receive


@failing("Probe.receive_call", otp.testing.UsedAfterTest)
async def _(w: World) -> Fails:
    probe = await closed_probe(w)
    return probe.receive_call


@failing("Probe.refute", otp.testing.UsedAfterTest)
async def _(w: World) -> Fails:
    probe = await closed_probe(w)
    return probe.refute


@failing("VirtualTime.advance", ValueError)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    return lambda: virtual_clock().advance(-1)


@failing("VirtualTime.settle", RuntimeError)
async def _(w: World) -> Fails:  # noqa: ASYNC124 - it prepares without waiting
    return virtual_clock().settle
