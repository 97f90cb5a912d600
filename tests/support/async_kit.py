"""Every public async function of the library, with a small world in which each can be used once."""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
import trio.testing

import trio_otp as otp
from trio_otp.process import UNSET
from trio_otp.runtime import runtime

# Async functions with a public name that are the inside of a process, not for users to call.
INSIDE = {"Agent.init", "From.wait", "Port.init", "Port.terminate", "code_change", "run_process"}
INSIDE_CLASSES = {"EventManager"}
MODULES = {
    "alarm_handler": otp.alarm_handler,
    "application": otp.application,
    "events": otp.events,
    "gen_event": otp.gen_event,
    "observer": otp.observer,
    "pg": otp.pg,
    "sys": otp.sys,
    "task": otp.task,
}


def public() -> Iterator[tuple[str, Any]]:
    """List the functions and methods that users call, by the name they are called by."""
    for name, value in vars(otp).items():
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if inspect.isclass(value):
            if name in INSIDE_CLASSES:
                continue
            for member, function in inspect.getmembers(value, callable):
                if not member.startswith("_") and member not in INSIDE:
                    yield f"{name}.{member}", function
        else:
            yield name, value
    for module_name, module in MODULES.items():
        for name, value in vars(module).items():
            own = getattr(value, "__module__", "").startswith(module.__name__)
            if own and not name.startswith("_") and not inspect.isclass(value):
                yield f"{module_name}.{name}", value


def is_async(function: Any) -> bool:
    """Tell whether a function is `async def`, or makes an async context manager."""
    inner = getattr(function, "__wrapped__", None)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(inner)


PUBLIC_ASYNC = {name for name, function in public() if is_async(function)} - INSIDE


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

    @otp.on_call
    async def echo(self, value: str) -> str:
        await steps()
        return value

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
        self.links = set(self.me.links.peers)
        self.returned: list[Any] = []  # pids an operation gave to its caller

    @property
    def me(self) -> Any:
        return runtime().names["me"]

    async def check(self) -> None:
        """Fail if anything is left of an operation, or if the servers do not work any more."""
        await trio.sleep(100)
        for process in runtime().processes.values():
            assert {} == process.requests, process
            assert process.waits_for is None, process
            assert process.starting is None, process
            assert process.doom is UNSET, process
        assert all(process.alive for process in runtime().names.values())
        assert not any(runtime().timers._fifos.values())
        assert 0 == runtime().timers.pending()
        await self._check_own()

    async def _check_own(self) -> None:
        new = {process.pid for process in set(runtime().processes.values()) - self.before}
        listed = {
            info.pid
            for sup in ("sup", "dyn", "shop")
            for info in (await otp.which_children(sup) if otp.whereis(sup) else [])
        }
        assert new <= listed | set(self.returned)
        assert {process.pid for process in self.me.links.peers} <= {
            *(process.pid for process in self.links),
            *self.returned,
        }
        assert {} == self.me.links.watches
        left = [message for message in self.me.mailbox.drain() if not self._may_stay(message)]
        assert [] == left, left
        if otp.whereis("events") is not None:
            await otp.gen_event.sync_notify("events", "works")
        for name in ("up", "server", "dynamic", "new"):
            if otp.whereis(name) is not None:
                assert "works" == await otp.call(name, "works")

    def _may_stay(self, message: object) -> bool:
        """Tell whether it is of the end of what an operation started and linked."""
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
    assert {} == runtime().homes


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


@case("call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.call("server", "ping")


@case("call: helper")
async def _(w: World) -> None:
    w.begin()
    assert "helped" == await otp.call("server", "helper", timeout=30)


@case("call: on_call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await Slow.at("server").echo("ping")


@case("stop")
async def _(w: World) -> None:
    w.begin()
    await otp.stop("server")


@case("receive: there")
async def _(w: World) -> None:
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await otp.receive(str)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("receive: later")
async def _(w: World) -> None:
    w.begin()
    timer = otp.send_after("me", "message", 1)
    try:
        assert "message" == await otp.receive(str, timeout=5)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            if otp.cancel_timer(timer) is None:
                assert "message" == await otp.receive(str, timeout=0)
        raise


@case("start")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start(slow("new"), nursery=w.nursery))


@case("start: in the process")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start(slow("new")))


@case("start_link")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.start_link(slow("new").having(timeout=50)))


@case("start_link: a supervisor")
async def _(w: World) -> None:
    w.begin()
    children = [slow("one"), slow("two")]
    pid = await otp.start_link(otp.child(otp.Supervisor, children))
    w.returned += [pid, otp.whereis("one"), otp.whereis("two")]


@case("start_monitor")
async def _(w: World) -> None:
    w.begin()
    pid, monitor = await otp.start_monitor(slow("new"))
    otp.demonitor(monitor, flush=True)
    w.returned.append(pid)


@case("start_child")
async def _(w: World) -> None:
    w.begin()
    await otp.start_child("sup", slow("new"))


@case("start_child: dynamic")
async def _(w: World) -> None:
    w.begin()
    await otp.start_child("dyn", slow("new"))


@case("ensure_child")
async def _(w: World) -> None:
    w.begin()
    await otp.ensure_child("dyn", slow("new"))


@case("ensure_child: there")
async def _(w: World) -> None:
    w.begin()
    assert otp.whereis("up") is await otp.ensure_child("sup", slow("up"))


@case("terminate_child")
async def _(w: World) -> None:
    w.begin()
    await otp.terminate_child("sup", "up")


@case("terminate_child: dynamic")
async def _(w: World) -> None:
    w.begin()
    await otp.terminate_child("dyn", "dynamic")


@case("restart_child")
async def _(w: World) -> None:
    w.begin()
    await otp.restart_child("sup", "down")


@case("delete_child")
async def _(w: World) -> None:
    w.begin()
    await otp.delete_child("sup", "down")


@case("which_children")
async def _(w: World) -> None:
    w.begin()
    assert 4 == len(await otp.which_children("sup"))


@case("count_children")
async def _(w: World) -> None:
    w.begin()
    assert 3 == (await otp.count_children("sup")).active


@case("which_child")
async def _(w: World) -> None:
    w.begin()
    assert "up" == (await otp.which_child("sup", "up")).id


@case("get_childspec")
async def _(w: World) -> None:
    w.begin()
    assert "up" == (await otp.get_childspec("sup", "up")).id


@case("open_process")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_process(name="block"):
        await otp.start_link(slow("new"))
        await otp.start(slow("newer"))


@case("open_process: alone")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_process(name="block"):
        pass


@case("open_supervisor")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_supervisor([slow("new"), slow("newer")], name="block"):
        await steps()


@case("OpenSupervisor.wait")
async def _(w: World) -> None:
    w.begin()
    last = otp.child(steps).having(restart="temporary", significant=True)
    async with otp.open_supervisor([slow("new"), last], auto_shutdown="any_significant") as sup:
        await sup.wait()


@case("open_application")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_application(App):
        await steps()


SHOP = otp.partitions("shop")


@case("Partitions.resize")
async def _(w: World) -> None:
    child = otp.child(otp.PartitionSupervisor, Slow, partitions=2).having(name="shop")
    w.returned.append(await otp.start(child))
    w.begin()
    for size in (1, 2):
        await SHOP.resize(size)
    assert "works" == await otp.call(SHOP.via(1), "works")


REG = otp.registry("reg")


@asynccontextmanager
async def registry(w: World) -> AsyncGenerator[None]:
    """Start a registry, and begin."""
    child = otp.child(otp.Registry, keys="duplicate").having(name="reg")
    w.returned.append(await otp.start(child))
    w.begin()
    yield


@case("RegistryHandle.lock")
async def _(w: World) -> None:
    async with registry(w):
        for _ in range(2):
            async with REG.lock("key"):
                await steps()


@case("RegistryHandle.lock: waiting")
async def _(w: World) -> None:
    async def other() -> None:
        async with REG.lock("key"):
            await steps(4)

    async with registry(w), trio.open_nursery() as nursery:
        nursery.start_soon(other)
        async with REG.lock("key"):
            await steps()


@case("RegistryHandle.subscribe")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news"):
        assert 1 == REG.send("news", "message")
    assert [] == REG.lookup("news")


@case("Subscription.receive")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news") as channel:
        REG.send("news", "message")
        assert "message" == await channel.receive()


@case("Subscription.aclose")
async def _(w: World) -> None:
    async with registry(w), REG.subscribe("news") as channel:
        await channel.aclose()
        assert [] == REG.lookup("news")


async def end(pid: otp.Pid[Any]) -> None:
    with suppress(otp.CallError):
        await otp.stop(pid)


@case("OpenApplication.wait")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary") as app:
        w.begin()
        w.nursery.start_soon(end, app.pid)
        await app.wait()


@case("OpenApplication.wait_over")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary") as app:
        w.begin()
        w.nursery.start_soon(end, app.pid)
        await app.wait_over()


@case("application.start")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        await otp.application.start(App)


@case("application.ensure_started")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        await otp.application.ensure_started(App)


@case("application.ensure_all_started")
async def _(w: World) -> None:
    async with otp.open_application(Base):
        w.begin()
        assert ["app"] == await otp.application.ensure_all_started(App)


@case("application.stop")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary"):
        w.begin()
        await otp.application.stop(App)


@asynccontextmanager
async def agent(w: World) -> AsyncGenerator[otp.Pid[otp.Agent[int]]]:
    """Start an agent whose first value is made with checkpoints."""
    pid = await otp.start(otp.child(otp.Agent, give, 1))
    w.returned.append(pid)
    w.begin()
    yield pid


async def plus_one(value: int) -> int:
    return 1 + await give(value)


@case("Agent.get")
async def _(w: World) -> None:
    async with agent(w) as pid:
        assert 2 == await otp.Agent.get(pid, plus_one)


@case("Agent.update")
async def _(w: World) -> None:
    async with agent(w) as pid:
        await otp.Agent.update(pid, plus_one)


@case("Agent.get_and_update")
async def _(w: World) -> None:
    async with agent(w) as pid:
        assert 1 == await otp.Agent.get_and_update(pid, lambda value: (value, value))


@case("application.reload_config")
async def _(w: World) -> None:
    async with otp.open_application(App, type="temporary"):
        w.begin()
        assert ["app"] == await otp.application.reload_config({"app": {"size": 2}})


@asynccontextmanager
async def tasks(w: World) -> AsyncGenerator[Any]:
    """Run a supervisor of tasks beside the world, which an operation may use."""
    async with otp.open_supervisor([otp.TaskSupervisor]) as sup:
        [child] = await otp.which_children(sup)
        w.before = set(runtime().processes.values())
        w.begin()
        yield child.pid


@case("TaskSupervisor.start_async")
async def _(w: World) -> None:
    async with tasks(w) as sup:
        task = await otp.TaskSupervisor.start_async(sup, give, 1)
        w.returned.append(task.pid)
        assert 1 == await task


@case("TaskSupervisor.start_async_nolink")
async def _(w: World) -> None:
    async with tasks(w) as sup:
        assert 1 == await (await otp.TaskSupervisor.start_async_nolink(sup, give, 1))


@case("TaskSupervisor.start_child")
async def _(w: World) -> None:
    async with tasks(w) as sup:
        await otp.TaskSupervisor.start_child(sup, give, 1)


@case("TaskSupervisor.children")
async def _(w: World) -> None:
    async with tasks(w) as sup:
        await otp.TaskSupervisor.children(sup)


@case("TaskSupervisor.terminate_child")
async def _(w: World) -> None:
    async with tasks(w) as sup:
        pid = await otp.TaskSupervisor.start_child(sup, trio.sleep_forever)
        await otp.TaskSupervisor.terminate_child(sup, pid)


def a_task(w: World, seconds: float = 0.0) -> otp.Task[int]:
    """Start a task of the calling process that gives 1."""

    async def one() -> int:
        await trio.sleep(seconds)
        return 1

    task = otp.task.start_async(one)
    w.returned.append(task.pid)
    return task


@case("task.await_one")
async def _(w: World) -> None:
    task = a_task(w)
    w.begin()
    assert 1 == await otp.task.await_one(task)


@case("task.await_many")
async def _(w: World) -> None:
    tasks = [a_task(w), a_task(w, 1)]
    w.begin()
    assert [1, 1] == await otp.task.await_many(tasks)


@case("task.yield_one")
async def _(w: World) -> None:
    task = a_task(w, 1)
    w.begin()
    assert otp.task.Ok(1) == await otp.task.yield_one(task)


@case("task.yield_many")
async def _(w: World) -> None:
    tasks = [a_task(w), a_task(w, 100)]
    w.begin()
    found = await otp.task.yield_many(tasks, 1, on_timeout="kill_task")
    assert [otp.task.Ok(1), None] == [result for _, result in found]


@case("task.shutdown")
async def _(w: World) -> None:
    task = a_task(w, 100)
    w.begin()
    assert None is await otp.task.shutdown(task)


@case("task.async_stream")
async def _(w: World) -> None:
    w.begin()
    async with otp.task.async_stream([1, 2, 3], give, max_concurrency=2) as results:
        assert [1, 2, 3] == [result.unwrap() async for result in results]


@case("gen_event.sync_notify")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.sync_notify("events", "event")


@case("gen_event.call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.gen_event.call("events", Listener, "ping")


@case("gen_event.add_handler")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.add_handler("events", Listener(), id="new")


@case("gen_event.add_sup_handler")
async def _(w: World) -> None:
    w.returned.append(otp.whereis("events"))  # it is linked to whoever owns a handler
    w.begin()
    await otp.gen_event.add_sup_handler("events", Listener(), id="new")


@case("gen_event.delete_handler")
async def _(w: World) -> None:
    w.begin()
    assert "reason" == await otp.gen_event.delete_handler("events", Listener, "reason")


@case("gen_event.swap_handler")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.swap_handler("events", Listener, Listener(), id="new")


@case("gen_event.swap_sup_handler")
async def _(w: World) -> None:
    w.returned.append(otp.whereis("events"))
    w.begin()
    await otp.gen_event.swap_sup_handler("events", Listener, Listener())


@case("gen_event.which_handlers")
async def _(w: World) -> None:
    w.begin()
    assert [Listener] == await otp.gen_event.which_handlers("events")


@case("alarm_handler.get_alarms")
async def _(w: World) -> None:
    await otp.start_child("sup", otp.alarm_handler.child())
    w.begin()
    assert [] == await otp.alarm_handler.get_alarms()


@case("gen_event.stop")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.stop("events")


# -- sys -----------------------------------------------------------------------------------------


@case("sys.get_state")
async def _(w: World) -> None:
    w.begin()
    assert isinstance(await otp.sys.get_state("server"), Slow)


@case("sys.replace_state")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.replace_state("server", give)


@case("sys.get_status")
async def _(w: World) -> None:
    w.begin()
    assert "running" == (await otp.sys.get_status("sup")).sys


@asynccontextmanager
async def resumed() -> AsyncGenerator[None]:
    """See to it that the server goes on, whatever happens; it may have died."""
    try:
        yield
    finally:
        with trio.CancelScope(shield=True), suppress(otp.CallError):
            await otp.sys.resume("server")


@case("sys.suspend")
async def _(w: World) -> None:
    async with resumed():
        w.begin()
        await otp.sys.suspend("server")


@case("sys.resume")
async def _(w: World) -> None:
    async with resumed():
        await otp.sys.suspend("server")
        w.begin()
        await otp.sys.resume("server")


@case("sys.terminate")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.terminate("server")


@case("sys.change_code")
async def _(w: World) -> None:
    async with resumed():
        await otp.sys.suspend("server")
        w.begin()
        await otp.sys.change_code("server")


@case("sys.trace")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.trace("server", False)


@case("sys.log")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.log("server", 5)


@case("sys.statistics")
async def _(w: World) -> None:
    w.begin()
    assert await otp.sys.statistics("server", "get") is None


@case("sys.log_to_file")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.log_to_file("server", False)


@case("sys.install")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.install("server", lambda state, _: state)


@case("sys.remove")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.remove("server", "nothing")


@case("sys.no_debug")
async def _(w: World) -> None:
    w.begin()
    await otp.sys.no_debug("server")


# -- request ids ---------------------------------------------------------------------------------


@case("receive_response")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.receive_response(otp.send_request("server", "ping"))


@case("receive_response: helper")
async def _(w: World) -> None:
    w.begin()
    request_id = otp.send_request("server", "helper")
    assert "helped" == await otp.receive_response(request_id, timeout=None)


@case("wait_response")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.wait_response(otp.send_request("server", "ping"))


@case("RequestIds.receive")
async def _(w: World) -> None:
    ids = otp.RequestIds()
    w.begin()
    ids.send("server", "ping")
    assert await ids.receive() is not None


@case("RequestIds.wait")
async def _(w: World) -> None:
    ids = otp.RequestIds()
    w.begin()
    ids.send("server", "ping")
    assert await ids.wait() is not None
    assert await ids.wait() is None


@case("multi_call")
async def _(w: World) -> None:
    w.begin()
    replies, _ = await otp.multi_call(["server", "up", "nobody"], "ping")
    assert [("server", "ping"), ("up", "ping")] == replies


@case("multi_call: nobody")
async def _(w: World) -> None:
    w.begin()
    assert ([], []) == await otp.multi_call([], "ping")


# -- special processes ---------------------------------------------------------------------------


@case("SpecialProcess.receive")
async def _(w: World) -> None:
    special = otp.SpecialProcess()
    w.begin()
    otp.send("me", "message")
    try:
        assert "message" == await special.receive(str)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            assert "message" == await otp.receive(str, timeout=0)
        raise


@case("enter_loop")
async def _(w: World) -> None:
    async def begin(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        await steps()
        await otp.enter_loop(Slow())

    w.begin()
    w.returned.append(await otp.start(otp.child(begin).having(name="new")))


@case("observer.start")
async def _(w: World) -> None:
    w.begin()
    w.returned.append(await otp.observer.start(stream=io.StringIO()))
