"""The end of a process, and what it knows of itself while it runs."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
import trio.testing
from inside import Process, runtime

import trio_otp as otp


async def report_to(boss: otp.Pid[Any], make: Any) -> None:
    """Send what `make` gives in this process to `boss`."""
    otp.send(boss, make())


async def in_process(make: Any) -> Any:
    """Return what `make` gives in a process of its own."""
    otp.spawn_link(report_to, otp.self(), make)
    return await otp.receive()


async def end_of(body: Any, *args: Any) -> object:
    """Return the exit reason of a process that runs `body`."""
    _, monitor = otp.spawn_monitor(body, *args)
    down = await otp.receive(otp.Down)
    assert monitor is down.ref
    return down.reason


# -- ends ------------------------------------------------------------------------------------------


async def test_a_body_that_returns_ends_normally() -> None:
    """The exit reason of a body that returns is NORMAL."""
    async with otp.open_process():
        assert otp.NORMAL is await end_of(trio.lowlevel.checkpoint)


async def test_a_body_that_raises_ends_with_its_exception() -> None:
    """The exit reason of a crash is the exception itself, with its traceback (GS-9)."""
    bug = ValueError("bug")

    async def crash() -> None:
        raise bug

    async with otp.open_process():
        assert bug is await end_of(crash)
    assert bug.__traceback__ is not None


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("x"), "any", 7, None])
async def test_exit_ends_the_process_with_its_reason(reason: object) -> None:
    """otp.exit(reason) ends the process with any object, and no `except Exception` stops it."""

    async def leave() -> None:
        try:
            otp.exit(reason)
        except Exception:
            await trio.sleep_forever()

    async with otp.open_process():
        assert reason == await end_of(leave)


async def test_fault_52_one_cause_is_one_exception_at_any_depth() -> None:
    """A crash four nurseries deep is the bare exception; a group of two stays a group."""

    async def crash(depth: int) -> None:
        if depth == 0:
            raise ValueError("deep")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash, depth - 1)

    async def crash_twice() -> None:
        raise ExceptionGroup("two", [ValueError(1), TypeError(2)])

    async def exit_deep() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            otp.exit("deep")

    async with otp.open_process():
        assert isinstance(await end_of(crash, 4), ValueError)
        assert isinstance(await end_of(crash_twice), ExceptionGroup)
        assert "deep" == await end_of(exit_deep)


async def test_fault_44_a_crash_before_the_first_await_is_noticed() -> None:
    """A body that raises at once has a monitor that tells."""

    async def at_once() -> None:
        raise LookupError("first step")

    async with otp.open_process():
        assert isinstance(await end_of(at_once), LookupError)


async def test_a_crash_is_reported_once_and_a_quiet_end_never() -> None:
    """One crash report per crash; otp.exit, which nobody calls a crash, brings none (PR-19)."""
    reports: list[Any] = []

    async def crash() -> None:
        raise ValueError("reported")

    async with otp.open_process():
        runtime().events.attach("crash", reports.append)
        await end_of(crash)
        await end_of(trio.lowlevel.checkpoint)
        await end_of(otp.exit, "not a crash")
    assert ["crash"] == [report.label for report in reports]
    assert "reported" == str(reports[0].reason)


async def test_a_crash_beside_an_exit_is_the_reason() -> None:
    """It is reported, and has the exit as its context, by a public name."""
    reports: list[Any] = []

    async def crash() -> None:
        raise ValueError("beside")

    async def leave() -> None:
        otp.exit("leave")

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash)
            nursery.start_soon(leave)

    async with otp.open_process():
        runtime().events.attach("crash", reports.append)
        reason = await end_of(both)
    assert isinstance(reason, ValueError)
    assert isinstance(reason.__context__, otp.ProcessExited)
    assert "leave" == reason.__context__.reason
    assert ["both"] == [report.label for report in reports]


# -- what a process knows of itself ----------------------------------------------------------------


async def test_a_dictionary_belongs_to_one_process() -> None:
    """The dictionary is empty at first, private, and inherited by nobody (PR-15)."""
    async with otp.open_process():
        otp.dictionary()["key"] = "mine"
        assert {} == await in_process(lambda: dict(otp.dictionary()))
        assert "mine" == otp.dictionary()["key"]


async def test_ancestors_are_names_where_there_are_names() -> None:
    """ancestors lists who started a process, nearest first, by name or pid (GN-12)."""

    async def parent(me: otp.Pid[Any]) -> None:
        otp.spawn_link(report_to, me, otp.ancestors)
        await trio.sleep_forever()

    async with otp.open_process(name="grandpa") as me:
        pid = otp.spawn(parent, me)
        assert (pid, "grandpa") == await otp.receive()
        assert () == otp.ancestors()


async def tell_callers() -> tuple[otp.Pid[Any], ...]:
    return otp.callers()


async def tell_from_within() -> tuple[Any, ...]:
    """Start a task in a task; give the pid of the outer one and the callers of the inner one."""
    return otp.self(), await otp.task.start_async(tell_callers)


async def test_callers_of_a_task_are_pids() -> None:
    """callers lists on whose behalf a task runs, nearest first, however it was started (TK-11)."""
    children = [otp.child(otp.TaskSupervisor).having(name="tasks")]
    async with otp.open_process(name="boss") as me, otp.open_supervisor(children):
        assert () == otp.callers()
        otp.task.start(report_to, me, otp.callers)
        assert (me,) == await otp.receive()
        otp.task.start_link(report_to, me, otp.callers)
        assert (me,) == await otp.receive()
        await otp.TaskSupervisor.start_child("tasks", report_to, me, otp.callers)
        assert (me,) == await otp.receive()
        async with otp.task.async_stream([tell_callers], call_it) as results:
            assert [(me,)] == [result.value async for result in results]
        outer, inner = await otp.task.start_async(tell_from_within)
        assert (outer, me) == inner
        outer, inner = await (await otp.TaskSupervisor.start_async("tasks", tell_from_within))
        assert (outer, me) == inner
        assert (me,) == otp.process_info(otp.task.start(trio.lowlevel.checkpoint)).callers


async def call_it(function: Any) -> Any:
    return await function()


class Office(otp.GenServer):
    """Answers a call with its callers, its own, or those of its helper."""

    def handle_call(self, request: str, from_: otp.From[Any]) -> Any:
        if request == "own":
            return otp.Reply(otp.callers())
        otp.reply_from_task(from_, tell_callers)
        return otp.NoReply()


async def test_only_tasks_have_callers() -> None:
    """A server has none, whoever starts it, also a task; nor has a process of spawn (TK-11)."""
    async with otp.open_process() as me, otp.open_supervisor([Office]) as sup:
        [info] = await otp.which_children(sup)
        assert () == await otp.call(info.pid, "own")
        assert (info.pid,) == await otp.call(info.pid, "helper")
        started = await otp.start(Office)
        assert () == await otp.call(started, "own")
        assert () == await in_process(otp.callers)

        async def start_and_ask() -> Any:
            return await otp.call(await otp.start_link(Office), "own")

        assert () == await otp.task.start_async(start_and_ask)
        assert () == otp.process_info(me).callers


@pytest.mark.parametrize(
    "ask", [otp.self, otp.dictionary, otp.ancestors, otp.callers, otp.trap_exit]
)
async def test_plain_code_knows_nothing_of_a_process(ask: Any) -> None:
    """What asks of the own process raises NotAProcess in plain Trio code."""
    with pytest.raises(otp.NotAProcess, match="open_process"):
        ask()


async def test_a_helper_task_belongs_to_its_process() -> None:
    """A task of a nursery inside a process has its pid and dictionary, and cannot receive."""

    async def helper(me: otp.Pid[Any]) -> None:
        assert me is otp.self()
        with pytest.raises(otp.NotAProcess, match="own task"):
            await otp.receive()
        otp.send(me, "helped")

    async with otp.open_process() as me:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper, me)
        assert "helped" == await otp.receive()


async def test_a_line_of_starters_does_not_keep_the_dead_alive() -> None:
    """Of a hundred processes that each started the next and ended, the last two are kept."""

    async def step(left: int) -> None:
        if left:
            otp.spawn_link(step, left - 1)
        else:
            await trio.sleep_forever()

    async with otp.open_process():
        otp.spawn(step, 100)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        kept = [o for o in gc.get_objects() if type(o) is Process and o.label == "step"]

        assert len(kept) <= 2
