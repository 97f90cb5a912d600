"""What the checkers make of child specifications and supervisors."""

from __future__ import annotations

import functools
from typing import Any, Generic, TypeVar, assert_type

import trio

import trio_otp as otp
from tests.support.inside import SupervisorSpec  # noqa: TC001 - read by `assert_type`

T = TypeVar("T")


class Cache(otp.GenServer):
    """Has a constructor with arguments."""

    def __init__(self, name: str, limit: int = 1000, *, ttl: float | None = None) -> None:
        self.name = name
        self.limit = limit
        self.ttl = ttl


class Shop(otp.Supervisor):
    """Says what to supervise in its init."""

    def __init__(self, size: int) -> None:
        self.size = size

    def init(self) -> SupervisorSpec:
        children = [otp.child(Cache, f"cache {n}").having(id=n) for n in range(self.size)]
        return otp.Supervisor.spec(children, strategy="rest_for_one", max_restarts=5)


async def handler(stream: trio.SocketStream) -> None:
    await stream.aclose()


async def job(number: int, *, verbose: bool = False) -> str:
    return str(number) if verbose else ""


def check_classes() -> None:
    """otp.child takes exactly the arguments of a constructor."""
    assert_type(otp.child(Cache, "a"), otp.Child[Cache])
    assert_type(otp.child(Cache, "a", 10, ttl=2.0), otp.Child[Cache])
    assert_type(otp.child(Cache, name="a", limit=10), otp.Child[Cache])
    otp.child(Cache)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(Cache, 7)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(Cache, "a", "b")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(Cache, "a", tll=1.0)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue, reportArgumentType]


def check_functions() -> None:
    """The same for any async function, those of Trio among them."""
    assert_type(otp.child(job, 3), otp.Child[None])
    assert_type(otp.child(job, 3, verbose=True), otp.Child[None])
    assert_type(otp.child(trio.serve_tcp, handler, 0), otp.Child[None])
    assert_type(otp.child(trio.serve_tcp, handler, 0, host="localhost"), otp.Child[None])
    otp.child(job, "3")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(job)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(trio.serve_tcp, handler)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(trio.serve_tcp, handler, "0")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(check_classes)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(Cache("a"))  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


class Box(otp.GenServer, Generic[T]):
    """Is a generic class."""

    def __init__(self, content: T) -> None:
        self.content = content


def make_box(content: int = 5) -> Box[int]:
    return Box(content)


def check_what_makes_a_server() -> None:
    """An alias, a partial or a function is a child of the class that it makes."""
    assert_type(otp.child(Box, 5), otp.Child[Box[int]])
    assert_type(otp.child(Box[int], 5), otp.Child[Box[int]])
    assert_type(otp.child(functools.partial(Box[int], 5)), otp.Child[Box[int]])
    assert_type(otp.child(make_box), otp.Child[Box[int]])
    assert_type(otp.child(make_box, 5), otp.Child[Box[int]])
    otp.child(Box[int], "5")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(make_box, "5")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


async def idle() -> None:
    await trio.sleep_forever()


async def check_bare_ones(sup: otp.Ref) -> None:
    """A class or function that needs no arguments stands for itself, and no other."""
    assert_type(await otp.start_link(idle), otp.Pid[None])
    assert_type(await otp.start_child(sup, idle), otp.Pid[None])
    assert_type((await otp.start_monitor(idle))[0], otp.Pid[None])
    assert_type(await otp.start_link(otp.Supervisor), otp.Pid[otp.Supervisor])
    assert_type(await otp.start_link(make_box), otp.Pid[Box[int]])
    await otp.start_link(Cache)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    await otp.start_link(job)  # type: ignore[arg-type, type-var] # pyright: ignore[reportCallIssue, reportArgumentType]
    await otp.start_link(check_classes)  # type: ignore[type-var] # pyright: ignore[reportCallIssue, reportArgumentType]


async def announces(port: int, *, task_status: trio.TaskStatus[object]) -> None:
    task_status.started(port)


async def status(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started(5)


def check_task_status() -> None:
    """What the library gives is no argument of the user, whether there is a default or not."""
    assert_type(otp.child(announces, 80), otp.Child[None])
    assert_type(otp.template(announces), otp.Child[None])
    assert_type(otp.child(status), otp.Child[None])
    otp.child(announces)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(announces, "80")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def check_options(child: otp.Child[Cache]) -> None:
    """Options keep the type of the child, and are checked."""
    assert_type(child.having(name="a"), otp.Child[Cache])
    assert_type(
        child.having(
            name=Cache, id=7, restart="transient", shutdown="brutal_kill", significant=False
        ),
        otp.Child[Cache],
    )
    assert_type(child.having(shutdown=None, timeout=None).having(shutdown=2), otp.Child[Cache])
    child.having(restart="always")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    child.having(shutdown="later")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    child.having(limit=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


class Job(
    otp.GenServer, id=7, restart="transient", shutdown="brutal_kill", timeout=None, debug=["trace"]
):
    """Takes the options of a child in its statement, as all behaviours do."""


class Never(otp.GenServer, restart="never"):  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    """A mistake in a value is found."""


class Top(otp.Supervisor, shutdwon=3):  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    """So is one in the name of an option."""


class Named(otp.GenStatem[str], name="top"):  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    """A name is of one child alone."""


async def check_starts(child: otp.Child[Cache]) -> None:
    """What is started is known by its class; a function's process is not of one."""
    assert_type(await otp.start_link(child), otp.Pid[Cache])
    assert_type(await otp.start(otp.child(job, 3)), otp.Pid[None])
    async with trio.open_nursery() as nursery:
        assert_type(await otp.start(child, nursery=nursery), otp.Pid[Cache])
        await otp.start_link(child, nursery=nursery)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


async def check_supervisors() -> None:
    """Lists of children take classes and children of any kind, and nothing else."""
    children = [Shop, otp.child(Shop, 3), otp.child(Cache, "a"), otp.child(job, 3)]
    async with otp.open_supervisor(children, strategy="one_for_all", name="top") as sup:
        assert_type(sup, otp.OpenSupervisor)
        assert_type(sup.pid, otp.Pid[Any])
        assert_type(await sup.wait(), None)
        assert_type(await otp.start_child(sup, otp.child(Cache, "b")), otp.Pid[Cache])
        assert_type(await otp.ensure_child("top", otp.child(Cache, "b")), otp.Pid[Cache])
        assert_type(await otp.which_children(sup), list[otp.ChildInfo])
        assert_type(await otp.count_children(sup), otp.Counts)
        assert_type(await otp.get_childspec(sup, "b"), otp.ChildSpec)
        assert_type(await otp.terminate_child(sup, "b"), None)
        await otp.start_child(sup, "b")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def check_flags() -> None:
    """Flags are checked where they are written."""
    assert_type(otp.child(otp.Supervisor, [Shop], max_restarts=1), otp.Child[otp.Supervisor])
    assert_type(otp.child(otp.DynamicSupervisor, max_children=3), otp.Child[otp.DynamicSupervisor])
    otp.child(otp.Supervisor, [Shop], strategy="one_for_some")  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(otp.DynamicSupervisor, max_children="3")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    assert_type(otp.child(Cache, "a").having(backoff=otp.Backoff(factor=3)), otp.Child[Cache])
    otp.child(Cache, "a").having(backoff=None).having(backoff="supervisor")
    otp.child(otp.PartitionSupervisor, Cache, partitions=2, max_restarts=None, backoff=None)
    otp.child(otp.TaskSupervisor, max_restarts=None, backoff=otp.Backoff())
    otp.Supervisor.spec([Shop], max_restarts=None, backoff=otp.Backoff(reset_after=float("inf")))
    otp.Backoff(0.5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    otp.child(Cache, "a").having(backoff=0.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.Supervisor.spec([Shop], auto_shutdown="always")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_templates(sup: otp.Ref) -> None:
    """A template leaves arguments open; start_child adds them as a list."""
    template = otp.template(Cache)
    assert_type(template, otp.Child[Cache])
    assert_type(otp.template(job), otp.Child[None])
    assert_type(
        otp.child(otp.DynamicSupervisor, template=template), otp.Child[otp.DynamicSupervisor]
    )
    assert_type(await otp.start_child(sup, ["a", 10]), otp.Pid[Any])
    assert_type(await otp.which_child(sup, "a"), otp.ChildInfo)
    otp.check_childspecs([otp.child(Cache, "a"), Shop], auto_shutdown="never")
