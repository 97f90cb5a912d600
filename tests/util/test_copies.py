"""What the copies and pickles of public objects are: handles, errors, reports and plain data."""

from __future__ import annotations

import copy
import dataclasses
import enum
import inspect
import logging.handlers
import multiprocessing
import pickle
import queue
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing
from inside import Mark, NoConstructor, create, process_of
from log_kit import logging_to
from public_api import exported

import trio_otp as otp
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.opaque import make_pid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)  # the older ones cannot pickle what has slots


class Server(otp.GenServer):
    """A server with typed methods."""

    published = otp.published(1)

    @otp.on_call
    async def ask(self, number: int) -> int:
        return number + 1

    @otp.on_cast
    def tell(self, number: int) -> None:
        """Take a number."""

    @otp.on_call_deferred
    def later(self, from_: otp.From[int]) -> None:
        otp.reply(from_, 1)

    def handle_info(self, message: Any) -> Any:
        raise message


class Handler(otp.GenEvent):
    @otp.on_call
    def ask(self) -> int:
        return 1


class App(otp.Application):
    def start(self) -> Any:
        return otp.Supervisor.spec([])


class Awkward(Exception):
    """As many exceptions of users: it cannot be made from its `args`."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class Own(otp.OtpError):
    """An error of a user that is one of ours."""

    def __init__(self, *, key: str) -> None:
        super().__init__(f"no {key}")
        self.key = key


class Reduced(otp.OtpError):
    """An error that says itself how it is pickled."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")
        self.number = number

    def __reduce__(self) -> Any:
        return Reduced, (self.number + 1,)


async def plain() -> None:
    """Be a child that ends at once."""


def public_classes() -> dict[str, type[Any]]:
    """Return each public class of the library by one of its names."""
    found: dict[type[Any], str] = {}
    for namespace, name, value in exported():
        if isinstance(value, type):
            found.setdefault(value, f"{namespace}.{name}".removeprefix("trio_otp."))
    return {name: value for value, name in found.items()}


PUBLIC = public_classes()
# What users extend or start; an object of theirs is copied as Python copies any object.
BASES = {
    "Agent", "AlarmHandler", "Application", "ConnectionSupervisor", "DynamicSupervisor",
    "EventManager", "GenEvent", "GenServer", "GenStatem", "PartitionSupervisor", "Pool", "Port",
    "Registry", "Supervisor", "TaskSupervisor", "WorkerThread", "pg.Scope",
    "alarm_handler.AlarmHandler", "testing.ServerMachine", "testing.StartSupervised",
    "testing.StopSupervised", "testing.VirtualTime", "ViaModule", "events.Events",
    "reports.JsonFormatter", "observer.Server", "events.Propagator", "events.StructlogPropagator",
    "cluster.Node", "cluster.Peer",
}  # fmt: skip


# -- handles ---------------------------------------------------------------------------------------


async def double(number: int) -> int:
    return 2 * number


async def be_special(task_status: trio.TaskStatus[Any]) -> None:
    task_status.started(otp.SpecialProcess("state"))
    await trio.sleep_forever()


class World:
    """A small world in which a handle of each kind is in use."""

    stack: AsyncExitStack
    supervisor: otp.OpenSupervisor
    request: otp.RequestId

    async def from_(self) -> Any:
        pid = await otp.start_link(otp.child(otp.Agent, list))
        self.request = otp.send_request(pid, "x")
        return next(iter(process_of(pid).requests))

    async def special(self) -> Any:
        pid = await otp.start_link(otp.child(be_special))
        return otp.process_info(pid).started

    async def group_monitor(self) -> Any:
        await otp.start_link(otp.child(otp.pg.Scope).having(name="scope"))
        return otp.pg.monitor("scope", "group")[0]

    async def probe(self) -> Any:
        system: otp.testing.OtpSystem = await self.enter(otp.testing.open_system())
        return system.probe()

    async def watch(self) -> Any:
        return await self.enter(otp.watch("server", Server.published))

    async def enter(self, block: Any) -> Any:
        return await self.stack.enter_async_context(block)


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    registry = otp.child(otp.Registry, "duplicate").having(name="registry")
    children = [otp.child(Server).having(name="server"), registry]
    async with (
        otp.open_supervisor(children) as supervisor,
        otp.open_process(trap_exit=True),
        AsyncExitStack() as stack,
    ):
        made = World()
        made.stack, made.supervisor = stack, supervisor
        yield made


HANDLES: dict[str, Callable[[World], Any]] = {
    "Pid": lambda w: otp.self(),
    "From": World.from_,
    "Monitor": lambda w: otp.monitor("server"),
    "Timer": lambda w: otp.send_after(otp.self(), "x", 3600),
    "RequestId": lambda w: otp.send_request("server", 1),
    "Task": lambda w: otp.task.start_async(double, 1),
    "task.TaskStream": lambda w: w.enter(otp.task.async_stream([1], double)),
    "SendEnd": lambda w: otp.send_end("server"),
    "Subscription": lambda w: w.enter(otp.registry("registry").subscribe("key")),
    "OpenSupervisor": lambda w: w.supervisor,
    "OpenApplication": lambda w: w.enter(otp.open_application(App)),
    "pg.GroupMonitor": World.group_monitor,
    "SpecialProcess": World.special,
    "Watch": World.watch,
    "WatchedValue": lambda w: otp.WatchedValue(1, print),
    "testing.Probe": World.probe,
    "testing.OtpSystem": lambda w: w.enter(otp.testing.open_system()),
    "testing.OtpLog": lambda w: create(otp.testing.OtpLog, "test"),
    "testing.Storm": lambda w: otp.testing.chaos(w.supervisor),
}
# Those that need a run of their own or none, and those without a public name.
OTHER_HANDLES: dict[str, Callable[[], Any]] = {
    "testing.Pending": lambda: create(otp.testing.Pending, "x"),
    "a block": otp.open_process,
}


def check_handle(handle: Any) -> None:
    """Check that it is its own copy, also deep inside of others, and refuses to be pickled."""
    assert handle is copy.copy(handle)
    assert handle is copy.deepcopy(handle)
    message = Order(handle, "tea")
    assert handle is dataclasses.asdict(message)["customer"]
    assert handle is copy.deepcopy([{"in": (message,)}])[0]["in"][0].customer
    for protocol in PROTOCOLS:
        with pytest.raises(TypeError, match=r"cannot be pickled: an? .* belongs to the run"):
            pickle.dumps(handle, protocol)


@dataclasses.dataclass(frozen=True)
class Order:
    """A message of a user, with a handle in it."""

    customer: Any
    item: str


@pytest.mark.parametrize("name", sorted(HANDLES.keys() - {"Pid"}))
async def test_a_handle_is_its_own_copy(name: str, autojump_clock: Any) -> None:
    """What stands for something of a run is not copied, and says that it cannot be pickled."""
    async with world() as here:
        handle = HANDLES[name](here)
        if inspect.iscoroutine(handle):
            handle = await handle
        assert type(handle) is PUBLIC[name]
        check_handle(handle)


@pytest.mark.parametrize("name", OTHER_HANDLES)
def test_so_is_one_outside_of_a_run(name: str) -> None:
    """As above."""
    check_handle(OTHER_HANDLES[name]())


def test_so_is_a_loop_that_runs_beside_a_test() -> None:
    """As above."""
    with otp.testing.GuestLoop() as loop:
        check_handle(loop)


async def test_a_pid_is_the_same_one_again() -> None:
    """A pid is data, as in OTP: also after a pickle it is the pid of that process, dead or not."""
    async with otp.open_process() as me:
        dead, _ = otp.spawn_monitor(plain)
        await otp.receive(otp.Down)
        for pid in (me, dead):
            assert pid is copy.copy(pid)
            assert pid is copy.deepcopy(pid)
            assert pid is copy.deepcopy(otp.Down(None, pid, "why")).pid  # type: ignore[arg-type]
            assert pid is dataclasses.asdict(Order(pid, "tea"))["customer"]
            for protocol in PROTOCOLS:
                assert pid is pickle.loads(pickle.dumps(pid, protocol))
    assert me is pickle.loads(pickle.dumps(me))


def answer(pids: Any, end: Any) -> None:
    """Tell, in another process of the operating system, what a pid is there."""

    async def main() -> Any:
        async with otp.open_process() as own:
            try:
                await otp.call(pids[0], "x")
            except otp.NoProcess as exc:
                return str(exc), own == pids[0], pids[0] is pids[1], otp.is_alive(pids[0])

    end.send((trio.run(main), pids[0]))


def test_a_pid_elsewhere_is_that_of_a_dead_process() -> None:
    """In another process of the operating system nothing is behind it; sent back it is itself."""

    async def main() -> None:
        async with otp.open_process() as me:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            other = context.Process(target=answer, args=([me, copy.copy(me)], theirs))
            other.start()
            (text, *facts), back = await trio.to_thread.run_sync(ours.recv)
            other.join()
            assert f"no process behind {me!r} (message 'x')" == text
            assert [False, True, False] == facts
            assert back is me

    trio.run(main)


# -- clients, children and other data --------------------------------------------------------------

TIMEOUT = otp.GenericTimeout("name", 1.0)
PID_BYTES = b"Xw\3a@b\0\0\0\1\0\0\0\2\0\0\0\3"
FUN = b"p\0\0\0\x38\2" + bytes(20) + b"\0\0\0\1w\1ma\0a\0" + PID_BYTES + b"a\7"


def decoded(data: bytes) -> Any:
    """Return a term that only another node makes."""
    return Codec().decode_term(b"\x83" + data)


DATA: dict[str, Callable[[], Any]] = {
    "Child": lambda: otp.child(Server).having(name="c", restart="transient", debug=["log"]),
    "ChildSpec": lambda: otp.child(Server).having(name="c").spec,
    "Published": lambda: otp.Agent.value,
    "Backoff": lambda: otp.Backoff(max_delay=9.0),
    "observer.Problem": lambda: otp.observer.Problem("circle", "error", "two wait", count=2),
    "ChildInfo": lambda: otp.ChildInfo("id", None, "running", "worker"),
    "PoolStatus": lambda: otp.PoolStatus(1, 0, 1, 0, 0, 0, 0, 0, 5, 0, 0, None),
    "ConnectionCounts": lambda: otp.ConnectionCounts(1, 5, 2, 1, 1),
    "Counts": lambda: otp.Counts(1, 1, 0, 1),
    "BoundedMailbox": lambda: otp.BoundedMailbox(10, on_full="wait"),
    "MonitorOptions": lambda: otp.MonitorOptions(long_schedule=0.1, long_message_queue=(10, 100)),
    "MailboxStatistics": lambda: otp.MailboxStatistics(0, float("inf"), 1, 1, 0, 0),
    "Down": lambda: otp.Down(None, "name", otp.NOPROC),  # type: ignore[arg-type]
    "Exit": lambda: otp.Exit(None, otp.Shutdown("why")),
    "Shutdown": lambda: otp.Shutdown(["why"]),
    "Reply": lambda: otp.Reply([1], timeout=3),
    "NoReply": lambda: otp.NoReply(continue_="go"),
    "Stop": lambda: otp.Stop("why", reply=[1]),
    "Timeout": otp.Timeout,
    "Registered": lambda: otp.Registered("reg", "key", None, [1]),  # type: ignore[arg-type]
    "Unregistered": lambda: otp.Unregistered("reg", "key", None),  # type: ignore[arg-type]
    "RegistryHandle": lambda: otp.registry("reg"),
    "Partitions": lambda: otp.partitions("parts"),
    "PoolHandle": lambda: otp.pool("db", otp.Agent),
    "MultiReply": lambda: otp.MultiReply([("a", [1])], []),
    "RemoveHandler": lambda: otp.RemoveHandler(reply=[1]),
    "SwapHandler": lambda: otp.SwapHandler(None, id=1),  # type: ignore[arg-type]
    "HandlerExit": lambda: otp.HandlerExit(None, Handler, otp.NORMAL),  # type: ignore[arg-type]
    "Swapped": lambda: otp.Swapped((Handler, 1), None),
    "OwnerExited": lambda: otp.OwnerExited("why"),
    "ExitStatus": lambda: otp.ExitStatus(1, ("line",)),
    "PortLine": lambda: otp.PortLine(None, "stdout", "text"),  # type: ignore[arg-type]
    "KeepState": lambda: otp.KeepState(otp.Postpone(), TIMEOUT),
    "NextState": lambda: otp.NextState("state", otp.Reply(1), otp.NextEvent("x")),
    "RepeatState": lambda: otp.RepeatState(TIMEOUT),
    "StopAndReply": lambda: otp.StopAndReply("why", otp.Reply(1)),
    "Postpone": otp.Postpone,
    "NextEvent": lambda: otp.NextEvent("x", otp.Event.CAST),
    "StateTimeout": lambda: otp.StateTimeout(1.0, "x"),
    "EventTimeout": lambda: otp.EventTimeout(1.0, "x"),
    "GenericTimeout": lambda: TIMEOUT,
    "CancelTimeout": lambda: otp.CancelTimeout(otp.TimeoutOf("name")),
    "UpdateTimeout": lambda: otp.UpdateTimeout(otp.TimeoutOf("name"), "x"),
    "TimeoutOf": lambda: otp.TimeoutOf("name"),
    "ChangeCallbacks": lambda: otp.ChangeCallbacks(otp.GenStatem),
    "PushCallbacks": lambda: otp.PushCallbacks(otp.GenStatem),
    "PopCallbacks": otp.PopCallbacks,
    "alarm_handler.SetAlarm": lambda: otp.alarm_handler.SetAlarm("id", [1]),
    "alarm_handler.ClearAlarm": lambda: otp.alarm_handler.ClearAlarm("id"),
    "task.Ok": lambda: otp.task.Ok([1]),
    "task.Exited": lambda: otp.task.Exited("why", [1]),
    "sys.DebugEvent": lambda: otp.sys.DebugEvent("in", None, [1]),  # type: ignore[arg-type]
    "sys.Statistics": lambda: otp.sys.Statistics(0.0, 1.0, 2, 3),
    "sys.Status": lambda: otp.sys.Status(
        *(None, "name", Server, "gen_server", "running", None),  # type: ignore[arg-type]
        *({}, (), (), 0, [1], {}),
    ),
    "testing.Fault": lambda: otp.testing.Fault(1.0, "crash", 3),
    "testing.Hit": lambda: otp.testing.Hit(otp.testing.Fault(1.0, "crash", 3), None),
    "cluster.Atom": lambda: otp.cluster.Atom("a"),
    "cluster.Map": lambda: otp.cluster.Map([([1], 2)]),
    "cluster.ImproperList": lambda: otp.cluster.ImproperList([1], 2),
    "cluster.BitString": lambda: otp.cluster.BitString(b"a", 3),
    "cluster.Reference": lambda: decoded(b"Z\0\1w\3a@b\0\0\0\1\0\0\0\2"),
    "cluster.Port": lambda: decoded(b"xw\3a@b" + bytes(12)),
    "cluster.Export": lambda: decoded(b"qw\1mw\1fa\2"),
    "cluster.Fun": lambda: decoded(FUN),
    "cluster.Nodeup": lambda: otp.cluster.Nodeup("a@b"),
    "cluster.Nodedown": lambda: otp.cluster.Nodedown("a@b", "why"),
    "RequestIds": otp.RequestIds,
    "Event": lambda: otp.Event.CAST,
    # Those that no name is exported for.
    "a client": lambda: Server.at("server"),
    "a client of a handler": lambda: Handler.at("manager", id=3),
    "a method": lambda: [Server.ask, Server.tell, Server.later, Handler.ask],
    "a template": lambda: otp.template(Server).having(restart="temporary"),
    "a child of a function": lambda: otp.child(plain),
    "a via tuple": lambda: otp.registry("reg").via("key", [1]),
    "a value of an enum": lambda: [*Mark, otp.NORMAL, otp.KILL, otp.IGNORE, otp.Event.CAST],
}
IN_A_RUN: dict[str, Callable[[], Any]] = {
    "ProcessInfo": lambda: otp.process_info(otp.self()),
    "observer.Served": lambda: otp.observer.Served(otp.self(), "http://127.0.0.1:1", None, None),
    "pg.Joined": lambda: otp.pg.Joined(None, "group", (otp.self(),)),  # type: ignore[arg-type]
    "pg.Left": lambda: otp.pg.Left(None, "group", (otp.self(),)),  # type: ignore[arg-type]
    "Cast": lambda: otp.Cast([1]),
    "cluster.RemotePid": lambda: create(otp.cluster.RemotePid, make_pid("a@b", 1, 2, 3)),
}

WITH_A_HANDLE: dict[str, Callable[[Any], Any]] = {
    "ReplyTo": lambda from_: otp.ReplyTo(from_, [1]),
    "TaskReply": lambda from_: otp.TaskReply(from_, [1]),
}


def same(one: Any, other: Any) -> bool:
    """Check whether two objects are equal; those without an equality, by what they show."""
    return one == other or (type(one) is type(other) and repr(one) == repr(other))


def check_data(original: Any) -> None:
    """Check that copies are equal, and that those of marks and enums are the same ones."""
    copies = [copy.copy(original), copy.deepcopy(original)]
    copies += [pickle.loads(pickle.dumps(original, protocol)) for protocol in PROTOCOLS]
    for one in copies:
        assert type(one) is type(original)
        assert same(one, original)
        if dataclasses.is_dataclass(original) and not isinstance(original, type):
            for field in dataclasses.fields(original):
                value = getattr(original, field.name)
                if isinstance(value, enum.Enum | type):
                    assert value is getattr(one, field.name)
    if dataclasses.is_dataclass(original) and not isinstance(original, type):
        assert {f.name for f in dataclasses.fields(original)} == dataclasses.asdict(original).keys()
        if isinstance(original, NoConstructor):
            return
        assert same(original, dataclasses.replace(original))
        if sys.version_info >= (3, 13):
            assert same(original, copy.replace(original))


@pytest.mark.parametrize("name", DATA)
def test_what_is_data_is_copied_as_data(name: str) -> None:
    """Copies and pickles of records, children, clients and marks are as good as they are."""
    check_data(DATA[name]())


@pytest.mark.parametrize("name", IN_A_RUN)
async def test_what_tells_of_a_run_is_copied_as_data(name: str) -> None:
    """As above."""
    async with otp.open_process():
        check_data(IN_A_RUN[name]())


@pytest.mark.parametrize("name", WITH_A_HANDLE)
async def test_what_carries_a_handle_is_copied_around_it(name: str) -> None:
    """Its copies carry the very handle, which is why it cannot be pickled."""
    async with world() as here:
        record = WITH_A_HANDLE[name](await here.from_())
        for one in (copy.copy(record), copy.deepcopy(record)):
            assert repr(record) == repr(one)
            first = dataclasses.fields(record)[0].name
            assert getattr(record, first) is getattr(one, first)
        with pytest.raises(TypeError, match="a From belongs to the run"):
            pickle.dumps(record)


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
async def test_a_copy_can_be_used(way: Any) -> None:
    """Copies of children start, those of clients and methods call, those of handles find."""
    child = otp.child(Server).having(name="server")
    assert child.spec == way(child).spec
    registry = otp.child(otp.Registry).having(name="registry")
    async with otp.open_supervisor(way([child, registry])), otp.open_process() as me:
        assert 2 == await way(Server.at("server")).ask(1)
        assert 3 == await way(Server.ask)("server", 2)
        assert 4 == await way(partial(Server.ask, "server"))(3)
        way(otp.registry("registry")).register("key")
        assert me is otp.whereis(way(otp.registry("registry").via("key")))
        assert otp.Stop().reply is way(otp.Stop()).reply
        otp.send(way(me), "hello")
        assert "hello" == await otp.receive()


async def test_a_copy_of_a_collection_holds_the_same_requests() -> None:
    """Taking an answer from one leaves the other without it, and not without the rest."""
    async with otp.open_supervisor([otp.child(Server).having(name="server")]):
        one = otp.RequestIds()
        one.send("nobody", "x", label=1)
        for other in (copy.copy(one), copy.deepcopy(one)):
            assert one.to_list() == other.to_list()
            other.send("nobody", "y", label=2)
        assert 1 == len(one)
        answer = await one.receive()
        assert answer is not None
        assert isinstance(answer[1], outcome.Error)


# -- errors ----------------------------------------------------------------------------------------

CRASH = KeyError("k")
HISTORY = [(1.0, "child", CRASH)]
ERRORS: dict[str, Callable[[], Any]] = {
    "OtpError": lambda: otp.OtpError("text"),
    "cluster.RemoteError": lambda: otp.cluster.RemoteError(("badmatch", 1), [(1, 2)]),
    "NoConnection": lambda: otp.NoConnection("server", "x", node="a@b", sent=True, why="y"),
    "NotInRun": lambda: otp.NotInRun("text"),
    "NotAProcess": lambda: otp.NotAProcess("text"),
    "BadReturn": lambda: otp.BadReturn("init", [1], "None"),
    "NoCallback": lambda: otp.NoCallback("handle_call", Server(), "x"),
    "StartError": lambda: otp.StartError(CRASH, "child"),
    "AlreadyStarted": lambda: otp.AlreadyStarted("pid", "child"),
    "AlreadyRegistered": lambda: otp.AlreadyRegistered("key", "pid"),
    "FailedToStartChild": lambda: otp.FailedToStartChild("id", CRASH),
    "CallError": lambda: otp.CallError("text", "server", "message", 1.0),
    "NoProcess": lambda: otp.NoProcess("server", "message"),
    "CheckoutTimeout": lambda: otp.CheckoutTimeout("db", 5.0, timeout=5.0, doing="; 1 lent"),
    "CallTimeout": lambda: otp.CallTimeout("server", "message", 5.0),
    "WaitTimeout": lambda: otp.WaitTimeout("text", "name", 5.0),
    "ServerExited": lambda: otp.ServerExited("server", CRASH, "message", 1.0),
    "CallingSelf": lambda: otp.CallingSelf("server", "message"),
    "MailboxFull": lambda: otp.MailboxFull("server", "message", 10, hint="; wait"),
    "DeadlockError": lambda: otp.DeadlockError("server", "message", ["a", "b"]),
    "WrongServer": lambda: otp.WrongServer("ask", "server", "Other"),
    "CallbackFailed": lambda: otp.CallbackFailed("get_state", CRASH),
    "ProcessNotSuspended": lambda: otp.ProcessNotSuspended("pid"),
    "MaxChildren": lambda: otp.MaxChildren(3),
    "ChildError": lambda: otp.ChildError("id", "text"),
    "ChildNotFound": lambda: otp.ChildNotFound("id"),
    "ChildRunning": lambda: otp.ChildRunning("id"),
    "ChildRestarting": lambda: otp.ChildRestarting("id"),
    "ChildAlreadyPresent": lambda: otp.ChildAlreadyPresent("id"),
    "SpecError": lambda: otp.SpecError("text"),
    "ProcessExited": lambda: otp.ProcessExited(CRASH),
    "SupervisorExited": lambda: otp.SupervisorExited(otp.SHUTDOWN, HISTORY),
    "TimedOut": lambda: otp.TimedOut("text"),
    "ReceiveTimeout": lambda: otp.ReceiveTimeout("text"),
    "NoHandler": lambda: otp.NoHandler(Handler),
    "HandlerCrashed": lambda: otp.HandlerCrashed(Handler, CRASH),
    "KeyNotRegistered": lambda: otp.KeyNotRegistered("key", "pid"),  # type: ignore[arg-type]
    "TaskNotOwned": lambda: otp.TaskNotOwned("task", "await", None, "pid"),
    "TaskExited": lambda: otp.TaskExited("task", CRASH),
    "TaskTimeout": lambda: otp.TaskTimeout("task", timeout=5.0),
    "NoApplicationController": lambda: otp.NoApplicationController("text"),
    "UnknownApplication": lambda: otp.UnknownApplication("app", ["other"]),
    "ApplicationAlreadyLoaded": lambda: otp.ApplicationAlreadyLoaded("app"),
    "ApplicationNotStarted": lambda: otp.ApplicationNotStarted("app", "other"),
    "ApplicationStartError": lambda: otp.ApplicationStartError("app", CRASH),
    "ApplicationExited": lambda: otp.ApplicationExited("app", CRASH, HISTORY),
    "ConfigChangeError": lambda: otp.ConfigChangeError({"app": CRASH}),
    "SettingNotFound": lambda: otp.SettingNotFound("app", "key", ["other"]),
    "testing.UsedAfterTest": lambda: otp.testing.UsedAfterTest("a probe", "test"),
    "testing.UnknownServer": lambda: in_a_run(lambda: otp.testing.UnknownServer("probe", "x")),
    "testing.InjectedCrash": lambda: otp.testing.InjectedCrash("text"),
    "testing.MachineCrash": otp.testing.MachineCrash,
    "testing.ChaosCrash": lambda: otp.testing.ChaosCrash("text"),
    "testing.Standstill": lambda: otp.testing.Standstill("everybody waits"),
    "testing.Leaked": lambda: otp.testing.Leaked("test", ["a process"]),
    "testing.LongScheduleWarning": lambda: otp.testing.LongScheduleWarning("text"),
    "of a user": lambda: Own(key="tea"),
    "with notes": lambda: noted(otp.NoProcess("server")),
}


def in_a_run(make: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return make()

    return trio.run(main)


def noted(error: Any) -> Any:
    error.add_note("what to do")
    return error


def told(error: BaseException) -> Any:
    """Return what an error tells; other exceptions are equal by what they show."""
    attributes = {name: value for name, value in vars(error).items() if value is not error}
    return type(error), str(error), repr(error.args), repr(attributes), repr(error.__cause__)


def pickled(error: Any, protocol: int = pickle.DEFAULT_PROTOCOL) -> Any:
    return pickle.loads(pickle.dumps(error, protocol))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_keeps_what_it_tells(name: str) -> None:
    """Class, text, attributes and cause stay, whatever its constructor takes."""
    error = ERRORS[name]()
    copies = [
        copy.copy(error),
        copy.deepcopy(error),
        dataclasses.asdict(Order(error, ""))["customer"],
    ]
    for one in [*copies, *(pickled(error, protocol) for protocol in PROTOCOLS)]:
        assert one is not error
        assert told(error) == told(one)
        assert getattr(one, "reason", None) is not error
    if hasattr(error, "__notes__"):
        copies[0].add_note("of the copy alone")
        assert ["what to do"] == error.__notes__


def test_a_copy_of_an_error_shares_cause_context_and_traceback() -> None:
    """So a copy says as much as the error does."""
    error = otp.ServerExited("server", Awkward(1, why="x"))
    try:
        try:
            raise CRASH
        except KeyError:
            raise error from error.__cause__
    except otp.ServerExited:
        pass
    for one in (copy.copy(error), copy.deepcopy(error)):
        assert one.reason is one.__cause__ is error.reason
        assert one.__context__ is CRASH
        assert error.__suppress_context__ is one.__suppress_context__
        assert one.__traceback__ is error.__traceback__


def lambda_of(error: Any) -> Any:
    error.extra = {"deep": [lambda: None, 1]}
    return error


def circle() -> Any:
    """Return an error that tells of itself, by way of others."""
    error = otp.ServerExited("server", otp.StartError("why"))
    error.reason.reason = ValueError("of a user")  # type: ignore[attr-defined]
    error.reason.reason.origin = error  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "make",
    [
        lambda: otp.ServerExited("server", Awkward(1, why="x"), lambda: None),
        lambda: otp.SupervisorExited(otp.SHUTDOWN, [(1.0, "child", Awkward(1, why="x"))]),
        lambda: lambda_of(otp.NoProcess("server")),
        lambda: Own(key=lambda: None),  # type: ignore[arg-type]
        lambda: otp.ServerExited("server", {abs: lambda: None, lambda: None: 1}),
        circle,
    ],
)
def test_an_error_can_be_pickled_whatever_it_tells_of(make: Callable[[], Any]) -> None:
    """What cannot be pickled, or only cannot be loaded, is told as text in its place."""
    error = make()
    for protocol in PROTOCOLS:
        one = pickled(error, protocol)
        assert type(error) is type(one)
        assert str(error) == str(one)
        assert vars(error).keys() == vars(one).keys()
        if isinstance(error.__cause__, Awkward):
            assert Exception is type(one.__cause__)
            assert "Awkward('1: x')" == str(one.__cause__)
        if hasattr(error, "extra"):
            assert 1 == one.extra["deep"][1]
            assert "lambda" in one.extra["deep"][0]


async def test_an_error_that_tells_of_a_handle_can_be_pickled() -> None:
    """As a pid it comes back, any other as text."""
    async with otp.open_process(trap_exit=True) as me:
        task = otp.task.start_async(double, 1)
        error = pickled(otp.TaskExited(task, otp.KILLED))
        assert (repr(task), otp.KILLED) == (error.task, error.reason)
        assert me is pickled(otp.NoProcess(me)).server
        assert (me, "x") == pickled(otp.DeadlockError("server", "x", [me, "x"])).cycle


def test_an_error_of_a_user_may_say_itself_how_it_is_pickled() -> None:
    """Its own `__reduce__` counts."""
    assert 2 == pickled(Reduced(1)).number


def test_a_long_chain_of_errors_is_pickled_in_a_moment() -> None:
    """The work grows with the length of the chain, and not with a power of two of it."""
    error: Any = Awkward(1, why="x")
    for _ in range(16):
        error = otp.ServerExited("server", error, lambda: None)
        error.extra = [error.reason, error.reason]
    before = time.perf_counter()
    one = pickled(error)
    assert 5 > time.perf_counter() - before
    for _ in range(15):
        one = one.reason
        assert type(one) is otp.ServerExited


def fail(end: Any) -> None:
    """Send errors from another process of the operating system."""

    async def main() -> None:
        async with otp.open_supervisor([otp.child(Server).having(name="server")]):
            await otp.call("server", "what it does not take")

    try:
        trio.run(main)
    except BaseException as exc:
        end.send(exc)


def test_an_error_comes_from_another_process() -> None:
    """The error of a call arrives as it is, with the crash that it tells of."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=fail, args=(theirs,))
    other.start()
    error = ours.recv()
    other.join()
    assert isinstance(error, otp.ServerExited)
    assert isinstance(error.reason, otp.NoCallback)
    assert "what it does not take" == error.message


# -- reports ---------------------------------------------------------------------------------------

REPORTS: dict[str, Callable[[], Any]] = {
    "events.CrashReport": lambda: otp.events.CrashReport(None, "name", "label", CRASH),
    "events.SupervisorReport": lambda: otp.events.SupervisorReport(
        "sup", "child_terminated", CRASH, "id", child=otp.child(Server)
    ),
    "events.ProgressReport": lambda: otp.events.ProgressReport("sup", "id", None),
    "events.NoticeReport": lambda: otp.events.NoticeReport(None, "text"),
    "events.ApplicationReport": lambda: otp.events.ApplicationReport("app", "started"),
    "events.LongSchedule": lambda: otp.events.LongSchedule(
        None, "task", "idle", 0.1, "a.py:1 in f", ("a.py:1 in f",)
    ),
    "events.LongMessageQueue": lambda: otp.events.LongMessageQueue(None, 1000, doing="idle"),
    "events.Neighbour": lambda: otp.events.Neighbour(None, "name", "call", 0, (), None),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_can_be_sent_on(name: str) -> None:
    """It is its own copy, and survives a pickle, as in a queue of log records."""
    report = REPORTS[name]()
    assert report is copy.copy(report)
    assert report is copy.deepcopy(report)
    for protocol in PROTOCOLS:
        assert repr(report) == repr(pickled(report, protocol))


async def test_the_report_of_a_crash_can_be_sent_on() -> None:
    """Whatever the process had in hand: its pids come back, what cannot be pickled is text."""
    crashes: list[Any] = []
    otp.events.attach("crash", crashes.append)
    child = otp.child(Server).having(name="server", debug=["log"], restart="temporary")
    async with otp.open_supervisor([child]):
        pid = otp.whereis("server")
        otp.send("server", Awkward(1, why="x"))
        await trio.testing.wait_all_tasks_blocked()
    [report] = crashes
    one = pickled(report)
    assert one.pid is pid
    assert "Awkward('1: x')" == str(one.reason)
    assert report.label == one.label
    assert report.last_message == one.last_message
    assert dataclasses.asdict(one).keys() == dataclasses.asdict(one).keys()


@pytest.mark.parametrize("kind", [queue.SimpleQueue, multiprocessing.SimpleQueue])
async def test_the_record_of_a_crash_goes_through_a_queue(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of threads or of processes; a reason that no pickle can load stops no listener."""
    records = kind()
    handler = logging.handlers.QueueHandler(records)
    monkeypatch.setattr(handler, "enqueue", records.put)
    child = otp.child(Server).having(name="server", restart="temporary")
    with logging_to(handler):
        async with otp.open_supervisor([child]):
            otp.send("server", Awkward(1, why="x"))
            await trio.testing.wait_all_tasks_blocked()
    record = records.get()
    assert "raise message" in record.getMessage()  # the text of the traceback
    assert repr(record.crash_reason) in ("Awkward('1: x')", """Exception("Awkward('1: x')")""")
    assert isinstance(record.otp_report, otp.events.CrashReport)


def test_a_formatter_is_copied_with_its_handler() -> None:
    """As by `logging.config`, and by a handler that is sent to another process."""
    record = logging.makeLogRecord({"name": "shop", "msg": "order %s", "args": (5,), "pid": None})
    formatter = otp.reports.JsonFormatter(datefmt="%H")
    line = formatter.format(record)
    for one in (
        copy.copy(formatter),
        copy.deepcopy(formatter),
        pickle.loads(pickle.dumps(formatter)),
    ):
        assert type(one) is otp.reports.JsonFormatter
        assert (line, "%H") == (one.format(record), one.datefmt)


# -- all of them -----------------------------------------------------------------------------------


def test_every_public_class_has_a_case() -> None:
    """A new class is a handle, an error, a report or data; users extend the others."""
    cases = {
        *HANDLES,
        *OTHER_HANDLES,
        *DATA,
        *IN_A_RUN,
        *WITH_A_HANDLE,
        *ERRORS,
        *REPORTS,
        "testing.GuestLoop",
    }
    assert PUBLIC.keys() == (cases | BASES) & PUBLIC.keys()
    assert set() == cases & BASES


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_class_is_the_same_one_everywhere(name: str) -> None:
    """A class is found by its name where a pickle is loaded."""
    cls = PUBLIC[name]
    assert cls is copy.deepcopy(cls)
    assert cls is pickle.loads(pickle.dumps(cls))


@pytest.mark.parametrize("name", [*DATA, *ERRORS, *REPORTS])
def test_a_pickle_names_no_private_module(name: str) -> None:
    """What has been pickled is found again after a file has moved."""
    make = DATA.get(name) or ERRORS.get(name) or REPORTS[name]
    for protocol in PROTOCOLS:
        assert b"trio_otp._" not in pickle.dumps(make(), protocol)


async def test_a_pickle_of_a_pid_names_no_private_module() -> None:
    """Nor does one of what carries a pid."""
    async with otp.open_process() as me:
        for value in (me, otp.NoProcess(me), *(make() for make in IN_A_RUN.values())):
            assert b"trio_otp._" not in pickle.dumps(value)
