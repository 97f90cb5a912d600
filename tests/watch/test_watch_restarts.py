"""A watch over restarts, kills and ends, by name and by pid."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from watch_kit import BOILER, Boiler, boiler, collect, nothing_is_left

import trio_otp as otp


async def test_a_watch_of_a_name_goes_on_after_a_restart(caplog: Any, autojump_clock: Any) -> None:
    """The value is the last one until there is a server again, and then that of the new one."""
    seen: list[Any] = []

    backoff = otp.Backoff(min_delay=10, max_delay=10, jitter=0)
    async with (
        otp.open_supervisor([BOILER], backoff=backoff),
        otp.watch("boiler", Boiler.celsius) as celsius,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, celsius.eventual_values(), seen)
        nursery.start_soon(collect, celsius.alive.eventual_values(), seen)
        await wait_all_tasks_blocked()
        boiler.put(95.0)
        await trio.sleep(1)
        boiler.crash()
        await trio.sleep(5)
        assert (95.0, False, None) == (celsius.value, celsius.alive.value, celsius.pid)
        await trio.sleep(10)
        assert (20.0, True) == (celsius.value, celsius.alive.value)
        nursery.cancel_scope.cancel()
    assert [20.0, True] == sorted(seen[:2], key=str)
    assert [95.0, False] == seen[2:4]
    assert [20.0, True] == sorted(seen[4:], key=str)


async def test_the_default_of_a_new_server_wakes_who_waits(
    caplog: Any, autojump_clock: Any
) -> None:
    """Also if its `__init__` assigns nothing at all."""
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        boiler.put(95.0)
        await celsius.wait_value(95.0)
        first = celsius.pid
        boiler.crash()
        assert 20.0 == await celsius.wait_value(lambda c: c < 90)
        assert otp.whereis("boiler") == celsius.pid != first


class SlowStart(otp.GenServer):
    """Has an init that takes a while."""

    stage = otp.published("made")
    starts = 0

    async def init(self) -> None:
        type(self).starts += 1
        self.stage = "in init"
        await trio.sleep(10)
        self.stage = "ready"


async def test_init_is_not_seen_and_may_be_killed(caplog: Any, autojump_clock: Any) -> None:
    """What a server assigns in its init is seen when that is over; one that dies in it is not."""
    seen: list[str] = []

    async def watch() -> None:
        async with otp.watch("slow", SlowStart.stage) as stage:
            assert 20 == trio.current_time() - began
            await collect(stage.eventual_values(), seen)

    SlowStart.starts = 0
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        child = otp.child(SlowStart).having(name="slow")
        for attempt in range(2):
            nursery.start_soon(partial(start_quietly, child, nursery))
            await trio.sleep(5)
            assert [] == seen
            assert otp.whereis("slow") is not None
            if attempt == 0:
                otp.exit("slow", otp.KILL)
                await trio.sleep(5)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert (["ready"], 2) == (seen, SlowStart.starts)
    assert {} == SlowStart.stage._listeners


async def start_quietly(child: otp.Child[Any], nursery: trio.Nursery) -> None:
    with suppress(otp.StartError):
        await otp.start(child, nursery=nursery)


async def test_a_server_killed_in_the_init_of_its_restart(caplog: Any, autojump_clock: Any) -> None:
    """The watch is without a server until an init comes to its end."""
    child = otp.child(SlowStart).having(name="slow")
    async with (
        otp.open_supervisor([child], max_restarts=5),
        otp.watch("slow", SlowStart.stage) as stage,
    ):
        otp.exit("slow", otp.KILL)
        await stage.alive.wait_value(False)
        await trio.sleep(5)
        otp.exit("slow", otp.KILL)  # in the middle of its init
        await trio.sleep(1)
        assert ("ready", False) == (stage.value, stage.alive.value)
        began = trio.current_time()
        await stage.alive.wait_value(True)
        assert 9 == trio.current_time() - began


async def test_a_watch_of_a_pid_ends_with_the_process(caplog: Any, autojump_clock: Any) -> None:
    """Its block is left by the reason, bare; what the block itself raises goes first."""
    async with otp.open_supervisor([BOILER]):
        pid: Any = otp.whereis("boiler")
        with pytest.raises(otp.ServerExited) as caught:
            await crash_while_watched(pid)
        assert (pid, "leak") == (caught.value.server, str(caught.value.__cause__))
        assert nothing_is_left()
        with pytest.raises(otp.NoProcess):
            async with otp.watch(pid, Boiler.celsius):
                pass

        again: Any = await otp.wait_for_name("boiler")
        with pytest.raises(KeyError) as own:
            await crash_while_watched(again, KeyError("own"))
        assert nothing_is_left()
        assert own.value.__context__ is not None


async def crash_while_watched(pid: otp.Pid[Boiler], own: Exception | None = None) -> None:
    async with otp.watch(pid, Boiler.celsius) as celsius:
        boiler.crash()
        try:
            await celsius.wait_value(1000.0)
        finally:
            assert (20.0, False) == (celsius.value, celsius.alive.value)
            if own is not None:
                raise own


async def test_a_block_that_has_what_it_waited_for_is_not_ended_afterwards(
    autojump_clock: Any,
) -> None:
    """A server that publishes its result and stops in one step has published it."""

    class Job(otp.GenServer):
        result: otp.Published[int | None] = otp.published(None)

        def handle_cast(self, message: Any) -> otp.Stop:
            self.result = message
            return otp.Stop(otp.NORMAL)

    async with trio.open_nursery() as nursery:
        pid = await otp.start(Job, nursery=nursery)
        async with otp.watch(pid, Job.result) as result:
            otp.cast(pid, 42)
            assert 42 == await result.wait_value(lambda value: value is not None)


async def test_a_process_that_dies_in_its_init_ends_the_watch_of_its_pid(
    autojump_clock: Any,
) -> None:
    """There will be no value."""
    pids: list[Any] = []

    class Stillborn(otp.GenServer):
        value = otp.published(0)

        async def init(self) -> None:
            pids.append(otp.self())
            await trio.sleep(5)
            otp.exit("no use")

    async def start() -> None:
        with pytest.raises(otp.StartError):
            await otp.start(Stillborn, nursery=nursery)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        with pytest.raises(otp.ServerExited, match="no use"):
            async with otp.watch(pids[0], Stillborn.value):
                pass


async def test_a_watch_of_another_server_is_refused(autojump_clock: Any) -> None:
    """At once, and when a server of another class comes by the name."""
    other = otp.child(otp.Agent, dict).having(name="agent")
    async with otp.open_supervisor([other, BOILER]) as sup:
        with pytest.raises(otp.WrongServer, match=r"otp\.watch of Boiler\.celsius was called on"):
            async with otp.watch("agent", Boiler.celsius):
                pass
        async with otp.open_process(name="plain"):
            with pytest.raises(otp.WrongServer, match="plain process"):
                async with otp.watch("plain", Boiler.celsius):
                    pass
        with pytest.raises(otp.WrongServer):
            await replace_while_watched(sup)
        assert nothing_is_left()


async def test_a_subclass_that_does_not_publish_it_is_told_apart(autojump_clock: Any) -> None:
    """It is a Boiler, so the text says what is wrong with it."""

    fixed: Any = type("Fixed", (Boiler,), {"celsius": 5.0})
    async with otp.open_supervisor([otp.child(fixed).having(name="fixed")]):
        with pytest.raises(otp.WrongServer, match="is a Fixed, whose celsius is not published"):
            async with otp.watch("fixed", Boiler.celsius):
                pass


@pytest.mark.parametrize("name", ["", "undefined"])
async def test_a_name_that_nobody_can_have_is_refused(name: str, autojump_clock: Any) -> None:
    """A watch of it would wait for ever."""
    with trio.fail_after(1), pytest.raises(ValueError, match="is reserved"):
        async with otp.watch(name, Boiler.celsius):
            pass


async def replace_while_watched(sup: otp.Ref) -> None:
    async with otp.watch("boiler", Boiler.celsius):
        await otp.terminate_child(sup, "boiler")
        await otp.start_child(sup, otp.child(otp.Agent, int).having(name="boiler", id="other"))
        await trio.sleep_forever()


async def test_a_name_that_is_given_up_and_taken_by_another(autojump_clock: Any) -> None:
    """The watch follows the name, not the process."""
    async with trio.open_nursery() as nursery:
        first = await otp.start(BOILER, nursery=nursery)
        second = await otp.start(Boiler, nursery=nursery)
        Boiler.put(second, 50.0)
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            otp.unregister("boiler")
            assert (20.0, False) == (celsius.value, celsius.alive.value)
            Boiler.put(first, 30.0)
            await wait_all_tasks_blocked()
            assert 20.0 == celsius.value
            otp.register("boiler", second)
            assert (50.0, True, second) == (celsius.value, celsius.alive.value, celsius.pid)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("by_class", [True, False])
async def test_a_key_of_partitions_is_followed(by_class: bool, autojump_clock: Any) -> None:
    """Over a restart of its partition, and of their supervisor, and when their number changes."""
    parts = otp.child(otp.PartitionSupervisor, BOILER.having(name=None), partitions=2)
    handle = otp.partitions("parts")
    key = next(key for key in range(9) if key % 2)
    ref: Any = ("via", otp.PartitionSupervisor, ("parts", key)) if by_class else handle.via(key)
    async with otp.open_supervisor([parts.having(name="parts")]):
        async with otp.watch(ref, Boiler.celsius) as celsius:
            for killed in (ref, "parts"):
                Boiler.put(ref, 90.0)
                await celsius.wait_value(90.0)
                otp.exit(killed, otp.KILL)
                with trio.fail_after(5):
                    assert 20.0 == await celsius.wait_value(20.0)
                    await celsius.alive.wait_value(True)
                assert otp.whereis(ref) == celsius.pid == await otp.wait_for_name(ref, timeout=0)
            await handle.resize(1)
            assert otp.whereis(ref) == celsius.pid is not None
        assert nothing_is_left()


async def test_a_server_cannot_wait_for_its_own_init(autojump_clock: Any) -> None:
    """It would wait for ever."""

    class Own(otp.GenServer):
        value = otp.published(0)

        async def init(self) -> None:
            async with otp.watch("own", Own.value):
                pass

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Own).having(name="own"), nursery=nursery)
        assert isinstance(caught.value.reason, otp.CallingSelf)
