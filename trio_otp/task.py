"""Tasks: run a function beside what you do now, and take its result later.

**Why.** A server that waits serves nobody meanwhile. A task does the waiting, or one job of many,
in a process of its own; `otp.task` holds the functions, as `Task` does in Elixir.

>>> import trio, trio_otp as otp
>>> async def area(width, height):
...     await trio.sleep(0.01)
...     return width * height
>>> async def main():
...     async with otp.open_process():
...         big, small = otp.task.start_async(area, 30, 40), otp.task.start_async(area, 3, 4)
...         print(await big, await otp.task.await_one(small, timeout=1))
...         async with otp.task.async_stream([1, 2, 3], area, 10, max_concurrency=2) as areas:
...             print([result.unwrap() async for result in areas])
>>> trio.run(main)
1200 12
[10, 20, 30]

**Client and server side.** Whoever starts a task owns it: only the owner may wait for it, and the
two are linked, so that neither outlives the crash of the other. The function is the server side;
what it returns is the result, what it raises is the crash. `await_one` and `await_many` wait;
`yield_one` and `yield_many` look, and can look again; `shutdown` and `ignore` give up. A GenServer
that must go on meanwhile starts the task with `deliver=True` and gets messages: a `TaskReply(task,
value)` and then a `Down(task.ref, pid, NORMAL)`, or the `Down` alone with the reason of a crash.

>>> class Shop(otp.GenServer):
...     @otp.on_cast
...     def measure(self, width: int, height: int) -> None:
...         self.task = otp.task.start_async(area, width, height, deliver=True)
...     @otp.on_info(otp.TaskReply)
...     def measured(self, reply: otp.TaskReply) -> None:
...         otp.demonitor(reply.task.ref, flush=True)  # the Down is of no interest any more
...         print(f"measured: {reply.value}")
>>> async def main():
...     async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
...         Shop.at("shop").measure(5, 6)
...         await trio.sleep(0.1)
>>> trio.run(main)
measured: 30

In plain Trio code give `start_async` a nursery. There is no process to link to, so a crash is only
logged, and raised by whoever awaits it.

**Supervise** tasks together: `otp.child(otp.TaskSupervisor).having(name="tasks")` is a place for
tasks, which then live apart from their owners: see `otp.TaskSupervisor`. A task that is a child of
a supervisor itself is `otp.task.child(fn, *args)`.

**When not to use it.** A function that is awaited at once needs no task. Jobs that belong together
and end together are a Trio nursery. What keeps state or serves requests is a GenServer.

Follows: Elixir's `Task`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple

from .blueprint import Blueprint
from .child import Child
from .child import child as make_child
from .exits import NotAProcess
from .launch import Launch, where_to_live
from .runtime import need_process, own_process
from .task_handle import Task
from .task_job import Job, callers_for
from .task_result import Exited, NotOwner, Ok, Outcome, TaskExited, TaskReply, TaskTimeout
from .task_shutdown import ignore, shutdown
from .task_stream import async_stream
from .task_stream_loop import TaskStream
from .task_wait import await_many, await_one, yield_many, yield_one

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from .pid import Pid
    from .process import Process

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

__all__ = [
    "Exited",
    "NotOwner",
    "Ok",
    "Outcome",
    "Task",
    "TaskExited",
    "TaskReply",
    "TaskStream",
    "TaskTimeout",
    "async_stream",
    "await_many",
    "await_one",
    "child",
    "completed",
    "ignore",
    "shutdown",
    "start",
    "start_async",
    "start_link",
    "yield_many",
    "yield_one",
]


def start_async(
    fn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
    deliver: bool = False,
    label: str | None = None,
) -> Task[T]:
    """Start a task whose result its owner, the caller, takes later. They are linked.

    Args:
        fn: the async function.
        *args: what it is called with.
        nursery: where it lives; needed in plain Trio code. Without it, it lives where its owner
            does.
        deliver: also send the owner a `TaskReply` and a `Down`, unless a function takes them first.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        Its handle, at once: the function has yet to run.

    Raises:
        NotAProcess: in plain Trio code without `nursery`, or with `deliver`.
        TypeError: `fn` cannot be called.

    Follows: `Task.async/1`.
    """
    owner = own_process()
    if deliver and owner is None:
        raise NotAProcess("otp.task.start_async(..., deliver=True) needs a process to deliver to")
    job = Job(fn, args, label or "", link=owner is not None)
    task: Task[T] = Task(None if owner is None else owner.pid, job.label, deliver=deliver)
    job.sink = task
    task._bind(_launch(job, nursery, "otp.task.start_async", owner))
    return task


def start(
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
    label: str | None = None,
) -> Pid[Any]:
    """Start a task that nobody waits for and that is linked to nobody.

    Args:
        fn: the async function.
        *args: what it is called with.
        nursery: where it lives; needed in plain Trio code.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        Its pid, at once.

    Raises:
        NotAProcess: in plain Trio code without `nursery`.
        TypeError: `fn` cannot be called.

    Follows: `Task.start/1`.
    """
    return _launch(Job(fn, args, label or ""), nursery, "otp.task.start", own_process()).pid


def start_link(
    fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None
) -> Pid[Any]:
    """Start a task that nobody waits for, linked to the calling process.

    Args:
        fn: the async function.
        *args: what it is called with.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        Its pid, at once.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: `fn` cannot be called.

    Follows: `Task.start_link/1`.
    """
    owner = need_process("otp.task.start_link")
    return _launch(Job(fn, args, label or "", link=True), None, "otp.task.start_link", owner).pid


def _launch(
    job: Job, nursery: trio.Nursery | None, function: str, starter: Process | None
) -> Process:
    home = where_to_live(nursery, function)
    process = Launch(Blueprint(job.label, job.run), home, starter, link=job.link).create()
    process.callers = job.callers = callers_for(starter)
    return process


def child(fn: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs) -> Child[None]:
    """Say what a supervisor runs once: as `otp.child`, with restart `temporary`.

    Args:
        fn: the async function.
        *args: its positional arguments.
        **kwargs: its keyword arguments.

    Returns:
        The child; `.having(restart="transient")` runs it again after a crash.

    Raises:
        TypeError: `fn` is no function, or does not take the arguments.

    Follows: `Task.child_spec/1`.
    """
    return make_child(fn, *args, **kwargs).having(restart="temporary")


def completed(value: T) -> Task[T]:
    """Make a task that has its result already, where one is expected and nothing is to be done.

    Args:
        value: the result.

    Follows: `Task.completed/1`.
    """
    owner = own_process()
    task: Task[T] = Task(None if owner is None else owner.pid, "value")
    task._reply(value)
    return task
