"""Processes: pids, spawn and send."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp

surprise: contextvars.ContextVar[str] = contextvars.ContextVar("surprise")


async def idle() -> None:
    await trio.sleep_forever()


async def report_to(boss: otp.Pid[Any], make: Any) -> None:
    """Send what `make` gives in this process to `boss`."""
    otp.send(boss, make())


async def in_process(make: Any) -> Any:
    """Return what `make` gives in a process of its own."""
    otp.spawn_link(report_to, otp.self(), make)
    return await otp.receive()


# -- pids ------------------------------------------------------------------------------------------


async def test_a_pid_is_one_process_for_ever() -> None:
    """A pid is hashable, equal to itself only, and no later process has it."""
    async with otp.open_process():
        pids = []
        for _ in range(5):
            pid, _monitor = otp.spawn_monitor(trio.lowlevel.checkpoint)
            pids.append(pid)
            await otp.receive(otp.Down)
        assert 5 == len(set(pids))
        assert 5 == len({repr(pid) for pid in pids})
        assert not any(otp.is_alive(pid) for pid in pids)


async def test_the_repr_of_a_pid_tells_label_and_name() -> None:
    """A pid shows its number, what it runs, and its name; a label replaces what it runs."""

    async def labelled(me: otp.Pid[Any]) -> None:
        otp.set_label("worker 7")
        otp.send(me, "go")
        await trio.sleep_forever()

    async with otp.open_process() as me:
        pid = otp.spawn(idle)
        assert repr(pid).endswith(" idle>")
        otp.register("lazy", pid)
        assert repr(pid).endswith(" idle 'lazy'>")
        pid = otp.spawn(labelled, me)
        await otp.receive("go".__eq__)
        assert repr(pid).endswith(" worker 7>")
        assert "worker 7" == otp.get_label(pid)


async def test_a_label_is_a_str() -> None:
    """`set_label` refuses what is no str and says what it takes."""
    async with otp.open_process():
        with pytest.raises(TypeError, match=r"label=7: expected a str"):
            otp.set_label(7)


async def test_nobody_has_no_label() -> None:
    """The label of a dead process or an unknown name is None."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.lowlevel.checkpoint)
        assert "checkpoint" == otp.get_label(pid)
        await otp.receive(otp.Down)
        assert otp.get_label(pid) is None
        assert otp.get_label("nobody") is None


# -- spawn -----------------------------------------------------------------------------------------


async def test_spawn_needs_a_place_to_live_in_plain_code() -> None:
    """In plain Trio code spawn asks for a nursery, and the process lives in it."""
    with pytest.raises(otp.NotAProcess, match="nursery="):
        otp.spawn(idle)
    async with trio.open_nursery() as nursery:
        pid = otp.spawn(idle, nursery=nursery)
        assert otp.is_alive(pid)
        nursery.cancel_scope.cancel()
    assert not otp.is_alive(pid)


@pytest.mark.parametrize("start", [otp.spawn_link, otp.spawn_monitor, otp.link, otp.monitor])
async def test_what_ties_to_oneself_needs_a_process(start: Any) -> None:
    """spawn_link, spawn_monitor, link and monitor raise NotAProcess and say what to write."""
    with pytest.raises(otp.NotAProcess, match="open_process"):
        start(idle)


async def test_a_nursery_with_processes_waits_for_them(autojump_clock: Any) -> None:
    """A user's nursery closes when the last of its processes is dead."""
    async with trio.open_nursery() as nursery:
        otp.spawn(trio.sleep, 3, nursery=nursery)
        otp.spawn(trio.sleep, 7, nursery=nursery)
    assert 7 == trio.current_time()
    assert {} == runtime().processes
    assert {} == runtime().nurseries


async def test_spawn_refuses_a_coroutine() -> None:
    """spawn takes a function, not the coroutine of a call, and says so."""
    async with otp.open_process():
        coroutine = idle()
        with pytest.raises(TypeError, match=r"write spawn\(fn, \*args\)"):
            otp.spawn(coroutine)
        coroutine.close()


async def test_fault_51_a_process_inherits_no_context() -> None:
    """A process starts from a blank context, not from that of whoever started it."""
    surprise.set("mine")
    async with otp.open_process():
        assert "unset" == await in_process(lambda: surprise.get("unset"))


async def test_a_cancelled_nursery_stops_its_processes_newest_first() -> None:
    """Cancelling a user's nursery ends what lives in it, one after the other."""
    ended: list[str] = []

    async def note(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abc":
            otp.spawn(note, name, nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ["c", "b", "a"] == ended


# -- send ------------------------------------------------------------------------------------------


async def test_messages_of_a_pair_keep_their_order_and_precede_the_down() -> None:
    """What a process sent before it died arrives before its Down, in order (PR-12)."""

    async def three(me: otp.Pid[Any]) -> None:
        for number in range(3):
            otp.send(me, number)
        otp.exit("done")

    async with otp.open_process() as me:
        otp.spawn_monitor(three, me)
        got = [await otp.receive() for _ in range(4)]
    assert [0, 1, 2] == got[:3]
    assert "done" == got[3].reason


async def test_sending_to_a_dead_pid_is_counted_and_does_nothing_else() -> None:
    """A message to a dead pid is dropped (PR-14), to a name of nobody it is NoProcess."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(trio.lowlevel.checkpoint)
        await otp.receive(otp.Down)
        before = runtime().dropped
        otp.send(pid, "hello")
        assert before + 1 == runtime().dropped
        with pytest.raises(otp.NoProcess, match="'nobody'"):
            otp.send("nobody", "hello")


async def test_a_process_can_send_to_itself() -> None:
    """self() is the own pid; what is sent to it is received."""
    async with otp.open_process() as me:
        assert me is otp.self()
        otp.send(otp.self(), "note")
        assert "note" == await otp.receive()
