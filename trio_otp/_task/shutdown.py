"""Giving a task up: end it, or let it run on alone.

Follows: Elixir's `Task.shutdown/2` and `Task.ignore/1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import KILL, KILLED, NOPROC, SHUTDOWN
from .._process.checkpoints import checkpointed
from .._process.runtime import calling_process
from .._process.wait_edges import await_ends, leave_wait
from .._util.bounded import bounded
from .._util.checks import is_seconds
from .._util.public import public_in
from .handle import AWAIT_TIMEOUT, expect_task
from .result import Exited

if TYPE_CHECKING:
    from .._process.process import Process
    from .handle import Task
    from .result import Outcome

T = TypeVar("T")


@public_in("task")
@checkpointed
async def shutdown(
    task: Task[T], *, timeout: float | Literal["brutal_kill"] | None = AWAIT_TIMEOUT
) -> Outcome[T] | None:
    """End a task, and wait until it has ended. The owner is unlinked first.

    Args:
        task: which one; the caller is its owner.
        timeout: seconds it gets if it traps exits or cleans up, then it is killed; `brutal_kill`
            kills at once, None waits for ever.

    Returns:
        `Ok(value)` if it had, or still gave, its result. `Exited(reason)` if it ended otherwise
        than asked: had crashed before, say, or had to be killed after the time. None if it ended as
        asked. `Exited(NOPROC)` if it is dead and what came of it was taken before.

    Raises:
        TaskNotOwned: the caller did not start it.
        TypeError: it is not a task.
        ValueError: the time-out is not accepted, or `completed` made the task.

    Follows: `Task.shutdown/2`.
    """
    expect_task(task)
    task._check_owner("shutdown")
    _check_limit(timeout)
    process = _process_of(task, "shutdown")
    asked = KILLED if timeout == "brutal_kill" else SHUTDOWN
    await trio.lowlevel.checkpoint_if_cancelled()
    task._unlink()
    if process is None:
        await trio.lowlevel.cancel_shielded_checkpoint()
        reason: object = NOPROC
    else:
        reason = await _end(process, task, timeout)
    outcome = task._take()
    if outcome is None:  # it was let go, or its owner's server has handled what came of it
        outcome = Exited(reason)
    return None if isinstance(outcome, Exited) and outcome.reason is asked else outcome


def _check_limit(timeout: object) -> None:
    if timeout is not None and timeout != "brutal_kill" and not is_seconds(timeout):
        accepted = "a number of seconds >= 0, 'brutal_kill', or None"
        raise ValueError(f"timeout={bounded(timeout)}: expected {accepted}")


def _process_of(task: Task[Any], function: str) -> Process | None:
    if task.pid is None:
        raise ValueError(f"otp.task.{function} of {task!r}: no process runs it; await it instead")
    return task.pid._process


async def _end(
    process: Process, task: Task[Any], timeout: float | Literal["brutal_kill"] | None
) -> object:
    waiter = calling_process()
    try:
        if timeout != "brutal_kill":
            process.signal(task.owner, SHUTDOWN)
            await_ends(waiter, {process: None})
            ended = await process.wait_dead(timeout)
            if process.dead:
                return ended
    finally:  # also when the caller is cancelled: then it does not wait
        leave_wait(waiter)
        process.signal(task.owner, KILL)  # which the dead do not hear
    await_ends(waiter, {process: None})
    try:
        return await process.wait_dead()
    finally:
        leave_wait(waiter)


@public_in("task")
@enable_ki_protection
def ignore(task: Task[T]) -> Outcome[T] | None:
    """Let a task run on, unlinked, with nobody to take its result.

    Args:
        task: which one; the caller is its owner.

    Returns:
        `Ok(value)` or `Exited(reason)` if it has ended already, else None.

    Raises:
        TaskNotOwned: the caller did not start it.
        TypeError: it is not a task.
        ValueError: `completed` made the task.

    Follows: `Task.ignore/1`.
    """
    expect_task(task)
    task._check_owner("ignore")
    _process_of(task, "ignore")
    task._unlink()
    outcome = task._take()
    task._let_go()
    return outcome
