"""Tasks, their supervisor and what waits for them, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from async_world import World, case, give
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


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
    found = await otp.task.yield_many(tasks, timeout=1, on_timeout="kill_task")
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
