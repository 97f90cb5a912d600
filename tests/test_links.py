"""Links, monitors and exit signals: who hears of an end, and who dies of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime

if TYPE_CHECKING:
    from trio_otp.process import Process


async def idle() -> None:
    await trio.sleep_forever()


async def idle_trapping() -> None:
    otp.trap_exit()
    await trio.sleep_forever()


async def ready(pid: otp.Pid[Any]) -> otp.Pid[Any]:
    """Give a process that has run up to where it waits."""
    await trio.testing.wait_all_tasks_blocked()
    return pid


def inside(pid: otp.Pid[Any]) -> Process:
    process = pid._process
    assert process is not None
    return process


async def next_down(timeout: float = 1) -> object:
    down = await otp.receive(otp.Down, timeout=timeout)
    return down.reason


# -- exit signals ----------------------------------------------------------------------------------


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


async def test_a_doomed_process_is_dead_for_everybody() -> None:
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
        process.condemn(otp.SHUTDOWN, orderly=True)
        process.condemn(otp.KILLED)
        process.condemn("too late")
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


# -- links -----------------------------------------------------------------------------------------


async def test_a_link_works_both_ways() -> None:
    """Whichever side ends, the other gets the signal (PR-6)."""

    async def linked_to(other: otp.Pid[Any]) -> None:
        otp.link(other)
        await trio.sleep_forever()

    async with otp.open_process():
        for victim in (0, 1):
            first, one = otp.spawn_monitor(idle)
            second, two = otp.spawn_monitor(linked_to, first)
            await ready(second)
            otp.exit((first, second)[victim], "together")
            ends = {(await otp.receive(otp.Down)).ref: "together" for _ in range(2)}
            assert {one, two} == ends.keys()


async def test_linking_twice_is_one_link() -> None:
    """Links are idempotent: one signal per end, and one unlink removes them (PR-6)."""
    async with otp.open_process(trap_exit=True):
        pid = otp.spawn(idle)
        otp.link(pid)
        otp.link(pid)
        otp.exit(pid, "once")
        assert otp.Exit(pid, "once") == await otp.receive()
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
        pid = otp.spawn_link(idle)
        otp.link(pid)
        otp.unlink(pid)
        assert {} == inside(pid).links.peers


async def test_a_link_to_oneself_is_none() -> None:
    """Linking to oneself does nothing."""
    async with otp.open_process() as me:
        otp.link(me)
        assert {} == inside(me).links.peers


async def test_a_link_to_the_dead() -> None:
    """A link to a dead process raises NoProcess, or is an Exit if trapped (PR-7)."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.lowlevel.checkpoint)
        await next_down()
        with pytest.raises(otp.NoProcess):
            otp.link(pid)
        otp.trap_exit()
        otp.link(pid)
        assert otp.Exit(pid, otp.NOPROC) == await otp.receive()


async def test_a_normal_end_does_not_hurt_a_link_and_a_shutdown_does() -> None:
    """A linked process that ends NORMAL leaves its peer alone, SHUTDOWN ends it (PR-8)."""

    async def starts(reason: object) -> None:
        otp.spawn_link(otp.exit, reason)
        await trio.sleep_forever()

    async with otp.open_process():
        pid = await ready(otp.spawn(starts, otp.NORMAL))
        assert otp.is_alive(pid)
        pid, _ = otp.spawn_monitor(starts, otp.SHUTDOWN)
        assert otp.SHUTDOWN is await next_down()


async def test_unlink_stops_signals_to_come() -> None:
    """After unlink, from either side, an end is nobody's business; an Exit in the box stays."""
    async with otp.open_process(trap_exit=True):
        first, second = otp.spawn_link(idle), otp.spawn_link(idle)
        otp.exit(first, "arrived")
        await trio.testing.wait_all_tasks_blocked()
        otp.unlink(first)
        otp.unlink(second)
        otp.exit(second, "unheard")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.Exit(first, "arrived") == await otp.receive()
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)


# -- monitors --------------------------------------------------------------------------------------


async def test_fault_46_monitors_of_the_dead_and_flush() -> None:
    """A monitor of somebody dead or unknown is a Down with NOPROC at once; flush takes it back."""
    async with otp.open_process():
        pid, first = otp.spawn_monitor(trio.lowlevel.checkpoint)
        assert otp.Down(first, pid, otp.NORMAL) == await otp.receive()
        late, unknown = otp.monitor(pid), otp.monitor("nobody")
        assert otp.Down(late, pid, otp.NOPROC) == await otp.receive()
        assert otp.Down(unknown, "nobody", otp.NOPROC) == await otp.receive()
        assert not otp.demonitor(otp.monitor(pid), flush=True)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)


async def test_n_monitors_are_n_downs() -> None:
    """Monitors stack: each brings one Down (PR-9)."""
    async with otp.open_process():
        pid = otp.spawn(idle)
        monitors = [otp.monitor(pid) for _ in range(3)]
        otp.exit(pid, "end")
        assert monitors == [(await otp.receive(otp.Down)).ref for _ in range(3)]


async def test_a_monitor_of_a_name_tells_the_name() -> None:
    """The Down of a monitored name carries the name, not the pid (row 10)."""
    async with otp.open_process():
        pid = otp.spawn(idle)
        otp.register("target", pid)
        monitor = otp.monitor("target")
        otp.exit(pid, "end")
        assert otp.Down(monitor, "target", "end") == await otp.receive()


async def test_demonitor_is_the_end_of_a_monitor() -> None:
    """No Down comes after demonitor; one that had come stays unless flushed (PR-10)."""
    async with otp.open_process():
        pid = otp.spawn(idle)
        gone, kept = otp.monitor(pid), otp.monitor(pid)
        assert otp.demonitor(gone)
        assert not otp.demonitor(gone)
        otp.exit(pid, "end")
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.demonitor(kept)
        assert kept is (await otp.receive(otp.Down)).ref
        assert {} == inside(otp.self()).links.watches


async def test_a_flush_leaves_other_messages_in_order() -> None:
    """demonitor(flush=True) takes out its Down and nothing else."""
    async with otp.open_process() as me:
        otp.send(me, 1)
        monitor = otp.monitor("nobody")
        otp.send(me, 2)
        otp.demonitor(monitor, flush=True)
        otp.send(me, 3)
        assert [1, 2, 3] == [await otp.receive() for _ in range(3)]


async def test_a_watcher_that_dies_is_forgotten() -> None:
    """The monitors of a dead watcher do not stay with what it watched."""

    async def watch(target: otp.Pid[Any]) -> None:
        otp.monitor(target)

    async with otp.open_process():
        target = otp.spawn(idle)
        for _ in range(10):
            otp.spawn(watch, target)
        await trio.testing.wait_all_tasks_blocked()
        assert {} == inside(target).links.watched_by


async def test_names_are_free_when_links_and_monitors_hear_of_the_end() -> None:
    """On Down and on Exit the name resolves to nobody and can be taken at once (PR-13)."""
    async with otp.open_process(trap_exit=True):
        for _ in range(30):
            pid = otp.spawn_link(idle)
            otp.register("phoenix", pid)
            otp.monitor(pid)
            otp.exit(pid, otp.KILL)
            for _ in range(2):
                assert otp.KILLED is (await otp.receive((otp.Down, otp.Exit))).reason
                assert otp.whereis("phoenix") is None
    assert {} == runtime().names
