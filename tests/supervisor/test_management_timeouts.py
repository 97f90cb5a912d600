"""Management calls with a time-out: they end in time, and the supervisor carries them out later."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

import trio_otp as otp

SHARDS = otp.partitions("shards")
Call = Callable[..., Awaitable[object]]


class Server(otp.GenServer):
    pass


async def slow(*, task_status: Any) -> None:
    await trio.sleep(10)
    task_status.started()
    await trio.sleep_forever()


async def job() -> None:
    await trio.sleep_forever()


def server(name: str) -> otp.Child[Server]:
    return otp.child(Server).having(name=name)


CALLS: dict[str, Call] = {
    "start_child": lambda **more: otp.start_child("sup", server("new"), **more),
    "start_child: dynamic": lambda **more: otp.start_child("dyn", server("new"), **more),
    "terminate_child": lambda **more: otp.terminate_child("sup", "up", **more),
    "restart_child": lambda **more: otp.restart_child("sup", "down", **more),
    "delete_child": lambda **more: otp.delete_child("sup", "down", **more),
    "which_children": lambda **more: otp.which_children("sup", **more),
    "which_child": lambda **more: otp.which_child("sup", "up", **more),
    "count_children": lambda **more: otp.count_children("sup", **more),
    "get_childspec": lambda **more: otp.get_childspec("sup", "up", **more),
    "ensure_child": lambda **more: otp.ensure_child("sup", server("new"), **more),
    "ensure_child: down": lambda **more: otp.ensure_child("sup", server("down"), **more),
    "Partitions.resize": lambda **more: SHARDS.resize(1, **more),
    "TaskSupervisor.start_async": lambda **more: otp.TaskSupervisor.start_async(
        "tasks", job, **more
    ),
    "TaskSupervisor.start_async_nolink": lambda **more: otp.TaskSupervisor.start_async_nolink(
        "tasks", job, **more
    ),
    "TaskSupervisor.start_child": lambda **more: otp.TaskSupervisor.start_child(
        "tasks", job, **more
    ),
    "TaskSupervisor.children": lambda **more: otp.TaskSupervisor.children("tasks", **more),
    "TaskSupervisor.terminate_child": lambda **more: otp.TaskSupervisor.terminate_child(
        "tasks", task_pid(), **more
    ),
}


def task_pid() -> otp.Pid[Any]:
    return next(pid for pid in otp.processes() if otp.get_label(pid) == "job")


@asynccontextmanager
async def busy() -> AsyncGenerator[None]:
    """Open supervisors that are all busy for ten seconds, from now on."""
    supervisors = [
        otp.child(otp.Supervisor, [server("up"), server("down")]).having(name="sup", id=1),
        otp.child(otp.DynamicSupervisor).having(name="dyn", id=2),
        otp.child(otp.TaskSupervisor).having(name="tasks", id=3),
        otp.child(otp.PartitionSupervisor, Server, partitions=2).having(name="shards", id=4),
    ]
    async with (
        otp.open_supervisor(supervisors),
        otp.open_process(),
        trio.open_nursery() as nursery,
    ):
        await otp.terminate_child("sup", "down")
        await otp.TaskSupervisor.start_child("tasks", job)
        await otp.terminate_child("shards", 1)
        for name in ("sup", "dyn", "tasks"):
            nursery.start_soon(otp.start_child, name, otp.child(slow))
        for name in ("shards",):
            await otp.sys.suspend(name)
            nursery.start_soon(resume_later, name)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def resume_later(name: str) -> None:
    await trio.sleep(10)
    await otp.sys.resume(name)


def test_all_functions_that_ask_a_supervisor_take_a_time_out_by_name() -> None:
    """It is keyword-only, and None if left out: as long as it takes."""
    for name in CALLS:
        function: Any = otp
        for part in name.split(":", maxsplit=1)[0].split("."):
            function = getattr(function, part)
        timeout = inspect.signature(function).parameters["timeout"]
        assert (timeout.kind, timeout.default) == (inspect.Parameter.KEYWORD_ONLY, None), name


@pytest.mark.parametrize("timeout", [0, 3, 3.5])
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_to_a_busy_supervisor_ends_in_time(
    name: str, timeout: float, autojump_clock: Any
) -> None:
    """By CallTimeout, which names the supervisor; what others ask is answered later as ever."""
    async with busy():
        with pytest.raises(otp.CallTimeout) as caught:
            await CALLS[name](timeout=timeout)
        assert timeout == trio.current_time()
        assert caught.value.server in ("sup", "dyn", "tasks", "shards")
        await otp.which_children(caught.value.server)
        assert 10 == trio.current_time()


@pytest.mark.parametrize("timeout", [None, 100, float("inf")])
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_is_answered_in_time_leaves_no_time_out(
    name: str, timeout: Any, autojump_clock: Any
) -> None:
    """Whatever is longer than it takes is as no limit."""
    async with busy():
        await CALLS[name](timeout=timeout)
        assert 10 == trio.current_time()


@pytest.mark.parametrize("timeout", [-1, "5", float("nan"), True])
@pytest.mark.parametrize("name", CALLS)
async def test_a_wrong_time_out_is_refused(name: str, timeout: Any, autojump_clock: Any) -> None:
    """In the caller, before anything is sent; the text has the argument and the value."""
    async with busy():
        with pytest.raises(ValueError, match="timeout="):
            await CALLS[name](timeout=timeout)
        assert 0 == trio.current_time()


async def test_what_timed_out_is_carried_out_later(autojump_clock: Any) -> None:
    """As in OTP: a child that was to be started, stopped or forgotten is so when its turn comes."""
    async with busy():
        for name in ("start_child", "terminate_child", "delete_child"):
            with pytest.raises(otp.CallTimeout):
                await CALLS[name](timeout=1)
        for child_id, up in (("new", True), ("up", False)):
            assert (otp.whereis(child_id) is not None) is (not up)
        ids = [info.id for info in await otp.which_children("sup")]
        assert ["up", "slow", "new"] == ids
        assert otp.whereis("new") is not None
        assert otp.whereis("up") is None


async def test_a_start_that_has_begun_and_times_out_goes_on(autojump_clock: Any) -> None:
    """The init is not broken off: only a cancellation takes the child back."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="dyn")]):
        with pytest.raises(otp.CallTimeout):
            await otp.start_child("dyn", otp.child(slow), timeout=2)
        [info] = await otp.which_children("dyn")
        assert 10 == trio.current_time()
        assert info.pid is not None


async def test_a_task_that_starts_too_late_does_nothing(autojump_clock: Any) -> None:
    """Nobody could take its result."""
    ran: list[int] = []

    async def late() -> None:
        ran.append(1)

    async with busy():
        with pytest.raises(otp.CallTimeout):
            await otp.TaskSupervisor.start_async("tasks", late, timeout=1)
        await trio.sleep(20)
    assert [] == ran


async def test_ensure_child_has_one_time_out_for_all_it_does(autojump_clock: Any) -> None:
    """A start that is refused, and then the restart, share it; a child that is there needs none."""
    async with busy():
        assert otp.whereis("up") is await otp.ensure_child("sup", server("up"), timeout=0)
        with pytest.raises(otp.CallTimeout):
            await otp.ensure_child("sup", server("down"), timeout=4)
        assert 4 == trio.current_time()
