"""Monitors: who hears of an end without dying of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp

if TYPE_CHECKING:
    from inside import Process


async def idle() -> None:
    await trio.sleep_forever()


def inside(pid: otp.Pid[Any]) -> Process:
    return process_of(pid)


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
        assert not inside(otp.self()).monitors


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
        assert not inside(target).monitored_by


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
