"""Waiting for tasks: for the result, or for a look at what has come of them so far.

Follows: Elixir's `Task.await/2`, `await_many/2`, `yield/2` and `yield_many/2`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from .._process.checkpoints import checkpointed
from .._util.bounded import bounded
from .._util.checks import check_choice, check_timeout, check_whole
from .._util.public import public_in
from .handle import AWAIT_TIMEOUT, expect_task, wait_for
from .result import Exited, Ok, TaskExited, TaskTimeout
from .shutdown import ignore, shutdown

if TYPE_CHECKING:
    from .handle import Task
    from .result import Outcome

T = TypeVar("T")
OnTimeout = Literal["nothing", "ignore", "kill_task"]


@public_in("task")
@checkpointed
async def await_one(task: Task[T], *, timeout: float | None = AWAIT_TIMEOUT) -> T:
    """Wait for the result of a task. `await task` is the same with the usual time-out.

    If the wait is cancelled nothing is lost: the task can be awaited again.

    Args:
        task: which one; the caller is its owner.
        timeout: seconds; None waits for ever.

    Returns:
        What its function returned.

    Raises:
        TaskExited: it ended without a result. If it is linked and the caller does not trap exits,
            the caller ends with that reason instead.
        TaskTimeout: the time is up, or the result was taken before. The task runs on, nobody can
            take its result any more; `shutdown` ends it.
        TaskNotOwned: the caller did not start it.
        TypeError: it is not a task.
        ValueError: the time-out is not a number of seconds from 0 up.

    Follows: `Task.await/2`.
    """
    expect_task(task)
    return await task._await_result("await_one", timeout)


@public_in("task")
@checkpointed
async def await_many(tasks: Iterable[Task[T]], *, timeout: float | None = AWAIT_TIMEOUT) -> list[T]:
    """Wait for the results of many tasks, all within one time-out.

    Args:
        tasks: which ones; the caller is their owner.
        timeout: seconds for all of them together; None waits for ever.

    Returns:
        The results, in the order of the tasks.

    Raises:
        TaskExited: the first one to end without a result. The others run on, nobody can take their
            results any more.
        TaskTimeout: the time is up, or a result was taken before; `what` lists the tasks that have
            none.
        TaskNotOwned, TypeError, ValueError: as `await_one`.

    Follows: `Task.await_many/2`.
    """
    several = _checked(tasks, "await_many", timeout)

    def enough() -> bool:
        return all(task._settled for task in several) or any(map(_hopeless, several))

    await wait_for(several, enough, timeout)
    outcomes = {task: task._take() for task in dict.fromkeys(several)}
    if not all(isinstance(outcome, Ok) for outcome in outcomes.values()):
        for task in several:
            task._let_go()
        raise _what_failed(outcomes, timeout)
    return [outcome.value for task in several if isinstance(outcome := outcomes[task], Ok)]


def _hopeless(task: Task[Any]) -> bool:
    """Check whether a task will never have a result to take."""
    return isinstance(task._result, Exited) or not task._open


def _what_failed(
    outcomes: dict[Task[T], Outcome[T] | None], timeout: float | None
) -> TaskExited | TaskTimeout:
    for task, outcome in outcomes.items():
        if isinstance(outcome, Exited):
            return TaskExited(task, outcome.reason)
    late = [task for task, outcome in outcomes.items() if outcome is None]
    return TaskTimeout(late, timeout=timeout)


def _checked(tasks: Iterable[Task[T]], function: str, timeout: float | None) -> list[Task[T]]:
    if not isinstance(tasks, Iterable):
        raise TypeError(f"tasks={bounded(tasks)}: expected a list of tasks; write [task]")
    several = list(tasks)
    for task in several:
        expect_task(task)
        task._check_owner(function)
    check_timeout("timeout", timeout)
    return several


@public_in("task")
@checkpointed
async def yield_one(task: Task[T], *, timeout: float | None = AWAIT_TIMEOUT) -> Outcome[T] | None:
    """Look for what has come of a task, waiting a while; it can be called again and again.

    Args:
        task: which one; the caller is its owner.
        timeout: seconds; 0 only looks, None waits for ever.

    Returns:
        `Ok(value)`, `Exited(reason)`, or None if it still runs, or was asked with success before.

    Raises:
        TaskNotOwned: the caller did not start it.
        TypeError: it is not a task.
        ValueError: the time-out is not a number of seconds from 0 up.

    Follows: `Task.yield/2`.
    """
    expect_task(task)
    [(_, outcome)] = await yield_many([task], timeout=timeout)
    return outcome


@public_in("task")
@checkpointed
async def yield_many(
    tasks: Iterable[Task[T]],
    *,
    timeout: float | None = AWAIT_TIMEOUT,
    limit: int | None = None,
    on_timeout: OnTimeout = "nothing",
) -> list[tuple[Task[T], Outcome[T] | None]]:
    """Look for what has come of many tasks, waiting a while for all of them.

    Args:
        tasks: which ones; the caller is their owner.
        timeout: seconds for all of them together; 0 only looks, None waits for ever.
        limit: return as soon as this many are done, and take no more.
        on_timeout: what becomes of those still running when the time is up: `nothing`, they can be
            asked again; `ignore`, as `ignore` does; `kill_task`, as `shutdown` with `brutal_kill`.

    Returns:
        Each task with `Ok(value)`, `Exited(reason)` or None, in the order of the tasks.

    Raises:
        TaskNotOwned: the caller did not start one of them.
        TypeError: what is given is not a list of tasks.
        ValueError: an option has a value that is not accepted.

    Follows: `Task.yield_many/2`.
    """
    several = _checked(tasks, "yield_many", timeout)
    check_choice("on_timeout", on_timeout, get_args(OnTimeout))
    wanted = _wanted(limit, several)

    def enough() -> bool:
        done = sum(task._result is not None for task in several)
        return done >= wanted or all(task._settled for task in several)

    await wait_for(several, enough, timeout)
    in_time = enough()
    outcomes: dict[Task[T], Outcome[T] | None] = {}
    for task in [task for task in several if task._result is not None][:wanted]:
        outcomes[task] = task._take()
    if not in_time:
        for task in several:
            if task not in outcomes:
                outcomes[task] = await _give_up(task, on_timeout)
    return [(task, outcomes.get(task)) for task in several]


def _wanted(limit: int | None, several: list[Task[Any]]) -> int:
    if limit is None:
        return len(several)
    check_whole("limit", limit, 1, ", or None")
    return limit


async def _give_up(task: Task[T], on_timeout: OnTimeout) -> Outcome[T] | None:
    if on_timeout == "nothing" or not task._open:
        return None
    if on_timeout == "ignore" or task.pid is None:
        return ignore(task)
    return await shutdown(task, timeout="brutal_kill")
