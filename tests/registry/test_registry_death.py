"""What the end of a process does to its entries, and that of a registry to its holders."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import trio
import trio.testing
from inside import RegistryTable
from registry_kit import REG, Holder, killed, running

import trio_otp as otp

# -- death -----------------------------------------------------------------------------------------


async def test_entries_are_gone_when_the_death_is_heard() -> None:
    """Whoever gets the Down finds the keys free."""
    async with running() as me:
        a = await otp.start(Holder)
        await otp.call(a, lambda: (REG.register("k"), REG.register("l")))

        assert otp.KILLED is await killed(a)

        assert [] == REG.select()
        REG.register("k", 2)
        assert [(me, 2)] == REG.lookup("k")


async def test_entries_are_gone_before_a_waiting_caller_is_told() -> None:
    """The error of a call that was in hand finds the registry already clean."""
    seen: list[object] = []

    class Crashing(otp.GenServer):
        def init(self) -> None:
            REG.register("k")

        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            otp.exit("enough")

    async with running():
        a = await otp.start(Crashing)

        class Probe(otp.GenServer):
            async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
                try:
                    await otp.call(a, "die")
                except otp.ServerExited:
                    seen.append(REG.lookup("k"))
                return otp.Reply(None)

        await otp.call(await otp.start(Probe), "go")

    assert [[]] == seen


async def test_a_holder_that_is_about_to_die_holds_nothing() -> None:
    """From the kill on its keys are free; its death does not take them from their new holder."""
    async with running() as me:
        a = await otp.start(Holder)
        await otp.call(a, lambda: (REG.register("k", 1), REG.register("l", 1)))

        otp.exit(a, otp.KILL)

        assert [] == REG.lookup("k") == REG.select() == REG.keys(a) == REG.values("k", a)
        assert 0 == REG.count() == REG.send("k", "hello")
        REG.register("k", 2)
        await trio.testing.wait_all_tasks_blocked()
        assert [("k", me, 2)] == REG.select()


async def test_a_name_of_one_about_to_die_is_waited_for() -> None:
    """A start under such a name succeeds, with a new process."""
    async with running():
        child = otp.child(Holder).having(name=REG.via("n"))
        old = await otp.start(child)

        otp.exit(old, otp.KILL)
        assert None is otp.whereis(REG.via("n"))
        new = await otp.start(child)

        assert new is not old
        assert new is otp.whereis(REG.via("n"))


async def test_a_registry_that_is_killed_takes_its_holders_along(autojump_clock: Any) -> None:
    """They are linked to it; who holds nothing any more, or traps exits, lives on."""
    async with running():
        a, b = await otp.start(Holder), await otp.start(Holder)
        otp.trap_exit()
        REG.register("mine")
        await otp.call(a, lambda: REG.register("k"))
        await otp.call(b, lambda: (REG.register("l"), REG.unregister("l")))
        watch = otp.monitor(a)

        await killed_registry()

        assert otp.Down(watch, a, otp.KILLED) == await otp.receive(otp.Down, timeout=1)
        assert otp.is_alive(b)
        REG.register("mine")
        assert 1 == REG.count()


async def test_a_registry_that_is_stopped_takes_its_holders_along(autojump_clock: Any) -> None:
    """However quiet its end, they are told SHUTDOWN, as by the partitions of OTP's registry."""
    async with otp.open_process(trap_exit=True) as me:
        registry = await otp.start(otp.child(otp.Registry).having(name="reg"))
        a, b = await otp.start(Holder), await otp.start(Holder)
        REG.register("mine")
        await otp.call(a, lambda: REG.register("k"))
        watch = otp.monitor(a)

        await otp.stop("reg")

        assert otp.Exit(registry, otp.SHUTDOWN) == await otp.receive(otp.Exit, timeout=1)
        assert otp.Down(watch, a, otp.SHUTDOWN) == await otp.receive(otp.Down, timeout=1)
        assert otp.is_alive(b)
        await otp.start(otp.child(otp.Registry, "duplicate").having(name="reg"))
        assert [] == REG.select()
        REG.register("mine")
        assert [(me, None)] == REG.lookup("mine")


async def test_giving_up_the_last_key_keeps_a_link_of_ones_own(autojump_clock: Any) -> None:
    """A process that had linked itself to the registry stays linked."""
    async with otp.open_process(trap_exit=True):
        registry = await otp.start_link(otp.child(otp.Registry).having(name="reg"))
        REG.register("k")
        REG.unregister("k")

        otp.exit(registry, otp.KILL)

        assert otp.Exit(registry, otp.KILLED) == await otp.receive(otp.Exit, timeout=1)


class Thing:
    """A value that can be watched by a weak reference."""


async def test_a_dead_holder_leaves_nothing_behind() -> None:
    """The registry does not keep its entries and values alive."""
    things: list[weakref.ref[Thing]] = []

    def register() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        REG.register("k", thing)

    async with running():
        a = await otp.start(Holder)
        await otp.call(a, register)
        assert things[0]() is not None

        await killed(a)
        gc.collect()

        assert None is things[0]()


async def test_a_dead_registry_is_not_kept_by_its_holders(autojump_clock: Any) -> None:
    """Those that trap exits and live on, and those that had given their keys up, let it go."""
    async with otp.open_process(trap_exit=True):
        await otp.start(otp.child(otp.Registry).having(name="reg"))
        a = await otp.start(Holder)
        await otp.call(a, lambda: (REG.register("l"), REG.unregister("l")))
        REG.register("k")
        watch = weakref.ref(await killed_registry())
        await trio.sleep(10)  # for a while it is looked after whether a killed process dies
        gc.collect()

        assert None is watch()


async def killed_registry() -> Any:
    """Kill the registry, wait for the next one, and give the pid of the first."""
    registry = otp.whereis("reg")
    otp.exit("reg", otp.KILL)
    assert otp.Exit(registry, otp.KILLED) == await otp.receive(otp.Exit, timeout=1)
    await trio.testing.wait_all_tasks_blocked()  # its supervisor restarts it
    return registry


async def test_the_registry_outlives_its_holders() -> None:
    """However they end, it goes on, and no other exit signal than a kill ends it."""
    async with running():
        registry = otp.whereis("reg")
        for reason in ("crash", otp.KILL, otp.SHUTDOWN):
            a = await otp.start(Holder)
            await otp.call(a, lambda: REG.register("k"))
            otp.exit(a, reason)
            otp.exit("reg", reason if reason is not otp.KILL else "again")
            await trio.testing.wait_all_tasks_blocked()

        assert registry is otp.whereis("reg")
        assert 0 == REG.count()


# -- speed -----------------------------------------------------------------------------------------


def _seconds_for(owners: int) -> float:
    """Return the time in which so many owners come and go, all under one key and under one each."""
    table = RegistryTable()
    names = [object() for _ in range(owners)]
    gc.disable()  # it would look at everything that other tests have left
    try:
        began = time.process_time()
        for number, name in enumerate(names):
            table.add(name, number, None)
            table.add(name, "topic", None)
        for name in names:
            table.drop(name)
        return time.process_time() - began
    finally:
        gc.enable()


def test_the_end_of_many_holders_is_linear() -> None:
    """Four times the holders take about four times as long, not sixteen times."""
    small = min(_seconds_for(5_000) for _ in range(3))
    large = min(_seconds_for(20_000) for _ in range(3))

    assert large < 10 * small
