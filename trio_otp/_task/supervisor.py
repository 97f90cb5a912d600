"""TaskSupervisor: a place for tasks to live in, apart from where their owners live.

**Why.** A task of `otp.task.start_async` lives and dies near its owner. Under a supervisor tasks
are stopped in order with the program, can be listed and limited in number, can be run again after a
crash, and need not be linked to the one that wants their result.

**Client and server side.** The functions below ask the supervisor and take it as any reference. The
supervisor starts the task, the function you give runs in it, and its result goes to the owner, who
awaits it with the functions of `otp.task`. `start_child` is for work whose result nobody takes.

**Supervise** it as any other child, started before those who use it. A crash of a task
never reaches it; only tasks of `start_child` with another `restart` than `temporary` are run again,
and count as its restarts.

**When not to use it.** For a helper that belongs to one call, `otp.reply_from_task` also tells the
caller if the helper dies. For servers that are started on demand there is `otp.DynamicSupervisor`,
which this is: `otp.start_child(tasks, child)` and the other management functions work as well.

It is long because each function says what can go wrong with it.

Follows: Elixir's `Task.Supervisor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import NotAProcess
from .._process.checkpoints import checkpointed
from .._process.identity import callers_for
from .._process.names import check_class, need_living
from .._process.runtime import need_process, own_process
from .._start.child import Child
from .._start.child import child as make_child
from .._supervisor.dynamic import DynamicSupervisor
from .._supervisor.dynamic_loop import DynamicLoop
from .._supervisor.management import (
    start_child,
    start_child_to_stay,
    terminate_child,
    which_children,
)
from .._util.copies import create
from .._util.public import public
from .handle import Task
from .job import Job, checked_job
from .stream_loop import Plan, check_items, open_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from .._behaviour.backoff import Backoff
    from .._behaviour.behaviour import Behaviour
    from .._behaviour.child_options import Restart, ShutdownOption
    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process
    from .stream import StreamOptions
    from .stream_loop import TaskStream

T = TypeVar("T")
Item_T = TypeVar("Item_T")
Ts = TypeVarTuple("Ts")


@public
class TaskSupervisor(DynamicSupervisor):
    """A dynamic supervisor whose children are tasks.

    Args:
        max_children: how many tasks it may have; None for any number.
        max_restarts: how many restarts there may be within `max_seconds`; None never gives up,
            which hides from those above what no restart cures.
        max_seconds: that window, a whole number.
        backoff: `otp.Backoff(...)` delays the restarts of tasks that are run again.

    >>> import trio, trio_otp as otp
    >>> async def square(number):
    ...     await trio.sleep(0.01)
    ...     return number * number
    >>> class Squares(otp.GenServer):
    ...     @otp.on_call_deferred
    ...     async def of(self, from_, number):
    ...         await otp.TaskSupervisor.start_child("tasks", self.answer, from_, number)
    ...     async def answer(self, from_, number):  # in the task
    ...         otp.reply(from_, await square(number))
    >>> async def main():
    ...     tasks = otp.child(otp.TaskSupervisor, max_children=100).having(name="tasks")
    ...     squares = otp.child(Squares).having(name=Squares)
    ...     async with otp.open_supervisor([tasks, squares]):
    ...         task = await otp.TaskSupervisor.start_async("tasks", square, 12)
    ...         print(await task, await Squares.at().of(9))
    >>> trio.run(main)
    144 81
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            backoff=backoff,
        )

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return TaskLoop(process).run(make)

    @staticmethod
    @checkpointed
    async def start_async(
        ref: Ref,
        fn: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownOption = 5.0,
        deliver: bool = False,
        timeout: float | None = None,
    ) -> Task[T]:
        """Start a task whose result its owner, the caller, takes later. They are linked.

        Args:
            ref: the supervisor it lives under.
            fn: the async function.
            *args: what it is called with.
            shutdown: seconds it gets when the supervisor stops; `brutal_kill` kills at once.
            deliver: also send the owner a `TaskReply` and a `Down`.
            timeout: seconds to wait for the start; None waits as long as it takes. A task that
                starts later does nothing.

        Returns:
            Its handle, for the functions of `otp.task`.

        Raises:
            MaxChildren: the supervisor is full.
            NotAProcess: `deliver` in plain Trio code.
            CallTimeout: it did not start within `timeout`.
            NoProcess, ServerExited: the supervisor is not there, or ended meanwhile.
            WrongServer: the reference is not that of a TaskSupervisor.
            SpecError, TypeError, ValueError: `shutdown`, `fn` or `timeout` is not accepted.

        Follows: `Task.Supervisor.async/3`.
        """
        return await _start(ref, fn, args, shutdown, deliver=deliver, link=True, timeout=timeout)

    @staticmethod
    @checkpointed
    async def start_async_nolink(
        ref: Ref,
        fn: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownOption = 5.0,
        deliver: bool = False,
        timeout: float | None = None,
    ) -> Task[T]:
        """As `start_async`, without the link: neither ends because the other does.

        Args:
            ref: the supervisor it lives under.
            fn: the async function.
            *args: what it is called with.
            shutdown: seconds it gets when the supervisor stops; `brutal_kill` kills at once.
            deliver: also send the owner a `TaskReply` and a `Down`.
            timeout: seconds, as of `start_async`.

        Raises:
            MaxChildren, NotAProcess, CallTimeout, NoProcess, ServerExited, WrongServer: as
                `start_async`.
            SpecError, TypeError, ValueError: as `start_async`.

        Follows: `Task.Supervisor.async_nolink/3`.
        """
        return await _start(ref, fn, args, shutdown, deliver=deliver, link=False, timeout=timeout)

    @staticmethod
    @checkpointed
    async def start_child(
        ref: Ref,
        fn: Callable[[*Ts], Awaitable[object]],
        *args: *Ts,
        restart: Restart = "temporary",
        shutdown: ShutdownOption = 5.0,
        timeout: float | None = None,
    ) -> Pid:
        """Start a task that nobody waits for, linked to the supervisor only.

        Args:
            ref: the supervisor it lives under.
            fn: the async function.
            *args: what it is called with.
            restart: `temporary` runs it once, `transient` again after a crash, `permanent` always.
            shutdown: seconds it gets when the supervisor stops; `brutal_kill` kills at once.
            timeout: seconds to wait; None waits as long as it takes. The task may start later.

        Returns:
            Its pid.

        Raises:
            MaxChildren, CallTimeout, NoProcess, ServerExited, WrongServer: as `start_async`.
            SpecError, TypeError, ValueError: as `start_async`.

        Follows: `Task.Supervisor.start_child/3`.
        """
        job = checked_job(fn, args, callers=callers_for(own_process()))
        return await start_child(ref, _child_of(ref, job, restart, shutdown), timeout=timeout)

    @staticmethod
    def async_stream(
        ref: Ref,
        items: Iterable[Item_T],
        fn: Callable[[Item_T, *Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownOption = 5.0,
        **options: Unpack[StreamOptions],
    ) -> AbstractAsyncContextManager[TaskStream[T]]:
        """As `otp.task.async_stream`, with the tasks under a supervisor.

        Args:
            ref: the supervisor they live under.
            items: the inputs, taken one by one and closed as by `otp.task.async_stream`.
            fn: the async function.
            *args: what it is called with besides the item.
            shutdown: seconds each gets when the supervisor stops; `brutal_kill` kills at once.
            **options: those of `otp.task.async_stream`.

        Returns:
            The block; the iterator inside it raises what `start_async` does, as `MaxChildren`.

        Raises:
            TypeError, ValueError: as `otp.task.async_stream`.

        Follows: `Task.Supervisor.async_stream/4`.
        """
        return _stream(ref, items, Plan(fn, args, **options), shutdown)

    @staticmethod
    def async_stream_nolink(
        ref: Ref,
        items: Iterable[Item_T],
        fn: Callable[[Item_T, *Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownOption = 5.0,
        **options: Unpack[StreamOptions],
    ) -> AbstractAsyncContextManager[TaskStream[T]]:
        """As `async_stream`, without links: a crash is an `Exited` for every consumer.

        Only a consumer that dies of an exit signal leaves the tasks running, as in OTP.

        Args:
            ref: the supervisor they live under.
            items: the inputs, taken one by one and closed as by `otp.task.async_stream`.
            fn: the async function.
            *args: what it is called with besides the item.
            shutdown: seconds each gets when the supervisor stops; `brutal_kill` kills at once.
            **options: those of `otp.task.async_stream`.

        Raises:
            TypeError, ValueError: as `otp.task.async_stream`.

        Follows: `Task.Supervisor.async_stream_nolink/4`.
        """
        return _stream(ref, items, Plan(fn, args, **options, link=False), shutdown)

    @staticmethod
    @checkpointed
    async def children(ref: Ref, *, timeout: float | None = None) -> list[Pid]:
        """List the tasks that run, oldest first.

        Args:
            ref: the supervisor.
            timeout: seconds; None waits as long as it takes.

        Raises:
            CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_async`.

        Follows: `Task.Supervisor.children/1`.
        """
        _need_task_supervisor(ref, "children")
        infos = await which_children(ref, timeout=timeout)
        return [info.pid for info in infos if info.pid is not None]

    @staticmethod
    @checkpointed
    async def terminate_child(ref: Ref, pid: Pid, *, timeout: float | None = None) -> None:
        """Stop a task within its `shutdown` limit. What is linked to it gets the signal.

        Args:
            ref: the supervisor.
            pid: which task.
            timeout: seconds to wait; None waits as long as it takes. It is stopped all the same.

        Raises:
            ChildNotFound: it is none of this supervisor.
            CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_async`.

        Follows: `Task.Supervisor.terminate_child/2`.
        """
        _need_task_supervisor(ref, "terminate_child")
        await terminate_child(ref, pid, timeout=timeout)


class TaskLoop(DynamicLoop):
    """The shell of a `TaskSupervisor`."""

    summary = "tasks"


@enable_ki_protection
async def run_job(job: Job) -> None:
    """Run the function of a task under a supervisor: take the job's name, owner and callers."""
    process = need_process("a task")
    process.label = job.label
    trio.lowlevel.current_task().name = f"<otp {job.label}>"
    process.work_for(job.callers)
    if job.sink is not None:
        if not job.sink._wanted:
            return  # its owner has gone before it has come
        job.sink._bind(process)
        owner = None if job.sink.owner is None else job.sink.owner._process
        if job.link and owner is not None:
            process.add_link(owner)
    await job.run(process)


@enable_ki_protection
async def _start(
    ref: Ref,
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    shutdown: ShutdownOption,
    *,
    deliver: bool,
    link: bool,
    timeout: float | None,
) -> Task[T]:
    owner = own_process()
    if deliver and owner is None:
        raise NotAProcess("deliver=True needs a process to deliver to")
    job = checked_job(fn, args, link=link, callers=callers_for(owner))
    task: Task[T] = create(Task, None if owner is None else owner.pid, job.label, deliver=deliver)
    job.sink = task
    try:
        await start_child(ref, _child_of(ref, job, "temporary", shutdown), timeout=timeout)
    except BaseException:
        task._abandon()
        raise
    return task


def _child_of(ref: Ref, job: Job, restart: Restart, shutdown: ShutdownOption) -> Child[None]:
    _need_task_supervisor(ref, "start_child" if job.sink is None else "start_async")
    child: Child[None] = make_child(run_job, job)
    return child.having(id=job.label, restart=restart, shutdown=shutdown)


def _stream(
    ref: Ref, items: Iterable[Any], plan: Plan, shutdown: ShutdownOption
) -> AbstractAsyncContextManager[TaskStream[Any]]:
    check_items(items)

    async def start(job: Job) -> None:
        await start_child_to_stay(ref, _child_of(ref, job, "temporary", shutdown))

    return open_stream(items, plan, start)


def _need_task_supervisor(ref: Ref, function: str) -> None:
    check_class(ref, need_living(ref, function), TaskSupervisor, f"TaskSupervisor.{function}")
