"""The functions of `trio_otp.task`, which see."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar, TypeVarTuple

from .._exits.errors import NotAProcess
from .._process.identity import callers_for
from .._process.nursery import nursery_for
from .._process.runtime import need_process, own_process
from .._start.child import Child
from .._start.child import child as make_child
from .._start.spec import Runnable
from .._start.start import Start
from .._util.copies import create
from .._util.public import public_in
from .handle import Task
from .job import checked_job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from .._process.pid import Pid
    from .._process.process import Process
    from .job import Job

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@public_in("task")
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
    job = checked_job(fn, args, label, link=owner is not None)
    task: Task[T] = create(Task, None if owner is None else owner.pid, job.label, deliver=deliver)
    job.sink = task
    task._bind(_start_job(job, nursery, "otp.task.start_async", owner))
    return task


@public_in("task")
def start(
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
    label: str | None = None,
) -> Pid:
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
    return _start_job(checked_job(fn, args, label), nursery, "otp.task.start", own_process()).pid


@public_in("task")
def start_link(fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None) -> Pid:
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
    return _start_job(
        checked_job(fn, args, label, link=True), None, "otp.task.start_link", owner
    ).pid


def _start_job(
    job: Job, nursery: trio.Nursery | None, function: str, starter: Process | None
) -> Process:
    ordered = nursery_for(nursery, function)
    process = Start(Runnable(job.label, job.run), ordered, starter, link=job.link).create()
    job.callers = callers_for(starter)
    process.work_for(job.callers)
    return process


@public_in("task")
def child(fn: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs) -> Child[None]:
    """Describe what a supervisor runs once: as `otp.child`, with restart `temporary`.

    Args:
        fn: the async function.
        *args: its positional arguments.
        **kwargs: its keyword arguments.

    Returns:
        The child; `.having(restart="transient")` runs it again after a crash.

    Raises:
        TypeError: `fn` is not a function, or does not take the arguments.

    Follows: `Task.child_spec/1`.
    """
    return make_child(fn, *args, **kwargs).having(restart="temporary")


@public_in("task")
def completed(value: T) -> Task[T]:
    """Make a task that has its result already, where one is expected and nothing is to be done.

    Args:
        value: the result.

    Follows: `Task.completed/1`.
    """
    owner = own_process()
    task: Task[T] = create(Task, None if owner is None else owner.pid, "value")
    task._reply(value)
    return task
