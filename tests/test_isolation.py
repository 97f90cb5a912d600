"""Runs: each has its own processes, names and timers, and outside of a run there are none."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp


class Counter(otp.GenServer):
    def __init__(self) -> None:
        self.count = 0
        self.waiting: list[otp.From[str]] = []

    @otp.on_call
    async def add(self, number: int) -> int:
        self.count += number
        return self.count

    @otp.on_call_deferred
    async def later(self, from_: otp.From[str]) -> None:
        self.waiting.append(from_)


async def use_a_name(kept: list[Any]) -> int:
    """Start a server under a name, use it, and keep what there is to keep."""
    async with otp.open_process(name="me") as me:
        pid = await otp.start_link(otp.child(Counter).having(name="counter"))
        assert {"me", "counter"} == set(otp.registered())
        kept += [pid, me, runtime(), otp.send_after(me, "never", 1000), otp.monitor(pid)]
        return await Counter.add("counter", 3)


def test_two_runs_after_each_other_share_nothing() -> None:
    """The second run starts with empty tables, and pids of the first are dead in it."""
    kept: list[Any] = []
    assert 3 == trio.run(use_a_name, kept)
    assert 3 == trio.run(use_a_name, kept)

    async def later() -> None:
        first, me, tables, timer, monitor = kept[:5]
        assert tables is not runtime()
        assert {} == runtime().processes
        assert [] == otp.registered()
        assert not otp.is_alive(first)
        assert not otp.is_alive(me)
        assert otp.whereis("counter") is None
        assert otp.read_timer(timer) is None
        assert not otp.demonitor(monitor, flush=True)
        with pytest.raises(otp.NoProcess):
            await Counter.add(first, 1)

    trio.run(later)


def in_second_run(pid: otp.Pid[Any], from_: otp.From[Any], seen: list[Any]) -> None:
    """Try, in a run of another thread, to reach into the first one."""

    async def main() -> None:
        async with otp.open_process(name="counter") as me:
            seen.append(otp.registered())
            seen.append(otp.whereis("counter") is me)
            seen.append(otp.is_alive(pid))
            otp.send(pid, "dropped")
            otp.cast(pid, "dropped")
            otp.exit(pid, otp.KILL)
            seen.append(otp.reply(from_, "wrong run"))
            seen.append(runtime().dropped)
            with pytest.raises(otp.NoProcess):
                await otp.call(pid, "x")
            seen.append((await monitored(pid)).reason)

    trio.run(main)


async def monitored(pid: otp.Pid[Any]) -> otp.Down:
    otp.monitor(pid)
    return await otp.receive(otp.Down, timeout=1)


async def test_two_runs_at_a_time_share_nothing() -> None:
    """A pid, name or From of one run means nothing in another that runs beside it."""
    seen: list[Any] = []
    async with otp.open_process():
        server = await otp.start_link(otp.child(Counter).having(name="counter"))
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await Counter.later("counter"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            process = process_of(server)
            from_ = process.instance.waiting[0]
            thread = threading.Thread(target=in_second_run, args=(server, from_, seen))
            thread.start()
            await trio.to_thread.run_sync(thread.join)
            assert otp.is_alive(server)
            assert 7 == await Counter.add("counter", 7)
            assert otp.reply(from_, "right run")
    assert [["counter"], True, False, False, 3, otp.NOPROC] == seen
    assert ["right run"] == answers


@pytest.mark.parametrize(
    "function",
    [
        otp.self,
        otp.registered,
        otp.dictionary,
        lambda: otp.whereis("x"),
        lambda: otp.send("x", 1),
        lambda: otp.cast("x", 1),
        lambda: otp.spawn(trio.sleep_forever),
        lambda: otp.send_after("x", 1, 1),
        lambda: otp.exit("x", 1),
        lambda: otp.exit("reason"),
        lambda: otp.monitor("x"),
        lambda: otp.register("x", "y"),
        lambda: otp.unregister("x"),
        lambda: otp.send_end("x"),
    ],
)
def test_outside_of_a_run_everything_is_refused(function: Any) -> None:
    """Without a Trio run a function raises NotInRun."""
    with pytest.raises(otp.NotInRun, match="inside a Trio run"):
        function()


def test_what_needs_no_run_works_outside() -> None:
    """Children, clients and via tuples can be written at module level."""
    child = otp.child(Counter).having(name="counter")
    assert "<child Counter() name='counter'>" == repr(child)
    assert "<client of Counter at 'counter'>" == repr(Counter.at("counter"))


def test_a_run_that_ends_leaves_no_reference_to_its_processes() -> None:
    """When a run is over its processes can be freed: a kept pid holds none of them."""
    import gc
    import weakref

    kept: list[Any] = []

    class Big(otp.GenServer):
        def __init__(self) -> None:
            kept.append(weakref.ref(self))

    async def main() -> None:
        async with otp.open_process():
            kept.append(await otp.start_link(Big))

    trio.run(main)
    gc.collect()
    instance, pid = kept
    assert instance() is None
    assert process_of(pid) is None
