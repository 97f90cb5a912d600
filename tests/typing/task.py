"""What the checkers make of tasks, their streams and their supervisor."""

from __future__ import annotations

from typing import Any, assert_type

import trio_otp as otp


async def size(text: str, factor: int = 1) -> int:
    """Return a number for a text."""
    return len(text) * factor


async def check_task(task: otp.Task[int]) -> None:
    """A task knows the type of its result, and its function the types of its arguments."""
    assert_type(otp.task.start_async(size, "a", 2), otp.Task[int])
    assert_type(await task, int)
    assert_type(await otp.task.await_one(task, timeout=None), int)
    assert_type(await otp.task.await_many([task, task]), list[int])
    assert_type(otp.task.completed("x"), otp.Task[str])
    assert_type(otp.task.start(size, "a", 2), otp.Pid[Any])
    assert_type(otp.task.child(size, "a", factor=2), otp.Child[None])
    otp.task.start_async(size, 1, 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    otp.task.start_link(size, 1, 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def check_outcomes(task: otp.Task[int]) -> None:
    """What came of a task is a result, a reason, or nothing yet."""
    outcome = await otp.task.yield_one(task)
    assert_type(outcome, otp.task.Ok[int] | otp.task.Exited | None)
    assert_type(await otp.task.shutdown(task, timeout="brutal_kill"), otp.task.Outcome[int] | None)
    assert_type(otp.task.ignore(task), otp.task.Outcome[int] | None)
    match outcome:
        case otp.task.Ok(value):
            assert_type(value, int)
        case otp.task.Exited(reason):
            assert_type(reason, object)
        case None:
            pass
    await otp.task.yield_many([task], on_timeout="kill")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def check_stream() -> None:
    """A stream checks that its function takes the items, and knows what it returns."""
    async with otp.task.async_stream(["a", "b"], size, 2, timeout=None) as sizes:
        assert_type(sizes, otp.task.TaskStream[int])
        async for result in sizes:
            assert_type(result, otp.task.Outcome[int])
    otp.task.async_stream([1], size, 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    otp.task.async_stream(["a"], size, 2, on_timeout="kill")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def check_supervisor(sup: otp.Pid[otp.TaskSupervisor]) -> None:
    """The functions of the supervisor are typed as those of tasks."""
    assert_type(otp.child(otp.TaskSupervisor, max_children=1), otp.Child[otp.TaskSupervisor])
    tasks = otp.TaskSupervisor
    assert_type(await tasks.start_async(sup, size, "a", 2, deliver=True), otp.Task[int])
    assert_type(await tasks.start_async_nolink("tasks", size, "a", 2), otp.Task[int])
    assert_type(await tasks.children(sup), list[otp.Pid[Any]])
    await tasks.start_child(sup, size, "a", 2, restart="transient")
    await tasks.start_async(sup, size, 1, 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with tasks.async_stream(sup, ["a"], size, 2, ordered=False) as sizes:
        assert_type([result.unwrap() async for result in sizes], list[int])
    tasks.async_stream_nolink(sup, ["a"], size, 2, order=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
