"""Registry: keys, values, and who may register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import strict_key

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable
from registry_kit import REG, Holder, killed, running

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

        with pytest.raises(otp.KeyNotRegistered, match="'k' is not registered by") as caught:
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


async def test_a_match_may_change_the_registry() -> None:
    """What it adds stays, what it takes away is gone; those that match go."""
    async with running("duplicate") as me:
        for value in (1, 2):
            REG.register("k", value)

        def adds(value: int) -> bool:
            REG.register("k", value + 10)
            return value == 1

        REG.unregister_match("k", adds)
        assert [(me, 2), (me, 11), (me, 12)] == REG.lookup("k")

        def clears(value: int) -> bool:
            REG.unregister("k")
            return value == 2

        REG.unregister_match("k", clears)
        assert [] == REG.lookup("k")
        assert [] == REG.keys(me)
        REG.register("k", 3)
        assert [(me, 3)] == REG.lookup("k")


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
        with pytest.raises(TypeError, match=r"key=\['room', 1\]: expected any hashable value"):
            REG.register(["room", 1])
        with pytest.raises(TypeError, match=r"key=\[1\]: expected any hashable value"):
            REG.lookup(("room", [1]))

        assert 0 == REG.count()


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
        with pytest.raises(TypeError, match="name='reg': expected the name of a registry"):
            REG.count()
    with pytest.raises(TypeError, match="not a reference to a process"):
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
        "keys='many': expected 'unique', 'duplicate', ('duplicate', 'key')"
    )


async def test_links_is_checked() -> None:
    """A start with an option that makes no sense fails and says what is expected."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(otp.Registry, links=1))  # type: ignore[arg-type]

    assert "links=1: expected True or False" == str(caught.value.__cause__)


async def test_there_are_no_partitions() -> None:
    """A registry is one table: the options that spread it over cores in OTP are refused."""
    with pytest.raises(TypeError, match="partitions"):
        otp.child(otp.Registry, partitions=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="parallel"):
        REG.dispatch("k", print, parallel=True)  # type: ignore[call-arg]


@pytest.mark.parametrize("keys", [("duplicate", "key"), ("duplicate", "pid")])
async def test_how_otp_spreads_duplicate_keys_changes_nothing(keys: Any) -> None:
    """Both are a registry with duplicate keys."""
    async with running(keys) as me:
        seen: list[object] = []
        REG.register("k", 1)
        REG.register("k", 2)

        REG.dispatch("k", seen.append)

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


async def test_waiting_for_a_name_needs_no_value(autojump_clock: Any) -> None:
    """The value beside a key is no part of the name."""
    async with running(), trio.open_nursery() as nursery:
        found: list[Any] = []

        async def wait() -> None:
            found.append(await otp.wait_for_name(REG.via("k", "another"), timeout=5))

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        pid = await otp.start(otp.child(Holder).having(name=REG.via("k", "value")))
        await trio.testing.wait_all_tasks_blocked()
        assert [pid] == found
