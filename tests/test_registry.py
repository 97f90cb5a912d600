"""Registry: keys, values, via names, and what the end of a process does to its entries."""

from __future__ import annotations

import gc
import time
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.registry_table import Table, strict_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

REG = otp.registry("reg")


class Holder(otp.GenServer):
    """A process that runs what it is asked to, so that it can register itself."""

    def handle_call(self, request: Callable[[], Any], from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(outcome.capture(request))


@asynccontextmanager
async def running(keys: Any = "unique", **options: Any) -> AsyncIterator[otp.Pid[Any]]:
    """Run a registry of the name `reg`, and give the block a process."""
    registry = otp.child(otp.Registry, keys, **options).having(name="reg")
    async with otp.open_supervisor([registry]), otp.open_process() as me:
        yield me


async def killed(pid: otp.Pid[Any]) -> object:
    """Kill a process; give its exit reason as a monitor hears it."""
    monitor = otp.monitor(pid)
    otp.exit(pid, otp.KILL)
    return (await otp.receive(lambda message: message.ref is monitor)).reason


# -- unique keys -----------------------------------------------------------------------------------


async def test_a_key_has_one_holder() -> None:
    """A second process is told who holds the key, and nothing changes."""
    async with running():
        a, b = await otp.start(Holder), await otp.start(Holder)
        await otp.call(a, lambda: REG.register("k", 1))

        with pytest.raises(otp.AlreadyRegistered) as caught:
            await otp.call(b, lambda: REG.register("k", 2))

        assert (a, "k") == (caught.value.pid, caught.value.key)
        assert [(a, 1)] == REG.lookup("k")
        assert 1 == REG.count()


async def test_not_even_the_holder_registers_twice() -> None:
    """The holder of a unique key is refused as well, and its value stays."""
    async with running() as me:
        REG.register("k", 1)

        with pytest.raises(otp.AlreadyRegistered) as caught:
            REG.register("k", 2)

        assert me is caught.value.pid
        assert [(me, 1)] == REG.lookup("k")


async def test_unregister_frees_the_key() -> None:
    """The key can be had again, by anybody, and the process lives on."""
    async with running() as me:
        a = await otp.start(Holder)
        await otp.call(a, lambda: REG.register("k"))
        await otp.call(a, lambda: REG.unregister("k"))

        assert [] == REG.lookup("k")
        REG.register("k", 2)
        assert [(me, 2)] == REG.lookup("k")
        assert otp.is_alive(a)


async def test_unregister_touches_ones_own_entries_only() -> None:
    """Giving up what another holds, or nobody, does nothing."""
    async with running() as me:
        a = await otp.start(Holder)
        REG.register("k", 1)

        await otp.call(a, lambda: REG.unregister("k"))
        REG.unregister("unknown")

        assert [(me, 1)] == REG.lookup("k")


async def test_keys_and_values_of_a_process() -> None:
    """They are listed for it, and for others the lists are empty."""
    async with running() as me:
        a = await otp.start(Holder)
        REG.register("k", 1)
        REG.register("l", 2)

        assert ["k", "l"] == REG.keys(me)
        assert [2] == REG.values("l", me)
        assert [] == REG.keys(a) == REG.values("l", a)


async def test_select_lists_everything_or_what_is_wanted() -> None:
    """Keys, pids and values are shown, and a function chooses."""
    async with running() as me:
        a = await otp.start(Holder)
        REG.register("k1", 1)
        await otp.call(a, lambda: REG.register("k2", 2))

        assert [("k1", me, 1), ("k2", a, 2)] == REG.select()
        assert [("k2", a, 2)] == REG.select(lambda key, pid, value: value > 1)
        assert (2, 1) == (REG.count_select(), REG.count_select(lambda key, pid, value: pid is me))


async def test_match_by_value_or_by_function() -> None:
    """A plain value has to be equal, a function tells."""
    async with running() as me:
        REG.register("k", (1, "x"))

        assert [(me, (1, "x"))] == REG.match("k", (1, "x"))
        assert [(me, (1, "x"))] == REG.match("k", lambda value: value[0] == 1)
        assert [] == REG.match("k", lambda value: value[0] == 2)
        assert (1, 0) == (REG.count_match("k", (1, "x")), REG.count_match("k", (1, "y")))


async def test_update_value_gives_new_and_old() -> None:
    """The holder changes its value in one step."""
    async with running() as me:
        REG.register("k", 1)

        assert (6, 1) == REG.update_value("k", lambda value: value + 5)
        assert [(me, 6)] == REG.lookup("k")


async def test_update_value_is_for_the_holder() -> None:
    """Another process is refused by name of key and process."""
    async with running() as me:
        a = await otp.start(Holder)
        await otp.call(a, lambda: REG.register("k", 1))

        with pytest.raises(otp.NotRegistered, match="'k' is not registered by") as caught:
            REG.update_value("k", lambda value: value + 5)

        assert (me, "k") == (caught.value.pid, caught.value.key)
        assert [(a, 1)] == REG.lookup("k")


# -- duplicate keys --------------------------------------------------------------------------------


async def test_duplicate_keys_have_any_number_of_holders() -> None:
    """One process may be there many times; each entry is listed and unregister takes them all."""
    async with running("duplicate") as me:
        a = await otp.start(Holder)
        REG.register("k", 1)
        await otp.call(a, lambda: REG.register("k", 2))
        REG.register("k", 3)

        assert sorted([(me, 1), (a, 2), (me, 3)], key=lambda e: e[1]) == sorted(
            REG.lookup("k"), key=lambda e: e[1]
        )
        assert ["k", "k"] == REG.keys(me)
        assert [1, 3] == REG.values("k", me)
        REG.unregister("k")
        assert [(a, 2)] == REG.lookup("k")
        assert [] == REG.keys(me)


async def test_unregister_match_takes_ones_own_entries_that_match() -> None:
    """Other values, and the same value of others, stay."""
    async with running("duplicate") as me:
        a = await otp.start(Holder)
        REG.register("k", (1, "x"))
        REG.register("k", (2, "x"))
        await otp.call(a, lambda: REG.register("k", (1, "x")))

        REG.unregister_match("k", lambda value: value[0] == 1)

        assert [(me, (2, "x")), (a, (1, "x"))] == REG.lookup("k")
        REG.unregister_match("k", (2, "x"))
        assert [(a, (1, "x"))] == REG.lookup("k")


async def test_what_only_unique_keys_can_do_is_refused() -> None:
    """update_value and via names of a duplicate registry are errors that say so."""
    async with running("duplicate"):
        REG.register("k", 1)

        with pytest.raises(ValueError, match="update_value needs a registry with keys='unique'"):
            REG.update_value("k", lambda value: value)
        with pytest.raises(ValueError, match="via name needs a registry with keys='unique'"):
            otp.whereis(REG.via("k"))
        with pytest.raises(otp.StartError, match="via name needs a registry with keys='unique'"):
            await otp.start(otp.child(Holder).having(name=REG.via("k")))


async def test_send_is_a_local_publish_subscribe() -> None:
    """Everybody with the key gets the message, and the sender learns how many."""
    async with running("duplicate"):
        got: list[tuple[str, object]] = []

        async def subscriber(name: str) -> None:
            REG.register("topic")
            otp.send(name, "ready")
            got.append((name, await otp.receive()))

        async with otp.open_process(name="a"), otp.open_process(name="b") as b:
            first = otp.spawn(subscriber, "b")
            second = otp.spawn(subscriber, "b")
            await otp.receive(str)
            await otp.receive(str)
            monitors = [otp.monitor(first), otp.monitor(second)]

            assert 2 == REG.send("topic", 42)
            assert 0 == REG.send("silence", 42)
            for _ in monitors:
                await otp.receive(otp.Down)
            assert otp.is_alive(b)

        assert [("b", 42), ("b", 42)] == got


async def test_dispatch_runs_in_the_caller() -> None:
    """The function gets all pairs at once, and is not called for a key that nobody has."""
    async with running("duplicate") as me:
        seen: list[tuple[object, object]] = []
        REG.register("k", 1)
        REG.register("k", 2)

        REG.dispatch("k", lambda entries: seen.append((otp.self(), entries)))
        REG.dispatch("unknown", lambda entries: seen.append(("never", entries)))

        assert [(me, [(me, 1), (me, 2)])] == seen


async def test_what_dispatch_raises_is_raised_in_the_caller() -> None:
    """The registry is not hurt by it."""
    async with running("duplicate"):
        REG.register("k")

        with pytest.raises(ZeroDivisionError):
            REG.dispatch("k", lambda entries: len(entries) // 0)

        assert 1 == REG.count()


async def test_dispatch_refuses_an_async_function() -> None:
    """It would never be awaited, so the error says what to write."""

    async def function(entries: object) -> None:
        raise AssertionError(entries)

    async with running("duplicate"):
        REG.register("k")

        with pytest.raises(TypeError, match=r"for pid, value in registry\.lookup\(key\)"):
            REG.dispatch("k", function)


# -- key types -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        [1, 1.0, True],
        [0, 0.0, False],
        ["1", b"1", 1],
        [("room", 1), ("room", 1.0), ("room", True)],
        [((1,), 2), ((True,), 2), ((1,), 2.0)],
        [frozenset({1}), frozenset({True}), frozenset({1.0})],
        [(), frozenset(), "", None],
        [(int, 1), 1, (int, True)],
    ],
)
async def test_keys_of_different_types_are_different_keys(keys: list[Any]) -> None:
    """Keys that are equal in Python, but not of one type, do not meet, nested or not."""
    async with running() as me:
        for number, key in enumerate(keys):
            REG.register(key, number)

        assert [[(me, number)] for number in range(len(keys))] == [REG.lookup(k) for k in keys]
        assert list(map(repr, keys)) == list(map(repr, REG.keys(me)))


def test_equal_keys_of_one_type_are_one_key() -> None:
    """What has been built anew is still the same key."""
    assert strict_key(("a", ("b", 1.5))) == strict_key(("a", ("b", float("1.5"))))
    assert strict_key(frozenset({("x", 1)})) == strict_key(frozenset({("x", 1)}))


async def test_a_key_has_to_be_hashable() -> None:
    """The error names the key and says what is accepted."""
    async with running():
        with pytest.raises(TypeError, match=r"key=\['room', 1\]: accepted is any hashable value"):
            REG.register(["room", 1])
        with pytest.raises(TypeError, match=r"key=\[1\]: accepted is any hashable value"):
            REG.lookup(("room", [1]))

        assert 0 == REG.count()


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


async def test_a_registry_that_is_killed_takes_its_holders_along() -> None:
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


async def test_a_registry_that_is_stopped_takes_its_holders_along() -> None:
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


async def test_giving_up_the_last_key_keeps_a_link_of_ones_own() -> None:
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


# -- via names -------------------------------------------------------------------------------------


def test_a_via_reference_is_plain_data() -> None:
    """It can be made before anything runs, and is the tuple a reader expects."""
    assert ("via", "reg", "k") == otp.registry("reg").via("k")


async def test_a_process_is_started_and_reached_by_its_key() -> None:
    """Calls, sends and whereis resolve it; the key is shown in its pid."""
    async with running():
        a = await otp.start(otp.child(Holder).having(name=REG.via("k")))

        assert a is await otp.call(REG.via("k"), otp.self)
        assert a is otp.whereis(REG.via("k"))
        assert ["k"] == REG.keys(a)
        assert repr(a).endswith("Holder 'k'>")


async def test_a_key_that_is_taken_refuses_a_start() -> None:
    """The error carries who has it, also if it was registered by hand."""
    async with running() as me:
        REG.register("k")

        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start(otp.child(Holder).having(name=REG.via("k")))

        assert me is caught.value.pid


async def test_a_via_name_brings_its_value() -> None:
    """`via(key, value)` registers the value beside the key, and reaches the same process."""
    async with running():
        name = REG.via("k", {"colour": "red"})
        a = await otp.start(otp.child(Holder).having(name=name))

        assert [(a, {"colour": "red"})] == REG.lookup("k")
        assert a is otp.whereis(name) is otp.whereis(REG.via("k"))
        assert repr(a).endswith("Holder 'k'>")


async def test_a_failed_init_frees_the_key() -> None:
    """Nothing is left of a start that failed."""

    class Failing(otp.GenServer):
        def init(self) -> otp.Stop:
            return otp.Stop("bad")

    async with running():
        with pytest.raises(otp.StartError):
            await otp.start(otp.child(Failing).having(name=REG.via("k")))

        assert [] == REG.select()


async def test_after_its_death_a_via_name_is_nobody() -> None:
    """whereis is None, a call fails, a cast is dropped, a send raises."""
    async with running():
        a = await otp.start(otp.child(Holder).having(name=REG.via("k")))
        await otp.stop(a)

        assert None is otp.whereis(REG.via("k"))
        with pytest.raises(otp.NoProcess):
            await otp.call(REG.via("k"), otp.self)
        with pytest.raises(otp.NoProcess):
            otp.send(REG.via("k"), "hello")
        otp.cast(REG.via("k"), "hello")


async def test_a_handle_in_a_via_tuple_means_its_registry() -> None:
    """The object in the middle may be the handle in place of the name."""
    name: Any = ("via", REG, "k")
    assert None is otp.whereis(name)

    async with running():
        a = await otp.start(otp.child(Holder).having(name=name))

        assert a is otp.whereis(name) is otp.whereis(REG.via("k"))
        await otp.call(a, lambda: REG.unregister_name("k"))
        assert None is otp.whereis(name)


async def test_the_four_functions_of_the_via_protocol() -> None:
    """They say who got the key, and a dead process gets none."""
    async with running() as me:
        a, b = await otp.start(Holder), await otp.start(Holder)
        await otp.stop(b)

        assert [True, False, False] == [REG.register_name("k", pid) for pid in (a, a, me)]
        assert not REG.register_name("l", b)
        assert (a, None) == (REG.whereis_name("k"), REG.whereis_name("l"))
        REG.unregister_name("k")  # of the running process, which has none
        assert [(a, None)] == REG.lookup("k")


async def test_a_name_in_an_unknown_registry_refuses_a_start() -> None:
    """The cause says which registry does not run, and nothing of the process is left."""
    async with otp.open_process():
        with pytest.raises(otp.StartError, match="no process behind 'reg'"):
            await otp.start(otp.child(Holder).having(name=REG.via("k")))
        with pytest.raises(otp.NoProcess):
            await otp.call(REG.via("k"), "hello")

        assert None is otp.whereis(REG.via("k"))


async def test_a_registry_can_have_a_via_name_itself() -> None:
    """Any reference names a registry, a pid too."""
    async with running():
        inner = await otp.start(otp.child(otp.Registry).having(name=REG.via("inner")))
        by_name, by_pid = otp.registry(REG.via("inner")), otp.registry(inner)
        by_name.register("k", 1)

        assert [(otp.self(), 1)] == by_pid.lookup("k") == by_name.lookup("k")
        assert otp.self() is otp.whereis(by_pid.via("k"))


# -- who may register ------------------------------------------------------------------------------


async def test_plain_trio_code_cannot_register() -> None:
    """The error says what to write instead."""
    registry = otp.child(otp.Registry).having(name="reg")
    async with otp.open_supervisor([registry]):
        for use in (
            lambda: REG.register("k"),
            lambda: REG.unregister("k"),
            lambda: REG.unregister_match("k", 1),
            lambda: REG.update_value("k", int),
        ):
            with pytest.raises(otp.NotAProcess, match=r"async with otp\.open_process\(\) as me"):
                use()

        assert [] == REG.lookup("k")


async def test_a_helper_task_registers_its_process() -> None:
    """A nursery inside a process belongs to the process."""
    async with running() as me:

        async def helper() -> None:
            REG.register("k")
            await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper)

        assert [(me, None)] == REG.lookup("k")


@pytest.mark.parametrize(
    "use",
    [
        lambda: REG.lookup("k"),
        lambda: REG.register("k"),
        lambda: REG.unregister("k"),
        lambda: REG.keys("reg"),
        lambda: REG.values("k", "reg"),
        lambda: REG.send("k", 1),
        lambda: REG.dispatch("k", print),
        REG.select,
        REG.count,
        lambda: REG.meta("k"),
        lambda: REG.put_meta("k", 1),
    ],
)
async def test_a_handle_without_its_registry_says_so(use: Callable[[], object]) -> None:
    """Every function raises NoProcess with a note how to start it, before and after its life."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess) as caught:
            use()
        assert "otp.child(otp.Registry" in caught.value.__notes__[0]

        await otp.start(otp.child(otp.Registry).having(name="reg"))
        await otp.stop("reg")
        with pytest.raises(otp.NoProcess):
            use()


async def test_a_handle_of_something_else_says_so() -> None:
    """A name that belongs to another kind of process, or is none, is a TypeError."""
    async with otp.open_process(name="reg"):
        with pytest.raises(TypeError, match="name='reg': accepted is the name of a registry"):
            REG.count()
    with pytest.raises(TypeError, match="no reference to a process"):
        otp.registry(1)


async def test_a_registry_takes_no_calls_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """A call is refused in the caller, a stray message is logged; no holder is hurt."""
    async with running():
        REG.register("k", "value")
        otp.send("reg", "odd")
        with pytest.raises(TypeError, match="does not take the call 'hello'"):
            await otp.call("reg", "hello")
        assert 1 == REG.count()

    [notice] = [record.getMessage() for record in caplog.records]
    assert notice.endswith("got an unexpected message: 'odd'")


def test_reports_leave_the_tables_out() -> None:
    """What a report shows of a registry is how much there is, not what."""
    assert {"keys": "unique", "holders": 0} == otp.Registry().format_status()


async def test_keys_is_checked() -> None:
    """A kind of keys that does not exist fails the start and names what does."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.Registry, "many").having(name="reg"))

    assert str(caught.value.__cause__).startswith(
        "keys='many': accepted are 'unique', 'duplicate', ('duplicate', 'key')"
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"partitions": 0}, "partitions=0: accepted is a whole number > 0"),
        ({"partitions": True}, "partitions=True: accepted is a whole number > 0"),
        ({"links": 1}, "links=1: accepted is True or False"),
    ],
)
async def test_options_are_checked(options: dict[str, Any], error: str) -> None:
    """A start with an option that makes no sense fails and says what is accepted."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.Registry, **options))

    assert error == str(caught.value.__cause__)


@pytest.mark.parametrize("keys", [("duplicate", "key"), ("duplicate", "pid")])
async def test_how_otp_spreads_duplicate_keys_changes_nothing(keys: Any) -> None:
    """Both are a registry with duplicate keys, with any number of partitions; so is dispatch."""
    async with running(keys, partitions=4) as me:
        seen: list[object] = []
        REG.register("k", 1)
        REG.register("k", 2)

        REG.dispatch("k", seen.append, parallel=True)

        assert [[(me, 1), (me, 2)]] == seen


async def test_without_links_a_registry_dies_alone() -> None:
    """Its holders live on and their entries are gone; they may register again."""
    async with running(links=False) as me:
        a = await otp.start(Holder)
        REG.register("mine")
        await otp.call(a, lambda: REG.register("k"))

        otp.exit("reg", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert otp.is_alive(a)
        assert 0 == REG.count()
        REG.register("mine")
        otp.exit(a, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [("mine", me, None)] == REG.select()


async def test_a_registry_is_started_like_a_supervisor() -> None:
    """It gets the time to end, as in OTP."""
    spec = otp.child(otp.Registry).having(name="reg").spec

    assert ("supervisor", None, "reg") == (spec.type, spec.shutdown, spec.id)


def test_two_runs_share_nothing() -> None:
    """What one run has registered is unknown in the next."""

    async def main() -> int:
        async with running():
            before = REG.count()
            REG.register("k")
            return before

    assert [0, 0] == [trio.run(main), trio.run(main)]


# -- listeners and metadata ------------------------------------------------------------------------


async def test_listeners_hear_what_is_done_by_hand() -> None:
    """Registering and unregistering is told, with the value; a death is not."""
    async with otp.open_process(name="ear"):
        async with running(listeners=["ear", "nobody"]):
            a = await otp.start(Holder)
            await otp.call(a, lambda: (REG.register("k1", 1), REG.register("k2", 2)))
            await otp.call(a, lambda: REG.unregister("k1"))
            await killed(a)

        assert otp.Registered("reg", "k1", a, 1) == await otp.receive()
        assert otp.Registered("reg", "k2", a, 2) == await otp.receive()
        assert otp.Unregistered("reg", "k1", a) == await otp.receive()
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)


async def test_a_listener_hears_of_names_and_of_the_last_entry_under_a_key() -> None:
    """A via name is a registration; unregister_match tells only when nothing is left."""
    async with otp.open_process(name="ear"):
        async with running(listeners=["ear"]):
            a = await otp.start(otp.child(Holder).having(name=REG.via("n", 1)))
        async with running("duplicate", listeners=["ear"]) as me:
            REG.register("k", 1)
            REG.register("k", 2)
            REG.unregister_match("k", 1)
            REG.unregister_match("k", 2)

        assert otp.Registered("reg", "n", a, 1) == await otp.receive()
        assert otp.Registered("reg", "k", me, 1) == await otp.receive()
        assert otp.Registered("reg", "k", me, 2) == await otp.receive()
        assert otp.Unregistered("reg", "k", me) == await otp.receive()
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)


async def test_metadata_outlives_who_put_it() -> None:
    """It belongs to the registry; a key without is a KeyError."""
    async with running(meta={"a": 0}):
        a = await otp.start(Holder)
        await otp.call(a, lambda: REG.put_meta("m", 1))
        await killed(a)

        assert (0, 1) == (REG.meta("a"), REG.meta("m"))
        REG.delete_meta("m")
        REG.delete_meta("unknown")
        with pytest.raises(KeyError):
            REG.meta("m")


# -- speed -----------------------------------------------------------------------------------------


def _seconds_for(owners: int) -> float:
    """Give the time in which so many owners come and go, all under one key and under one each."""
    table = Table()
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
