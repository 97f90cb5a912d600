"""Exit signals: who is ended by one, who gets it as a message, and who is spared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of

import trio_otp as otp

if TYPE_CHECKING:
    from inside import Process


async def idle() -> None:
    await trio.sleep_forever()


async def idle_trapping() -> None:
    otp.trap_exit()
    await trio.sleep_forever()


async def ready(pid: otp.Pid[Any]) -> otp.Pid[Any]:
    """Return a process that has run up to where it waits."""
    await trio.testing.wait_all_tasks_blocked()
    return pid


def inside(pid: otp.Pid[Any]) -> Process:
    return process_of(pid)


async def next_down(timeout: float = 1) -> object:
    down = await otp.receive(otp.Down, timeout=timeout)
    return down.reason


async def test_a_normal_signal_is_ignored_unless_trapped() -> None:
    """exit(pid, NORMAL) from a stranger is dropped; a trapping process gets a message (PR-1,2)."""
    async with otp.open_process(trap_exit=True) as me:
        pid = await ready(otp.spawn(idle))
        otp.exit(pid, otp.NORMAL)
        await trio.testing.wait_all_tasks_blocked()
        assert otp.is_alive(pid)
        otp.exit(me, otp.NORMAL)
        assert otp.Exit(me, otp.NORMAL) == await otp.receive(otp.Exit)


@pytest.mark.parametrize("reason", [otp.NORMAL, "reason"])
async def test_exit_of_oneself_is_at_once(reason: object) -> None:
    """exit(self(), reason) ends a process that does not trap, also with NORMAL (PR-5)."""
    after: list[str] = []

    async def suicide() -> None:
        otp.exit(otp.self(), reason)
        after.append("this line")

    async with otp.open_process():
        otp.spawn_monitor(suicide)
        assert reason == await next_down()
    assert [] == after


async def test_an_exit_of_oneself_cannot_be_swallowed() -> None:
    """Code that catches everything ends at its next checkpoint all the same."""
    after: list[str] = []

    async def stubborn() -> None:
        try:
            otp.exit(otp.self(), "enough")
        except BaseException:
            after.append("caught")
        await trio.sleep_forever()

    async with otp.open_process():
        otp.spawn_monitor(stubborn)
        assert "enough" == await next_down()
    assert ["caught"] == after


async def test_exit_of_oneself_is_a_message_when_trapped() -> None:
    """A trapping process gets its own signal as a message, but for KILL."""
    async with otp.open_process(trap_exit=True) as me:
        otp.exit(me, "note")
        assert otp.Exit(me, "note") == await otp.receive()

        async def kill_myself() -> None:
            otp.trap_exit()
            otp.exit(otp.self(), otp.KILL)

        otp.spawn_monitor(kill_myself)
        assert otp.KILLED is await next_down()


async def test_a_signal_ends_a_process_with_its_reason() -> None:
    """Any other reason ends a process that does not trap, with that reason (PR-1)."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        await ready(pid)
        otp.exit(pid, "please")
        assert "please" == await next_down()


async def test_an_exiting_process_is_dead_for_everybody() -> None:
    """A process with a signal on its way is not alive, not found, and keeps its first reason."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        await ready(pid)
        otp.exit(pid, "first")
        otp.exit(pid, "second")
        assert not otp.is_alive(pid)
        assert otp.whereis(pid) is None
        assert "first" == await next_down()


async def test_a_kill_cannot_be_trapped() -> None:
    """exit(pid, KILL) ends a trapping process with KILLED, which its links can trap (PR-3)."""
    async with otp.open_process(trap_exit=True):
        pid = await ready(otp.spawn_link(idle_trapping))
        otp.exit(pid, otp.KILL)
        assert otp.Exit(pid, otp.KILLED) == await otp.receive(otp.Exit)


async def test_an_own_exit_with_kill_is_an_ordinary_reason() -> None:
    """A process that calls exit(KILL) has the reason KILL, and its links can trap it (PR-4)."""

    async def linked() -> None:
        otp.spawn_link(otp.exit, otp.KILL)
        await trio.sleep_forever()

    async with otp.open_process(trap_exit=True):
        pid = otp.spawn_link(otp.exit, otp.KILL)
        assert otp.Exit(pid, otp.KILL) == await otp.receive(otp.Exit)
        otp.spawn_monitor(linked)
        assert otp.KILL is await next_down()


async def test_a_kill_outdoes_an_orderly_end() -> None:
    """Of the reasons on their way only a kill replaces that of a supervisor."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        process = inside(await ready(pid))
        process.exit_with(otp.SHUTDOWN, run_terminate=True)
        process.exit_with(otp.KILLED)
        process.exit_with("too late")
        assert otp.KILLED is await next_down()


async def test_signals_to_nobody_do_nothing() -> None:
    """An exit signal to a dead pid or a free name is dropped."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.lowlevel.checkpoint)
        await next_down()
        otp.exit(pid, "x")
        otp.exit("nobody", "x")


async def test_exit_without_a_process_is_refused() -> None:
    """otp.exit(reason) in plain Trio code raises NotAProcess; a signal may come from there."""
    with pytest.raises(otp.NotAProcess):
        otp.exit("reason")
    async with otp.open_process(trap_exit=True) as me:

        async def in_plain_code() -> None:
            otp.exit(me, "from outside")

        trio.lowlevel.spawn_system_task(in_plain_code)
        assert otp.Exit(None, "from outside") == await otp.receive(otp.Exit)


async def test_trap_exit_tells_the_old_flag() -> None:
    """trap_exit returns the flag as it was, and a new process does not inherit it (PR-15)."""
    async with otp.open_process() as me:
        assert (False, True) == (otp.trap_exit(), otp.trap_exit())

        async def child() -> None:
            otp.send(me, otp.trap_exit())

        otp.spawn(child)
        assert False is await otp.receive(bool)
        assert (True, False) == (otp.trap_exit(False), otp.trap_exit(False))


async def test_a_signal_interrupts_a_handler_at_its_next_checkpoint() -> None:
    """No line runs after the checkpoint where a signal arrives; finally blocks do."""
    lines: list[str] = []

    async def body() -> None:
        try:
            await trio.sleep_forever()
            lines.append("not this")
        finally:
            lines.append("finally")

    async with otp.open_process():
        pid, _ = otp.spawn_monitor(body)
        await ready(pid)
        otp.exit(pid, "now")
        assert "now" == await next_down()
    assert ["finally"] == lines
