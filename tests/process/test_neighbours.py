"""Who ends with a process that crashes, as its report tells, and where clients and they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import MOST
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.events import CrashReport


async def rest() -> None:
    """Wait for nothing in particular."""
    await trio.sleep_forever()


async def trap() -> None:
    """Trap exits and wait."""
    otp.trap_exit()
    await trio.sleep_forever()


async def fail_when_told() -> None:
    """Crash at the first message."""
    await otp.receive(str)
    raise ValueError("boom")


def crashes() -> list[CrashReport]:
    """Collect the reports of crashes."""
    heard: list[CrashReport] = []
    otp.events.attach("crash", heard.append)
    return heard


async def test_linked_processes_that_do_not_trap_are_named(
    caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """Over any number of links; those that trap exits, and what is behind them, live on (SY-12)."""
    heard = crashes()
    async with otp.open_process(trap_exit=True) as me:
        victim = otp.spawn(fail_when_told)
        near = otp.spawn(rest, label="near")
        far = otp.spawn(rest, label="far")
        safe = otp.spawn(trap)
        behind = otp.spawn(rest)
        await wait_all_tasks_blocked()
        await _link(victim, near)
        await _link(near, far)
        await _link(victim, safe)
        await _link(safe, behind)
        otp.send(victim, "go")
        await wait_all_tasks_blocked()

        assert [False, False, True, True] == [
            otp.is_alive(pid) for pid in (near, far, safe, behind)
        ]
        assert otp.is_alive(me)

    [report] = heard
    assert [near, far] == [each.pid for each in report.neighbours]
    first, second = report.neighbours
    assert ("near", {victim, far}) == (first.initial_call, set(first.links))
    assert f"{__file__}:" in str(first.place)
    assert str(first.place).endswith(" in rest")
    assert (False, 0) == (first.as_dict()["trap_exit"], second.as_dict()["message_queue_len"])
    [record] = [r for r in caplog.records if r.name == "trio_otp.crash"]
    assert f"Ends with it: {near!r}, 0 waiting, waits in {first.place}" in record.getMessage()


async def _link(one: otp.Pid[Any], other: otp.Pid[Any]) -> None:
    """Link two processes of others, as they would do it themselves."""
    from inside import runtime

    processes = runtime().processes
    processes[one._number].add_link(processes[other._number])


async def test_there_is_an_end_to_them() -> None:
    """A report of a process with many links stays small."""
    heard = crashes()
    async with otp.open_process(trap_exit=True):
        victim = otp.spawn(fail_when_told)
        for _ in range(MOST + 5):
            await _link(victim, otp.spawn(rest))
        otp.send(victim, "go")
        await wait_all_tasks_blocked()

    assert MOST == len(heard[0].neighbours)


@settings(max_examples=few(40), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=10),
    st.sets(st.integers(1, 6)),
)
def test_the_neighbours_are_those_that_end(
    links: list[tuple[int, int]], trapping: set[int]
) -> None:
    """In any graph of links: whoever is named ends, and whoever ends was named."""

    async def program() -> None:
        heard = crashes()
        otp.events.detach("crash", otp.reports.log_crash)
        async with otp.open_process(trap_exit=True):
            pids: list[otp.Pid[Any]] = [otp.spawn(fail_when_told)]
            pids += [otp.spawn(trap if number in trapping else rest) for number in range(1, 7)]
            await wait_all_tasks_blocked()
            for one, other in links:
                if one != other:
                    await _link(pids[one], pids[other])
            otp.send(pids[0], "go")
            await wait_all_tasks_blocked()

            ended = {pid for pid in pids[1:] if not otp.is_alive(pid)}
            assert ended == {each.pid for each in heard[0].neighbours}

    trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_where_the_client_waits_is_told() -> None:
    """The line of the client's own code, whether it is a process or plain Trio code."""

    class Failing(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            raise ValueError("boom")

    heard = crashes()

    async def client() -> None:
        with pytest.raises(otp.ServerExited):
            await otp.call(await otp.start(Failing), "x")

    async with otp.open_process():
        otp.spawn_monitor(client)
        await otp.receive(otp.Down)
        with pytest.raises(otp.ServerExited):
            await otp.call(await otp.start(Failing), "x")
        otp.send(await otp.start(Failing), "no client")
        await wait_all_tasks_blocked()

    functions = [str(report.client_place).rpartition(" in ")[2] for report in heard]
    assert ["client", "test_where_the_client_waits_is_told"] == functions
    assert all(str(report.client_place).startswith(f"{__file__}:") for report in heard)


async def test_what_else_a_report_tells() -> None:
    """Kind and class of the process, keys of its dictionary, whether it traps."""

    class Failing(otp.GenServer):
        def init(self) -> None:
            otp.trap_exit()
            otp.dictionary()["secret"] = "hidden"

        def handle_cast(self, message: Any) -> None:
            raise ValueError("boom")

    heard = crashes()
    async with otp.open_process():
        otp.cast(await otp.start(Failing), "x")
        otp.spawn_monitor(fail_when_told)
        await wait_all_tasks_blocked()

    [report] = heard
    assert ("GenServer", ("secret",), True) == (
        report.behaviour,
        report.dictionary,
        report.trap_exit,
    )
    assert report.initial_call.endswith("<locals>.Failing")
    assert "hidden" not in repr(report)


async def test_the_report_of_a_task_tells_on_whose_behalf_it_ran() -> None:
    """A server has nobody there, whoever started it."""

    async def fail() -> None:
        raise ValueError("boom")

    heard = crashes()
    async with otp.open_process() as me:
        otp.task.start(fail)
        await wait_all_tasks_blocked()
    assert [(me,)] == [report.callers for report in heard]
