"""Links: ends that two processes share."""

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


async def ready(pid: otp.Pid[Any]) -> otp.Pid[Any]:
    """Return a process that has run up to where it waits."""
    await trio.testing.wait_all_tasks_blocked()
    return pid


def inside(pid: otp.Pid[Any]) -> Process:
    return process_of(pid)


async def next_down(timeout: float = 1) -> object:
    down = await otp.receive(otp.Down, timeout=timeout)
    return down.reason


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
        assert not inside(pid).links


async def test_a_link_to_oneself_is_none() -> None:
    """Linking to oneself does nothing."""
    async with otp.open_process() as me:
        otp.link(me)
        assert not inside(me).links


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


async def test_unlink_removes_the_link_on_both_sides() -> None:
    """After unlink neither end is heard by the other, also that of the one that unlinked."""

    async def unlinks(other: otp.Pid[Any]) -> None:
        otp.link(other)
        otp.unlink(other)
        otp.exit("alone")

    async with otp.open_process():
        other = await ready(otp.spawn(idle))
        otp.spawn_monitor(unlinks, other)
        assert "alone" == await next_down()
        assert otp.is_alive(other)
        assert not inside(other).links
