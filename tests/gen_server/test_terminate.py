"""terminate: when it runs, how often, and what its caller and its links see of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing
from inside import runtime
from server_kit import Noted, Pages, raises, ran_once

import trio_otp as otp
from trio_otp.testing import assert_down

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog


async def next_down() -> object:
    return (await otp.receive(otp.Down, timeout=1000)).reason


async def monitored(*args: Any, **kwargs: Any) -> otp.Pid[Any]:
    pid, _ = await otp.start_monitor(otp.child(Noted, *args, **kwargs))
    return pid


# -- called, once ----------------------------------------------------------------------------------

BUG = ValueError("bug")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda pid: otp.cast(pid, lambda: otp.Stop("enough")), "enough"),
        (lambda pid: otp.cast(pid, raises(BUG)), BUG),
        (lambda pid: otp.cast(pid, lambda: otp.exit("left")), "left"),
        (lambda pid: otp.spawn(otp.stop, pid, "stopped"), "stopped"),
    ],
    ids=["Stop", "raise", "exit", "stop"],
)
async def test_fault_20_terminate_runs_once(end: Any, reason: object) -> None:
    """Stop, a crash, otp.exit in a handler and otp.stop call terminate once, with the reason."""
    pages: Pages = []
    async with otp.open_process():
        end(await monitored(pages))
        assert reason == await next_down()
    assert ran_once(reason) == [page for page in pages if isinstance(page, tuple)]


@pytest.mark.parametrize("trap", [False, True])
async def test_fault_20_terminate_runs_once_at_a_supervisors_shutdown(trap: bool) -> None:
    """A supervisor's shutdown calls it, whether or not the server traps exits."""
    pages: Pages = []
    async with otp.open_supervisor([otp.child(Noted, pages, trap=trap)]):
        assert [] == pages
    assert ran_once(otp.SHUTDOWN) == pages


@pytest.mark.parametrize("trap", [False, True])
async def test_fault_20_terminate_runs_once_at_a_cancellation(
    autojump_clock: Any, trap: bool
) -> None:
    """So does the cancellation of the nursery a server lives in; its awaits are shielded."""
    pages: Pages = []
    async with trio.open_nursery() as nursery:
        await otp.start(otp.child(Noted, pages, partial(trio.sleep, 1), trap=trap), nursery=nursery)
        nursery.cancel_scope.cancel()
    assert ran_once(otp.SHUTDOWN) == pages
    assert 1 == trio.current_time()


async def test_a_shutdown_during_terminate_does_not_begin_it_again(autojump_clock: Any) -> None:
    """A supervisor that stops a server that is ending already lets its terminate finish."""
    pages: Pages = []
    async with otp.open_supervisor([otp.child(Noted, pages, partial(trio.sleep, 2))]) as sup:
        (info,) = await otp.which_children(sup)
        otp.cast(info.pid, lambda: otp.Stop("own"))
        await trio.sleep(1)
    assert ran_once("own") == pages[1:]
    assert 2 == trio.current_time()


async def test_the_exit_of_a_trapping_servers_parent_is_an_order() -> None:
    """A trapping server ends when its parent does, whatever the reason; others: info (GS-5,6)."""
    pages: Pages = []

    async def parent(me: otp.Pid[Any]) -> None:
        otp.send(me, await otp.start_link(otp.child(Noted, pages, trap=True)))
        await otp.receive()

    async with otp.open_process() as me:
        boss = otp.spawn(parent, me)
        server = await otp.receive(otp.Pid)
        otp.monitor(server)
        otp.exit(server, "foreign")
        otp.exit(server, otp.NORMAL)
        otp.send(boss, "go")
        assert otp.NORMAL is await next_down()
        assert [otp.Exit(me, "foreign"), otp.Exit(me, otp.NORMAL)] == pages[:2]
        assert ran_once(otp.NORMAL) == pages[2:]


async def test_what_was_queued_before_the_parents_exit_is_handled(autojump_clock: Any) -> None:
    """The order of the parent is a message: those before it are handled, later ones not (GS-7)."""
    pages: Pages = []
    slow = partial(trio.sleep, 1)

    async def parent(me: otp.Pid[Any]) -> None:
        server = await otp.start_link(otp.child(Noted, pages, trap=True))
        otp.cast(server, slow)
        otp.cast(server, "before")
        otp.send(me, server)
        await otp.receive()
        otp.exit("over")

    async with otp.open_process() as me:
        boss = otp.spawn(parent, me)
        server = await otp.receive(otp.Pid)
        otp.monitor(server)
        otp.send(boss, "go")
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.is_alive(boss)
        otp.cast(server, "after")
        assert "over" == await next_down()
        assert [slow, "before", *ran_once("over")] == pages


# -- not called ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", [False, True])
async def test_terminate_does_not_run_on_a_kill(trap: bool) -> None:
    """A killed server runs no terminate, trapping or not (GS-5)."""
    pages: Pages = []
    async with otp.open_process():
        pid = await monitored(pages, trap=trap)
        otp.exit(pid, otp.KILL)
        assert otp.KILLED is await next_down()
    assert [] == pages


@pytest.mark.parametrize("handler", ["idle", "sleeps", "shields", "fails", "stops"])
async def test_terminate_does_not_run_on_a_signal_that_is_not_trapped(
    autojump_clock: Any, handler: str
) -> None:
    """An exit signal ends a server without terminate, whatever its handler does then (GS-5)."""
    pages: Pages = []

    async def busy() -> Any:
        with trio.CancelScope(shield=handler != "sleeps"):
            await trio.sleep(1)
        if handler == "fails":
            raise ValueError("after the signal")
        return otp.Stop("after the signal") if handler == "stops" else None

    async with otp.open_process():
        pid = await monitored(pages)
        if handler != "idle":
            otp.cast(pid, busy)
            await trio.testing.wait_all_tasks_blocked()
        otp.exit(pid, "signal")
        assert "signal" == await next_down()
    assert [] == [page for page in pages if isinstance(page, tuple)]


async def test_an_exiting_server_answers_nobody_and_takes_no_message(autojump_clock: Any) -> None:
    """A handler without a checkpoint after the signal ends, but its reply does not go out."""
    pages: Pages = []

    async def shielded() -> Any:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return otp.Reply("too late")

    async def kill_soon(pid: otp.Pid[Any]) -> None:
        await trio.sleep(0.5)
        otp.exit(pid, otp.KILL)

    async with otp.open_process():
        pid = await monitored(pages)
        otp.spawn(kill_soon, pid)
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, shielded)
        assert otp.KILLED is caught.value.reason
        assert 1 == trio.current_time()


async def test_an_exiting_server_takes_no_more_messages(autojump_clock: Any) -> None:
    """What is queued behind the handler in which the signal arrived is not handled."""
    pages: Pages = []

    began, go = trio.Event(), trio.Event()

    async def shielded() -> None:
        began.set()
        with trio.CancelScope(shield=True):
            await go.wait()

    async with otp.open_process():
        pid = await monitored(pages)
        otp.cast(pid, shielded)
        await began.wait()
        for _ in range(3):
            otp.cast(pid, "queued")
        otp.exit(pid, "signal")
        go.set()
        assert "signal" == await next_down()
    assert [shielded] == pages


# -- Stop with a reply -----------------------------------------------------------------------------


@pytest.mark.parametrize("end", [partial(trio.sleep, 0.1), raises(LookupError("in terminate"))])
async def test_a_stop_answers_after_terminate(autojump_clock: Any, end: Any) -> None:
    """Stop(reason, reply=) runs terminate first, then answers, also if terminate crashes (GS-8)."""
    pages: Pages = []
    async with otp.open_process():
        pid = await monitored(pages, end)
        assert "bye" == await otp.call(pid, otp.Stop("done", reply="bye"))
        assert ("begin", "done") == pages[0]
        reason = await next_down()
        assert reason == "done" or isinstance(reason, LookupError)


async def test_a_stop_can_answer_with_an_error() -> None:
    """An outcome.Error as reply= raises in the caller."""
    async with otp.open_process():
        pid = await monitored([])
        with pytest.raises(LookupError, match="not here"):
            await otp.call(pid, otp.Stop(reply=outcome.Error(LookupError("not here"))))
        assert otp.NORMAL is await next_down()


async def test_a_stop_without_a_reply_is_server_exited() -> None:
    """Stop(reason) from a call tells the caller the reason, NORMAL too (GS-8)."""
    async with otp.open_process():
        for reason in (otp.NORMAL, "any"):
            with pytest.raises(otp.ServerExited) as caught:
                await otp.call(await monitored([]), otp.Stop(reason))
            assert reason is caught.value.reason


async def test_a_kill_during_terminate_withholds_the_reply(autojump_clock: Any) -> None:
    """A server that is killed in its terminate answers with the kill, not with the reply."""

    async def kill_soon(pid: otp.Pid[Any]) -> None:
        await trio.sleep(1)
        otp.exit(pid, otp.KILL)

    async with otp.open_process():
        pid = await monitored([], trio.sleep_forever)
        otp.spawn(kill_soon, pid)
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, otp.Stop("done", reply="bye"), timeout=None)
        assert otp.KILLED is caught.value.reason
        assert otp.KILLED is await next_down()


# -- trouble in terminate --------------------------------------------------------------------------


async def test_a_crash_in_terminate_is_the_reason(otp_log: OtpLog) -> None:
    """If terminate raises, that is the exit reason and is reported too (GS-9)."""
    pid = await otp.start_link(otp.child(Noted, [], raises(LookupError("in terminate"))))
    with otp_log.expect_crash(times=2) as crashes:
        otp.cast(pid, raises(BUG))
        await assert_down(pid, LookupError("in terminate"))
    assert [BUG, "in terminate"] == [crashes[0].reason, str(crashes[1].reason)]


async def test_fault_21_a_terminate_that_hangs_is_killed_after_its_limit(
    autojump_clock: Any,
) -> None:
    """The other children still stop, and the supervisor reports which one had to be killed."""
    pages: Pages = []
    reports: Pages = []
    children = [
        otp.child(Noted, pages).having(id="first"),
        otp.child(Noted, [], trio.sleep_forever).having(id="hangs"),
        otp.child(Noted, pages).having(id="last"),
    ]
    async with otp.open_supervisor(children):
        runtime().events.attach("supervisor", reports.append)
    assert 3 == trio.current_time()
    assert ran_once(otp.SHUTDOWN) * 2 == pages
    assert [("shutdown_error", "hangs", otp.KILLED)] == [
        (report.context, report.child_id, report.reason) for report in reports
    ]


async def test_an_exit_signal_ends_a_terminate(autojump_clock: Any) -> None:
    """A signal that is not trapped ends the server also while it terminates."""
    pages: Pages = []
    async with otp.open_process():
        pid = await monitored(pages, trio.sleep_forever)
        otp.cast(pid, lambda: otp.Stop("own"))
        await trio.sleep(1)
        otp.exit(pid, "signal")
        assert "signal" == await next_down()
    assert [("begin", "own")] == pages[1:]


# -- Ctrl-C ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exc", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_in_a_handler_terminates_and_passes_through(
    autojump_clock: Any, exc: type[BaseException]
) -> None:
    """KeyboardInterrupt and SystemExit run terminate, within its limit, and leave the nursery."""
    pages: Pages = []
    neighbour: Pages = []

    async def block() -> None:
        async with trio.open_nursery() as nursery:
            await otp.start(otp.child(Noted, neighbour), nursery=nursery)
            pid = await otp.start(otp.child(Noted, pages, trio.sleep_forever), nursery=nursery)
            otp.cast(pid, raises(exc()))
            await trio.sleep_forever()

    with pytest.RaisesGroup(exc):
        await block()
    assert 3 == trio.current_time()
    assert 1 == len([page for page in pages if isinstance(page, tuple)])
    assert ran_once(otp.SHUTDOWN) == neighbour
    assert {} == runtime().processes
