"""Watching what a server publishes: values, changes, and who else publishes."""

from __future__ import annotations

import gc
import math
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import attrs
import pytest
import trio
import trio_util
from inside import NO_QUEUE, need_living
from trio.testing import wait_all_tasks_blocked
from watch_kit import BOILER, Boiler, boiler, collect, nothing_is_left

import trio_otp as otp


async def test_a_change_wakes_who_waits_for_it(autojump_clock: Any) -> None:
    """The value is there at once, and what it is assigned later comes as it is assigned."""
    async with otp.open_supervisor([BOILER]):
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            assert isinstance(celsius, trio_util.AsyncValue)
            assert isinstance(celsius.alive, trio_util.AsyncBool)
            assert (20.0, True) == (celsius.value, celsius.alive.value)
            assert otp.whereis("boiler") == celsius.pid
            boiler.put(30.0, 95.0, 40.0)  # it is hot for a moment that nobody sees
            assert 95.0 == await celsius.wait_value(lambda c: c > 90)
            assert 40.0 == celsius.value
        assert nothing_is_left()


async def test_for_the_server_it_is_an_ordinary_attribute(autojump_clock: Any) -> None:
    """It has its default, is assigned and deleted, and is shown as any other attribute."""
    one, other = Boiler(), Boiler()
    assert 20.0 == one.celsius
    one.celsius = 30.0
    assert (30.0, 20.0) == (one.celsius, other.celsius)
    assert {"celsius": 30.0} == vars(one)
    del one.celsius
    assert 20.0 == one.celsius
    with pytest.raises(AttributeError):
        del one.celsius
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius):
        boiler.put(1.0)
        assert {"celsius": 1.0} == vars(await otp.sys.get_state("boiler"))


def test_what_has_no_value_yet_says_so() -> None:
    """An agent before its first value, and a machine before its first state."""
    with pytest.raises(AttributeError, match="Agent has no value yet"):
        otp.Agent(dict).value  # noqa: B018

    class Door(otp.GenStatem[str]):
        initial = "shut"

    with pytest.raises(AttributeError, match="no state until its init has returned"):
        Door().state  # noqa: B018
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del Door().state


def test_it_may_be_a_field_of_a_dataclass() -> None:
    """Its default is that of the field."""

    @dataclass
    class Kettle(otp.GenServer):
        litres: int
        celsius: otp.Published[float] = otp.published(20.0)  # noqa: RUF009  (as a field is)

    assert (20.0, 90.0) == (Kettle(1).celsius, Kettle(1, 90.0).celsius)


@pytest.mark.parametrize("with_slots", [dataclass(slots=True), attrs.define])
async def test_a_class_that_is_made_anew_keeps_it(with_slots: Any, autojump_clock: Any) -> None:
    """A decorator that adds slots makes another class, with the same attributes."""

    class Kettle(otp.GenServer):
        litres: int = 1
        celsius = otp.published(20.0)

        def handle_cast(self, message: Any) -> None:
            self.celsius = message

    before, made = Kettle, with_slots(Kettle)
    assert (before is not made, "litres") == (True, made.__slots__[0])
    for kettle in (otp.child(made), otp.child(before)):
        async with (
            otp.open_supervisor([kettle.having(name="kettle")]),
            otp.watch("kettle", made.celsius) as celsius,
        ):
            otp.cast("kettle", 90.0)
            assert 90.0 == await celsius.wait_value(90.0)
    assert made.celsius.owner is made


async def test_a_slot_cannot_be_watched() -> None:
    """A field of a class with slots has lost the attribute; it is said what to change."""

    @dataclass(slots=True)
    class Kettle(otp.GenServer):
        celsius: otp.Published[float] = otp.published(20.0)  # noqa: RUF009  (as a field is)

    with pytest.raises(TypeError, match="has made a slot of it; leave out its annotation"):
        async with otp.watch("kettle", Kettle.celsius):
            pass


async def test_a_client_does_not_have_it(autojump_clock: Any) -> None:
    """It says how to follow it instead."""
    with pytest.raises(AttributeError, match=r"write otp\.watch\(ref, Boiler\.celsius\)"):
        boiler.celsius  # noqa: B018


async def test_a_deleted_attribute_has_its_default_again(autojump_clock: Any) -> None:
    """Who watches is told of that as of any change."""
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        boiler.put(1.0)
        await celsius.wait_value(1.0)
        server: Any = await otp.sys.get_state("boiler")
        del server.celsius
        assert 20.0 == celsius.value


async def test_a_slow_reader_misses_values_but_never_the_last(autojump_clock: Any) -> None:
    """`eventual_values` begins with the value now and gets to the newest."""
    seen: list[Any] = []

    async def read(celsius: otp.Watch[Any]) -> None:
        async for value in celsius.eventual_values():
            seen.append(value)
            await trio.sleep(9.4)

    async with (
        otp.open_supervisor([BOILER]),
        otp.watch("boiler", Boiler.celsius) as celsius,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(read, celsius)
        for value in range(25):
            await trio.sleep(1)
            boiler.put(value)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert [20.0, 8, 17, 24] == seen


async def test_values_are_read_as_trio_util_gives_them(autojump_clock: Any) -> None:
    """A value that comes back counts anew once it has been away, and equal values are no change."""
    ours: list[Any] = []
    theirs: list[Any] = []
    plain = trio_util.AsyncValue(20.0)

    async with (
        otp.open_supervisor([BOILER]),
        otp.watch("boiler", Boiler.celsius) as celsius,
        trio.open_nursery() as nursery,
    ):
        for value, seen in ((celsius, ours), (plain, theirs)):
            nursery.start_soon(collect, value.eventual_values(lambda c: c > 10), seen)
            nursery.start_soon(collect, value.transitions(lambda new, old: new > old), seen)
        for number in (20.0, 30.0, 5.0, 30.0, 30.0, math.nan, math.nan, 31.0):
            await trio.sleep(1)
            boiler.put(number)
            plain.value = number
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert sorted(map(str, theirs)) == sorted(map(str, ours))
    assert (30.0, 5.0) in ours


async def test_an_iterator_need_not_be_closed(autojump_clock: Any) -> None:
    """Leaving the loop is enough, and `aclosing` does no harm."""
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        async for value in celsius.eventual_values():
            assert 20.0 == value
            break
        async with aclosing(celsius.eventual_values()) as values:  # type: ignore[type-var]
            assert 20.0 == await anext(values)
        gc.collect()  # a generator that is left half-way is warned of here


async def test_a_value_may_have_to_be_held(autojump_clock: Any) -> None:
    """`held_for` waits until the condition has been met for that long without a break."""
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        began = trio.current_time()

        async def heat() -> None:
            for number in (95.0, 80.0, 96.0):
                await trio.sleep(3)
                boiler.put(number)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(heat)
            assert 96.0 == await celsius.wait_value(lambda c: c > 90, held_for=5)
        assert 14 == trio.current_time() - began


async def test_a_condition_that_has_to_be_held_and_raises_is_told_at_once(
    autojump_clock: Any,
) -> None:
    """When it is met first, and while it is held; not when the time is over, or never."""
    for numbers in ((0.0, 80.0), (100.0, 0.0, 80.0)):
        async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
            told: list[float] = []

            async def hold(celsius: Any = celsius, told: list[float] = told) -> None:
                with pytest.raises(ZeroDivisionError):
                    await celsius.wait_value(lambda c: 1 / c <= 0.01, held_for=5)
                told.append(trio.current_time())

            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold)
                for number in numbers:
                    await trio.sleep(1)
                    boiler.put(number)
                await trio.sleep(20)
                boiler.put(100.0)
            assert [began + 1 + numbers.index(0.0)] == told


async def test_a_watch_is_read_only(autojump_clock: Any) -> None:
    """Only the server assigns it; another attribute of the class is refused with the line."""
    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        with pytest.raises(AttributeError):
            celsius.value = 1.0  # type: ignore[misc]
        assert "<watch of Boiler.celsius of 'boiler': 20.0>" == repr(celsius)
        with pytest.raises(TypeError, match=r"write otp\.watch\(ref, Server\.attribute\)"):
            async with otp.watch("boiler", "celsius"):
                pass
        with pytest.raises(TypeError, match="no public constructor"):
            otp.Watch("boiler", Boiler.celsius)


# -- what else publishes --------------------------------------------------------------------------


async def test_the_state_of_a_machine_is_published_by_itself(autojump_clock: Any) -> None:
    """Each change of it, also by a time-out, and by `otp.sys`."""

    class Door(otp.GenStatem[str]):
        initial = "shut"

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            if kind is otp.Event.CAST:
                return otp.NextState(content, otp.StateTimeout(5))
            return otp.NextState("shut")

    async with otp.open_supervisor([otp.child(Door).having(name="door")]):
        async with otp.watch("door", Door.state) as state, otp.watch("door", otp.GenStatem.state):
            assert "shut" == state.value
            otp.cast("door", "open")
            assert "open" == await state.wait_value("open")
            assert ("shut", "open") == await state.wait_transition()
            await otp.sys.replace_state("door", lambda held: ("ajar", held[1]))
            assert "ajar" == state.value
        assert {} == Door.state._listeners
        with pytest.raises(AttributeError, match="no setter"):
            Door().state = "open"  # type: ignore[assignment]


async def test_the_value_of_an_agent_is_published_by_itself(autojump_clock: Any) -> None:
    """Each function that changes it is seen, and `otp.sys` too."""
    child = otp.child(otp.Agent, dict[str, int]).having(name="counts")
    async with otp.open_supervisor([child]), otp.watch("counts", otp.Agent.value) as counts:
        assert {} == counts.value
        await otp.Agent.update("counts", lambda held: {**held, "tea": 1})
        assert {"tea": 1} == counts.value
        otp.Agent.cast("counts", lambda held: {**held, "tea": 2})
        assert {"tea": 2} == await counts.wait_value(lambda held: held.get("tea") == 2)
        assert 1 == await otp.Agent.get_and_update("counts", lambda held: (len(held), {}))
        assert {} == counts.value
        await otp.sys.replace_state("counts", lambda _: {"milk": 1})
        assert {"milk": 1} == counts.value


async def test_a_state_that_is_replaced_is_followed(autojump_clock: Any) -> None:
    """`otp.sys.replace_state` may put another instance in the place of the server."""

    def other(_: Boiler) -> Boiler:
        fresh = Boiler()
        fresh.celsius = 77.0
        return fresh

    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        await otp.sys.replace_state("boiler", other)
        assert 77.0 == celsius.value
        boiler.put(78.0)
        assert 78.0 == await celsius.wait_value(78.0)
        assert 1 == len(Boiler.celsius._listeners)


async def test_a_subclass_may_override_it(autojump_clock: Any) -> None:
    """By name on the instance, as methods are."""

    class Hot(Boiler):
        celsius = otp.published(90.0)

    child = otp.child(Hot).having(name="boiler")
    async with otp.open_supervisor([child]), otp.watch("boiler", Boiler.celsius) as celsius:
        assert 90.0 == celsius.value
        boiler.put(91.0)
        assert 91.0 == await celsius.wait_value(91.0)


async def test_a_process_that_becomes_a_server_is_watched_from_then_on(autojump_clock: Any) -> None:
    """`enter_loop` is the end of what went before."""

    class Line(otp.GenStatem[str]):
        initial = "up"

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            return otp.NextState(content)

    async def accept() -> None:
        await otp.receive(str)
        await otp.enter_loop(Line())

    async def watch() -> None:
        async with otp.watch("line", Line.state) as state:
            seen.append(state.value)
            seen.append(await state.wait_value("down"))

    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        otp.register("line", otp.spawn(accept, nursery=nursery))
        await wait_all_tasks_blocked()
        otp.send("line", "hello")
        await wait_all_tasks_blocked()
        otp.cast("line", "down")
        await wait_all_tasks_blocked()
        assert ["up", "down"] == seen
        nursery.cancel_scope.cancel()


async def test_a_server_that_sleeps_goes_on_sleeping(autojump_clock: Any) -> None:
    """To watch it sends no message; a change that comes by one is seen."""

    class Sleeper(otp.GenServer):
        hibernate_after = 0
        value = otp.published("default")

        def handle_cast(self, message: Any) -> None:
            self.value = message

    async with otp.open_supervisor([otp.child(Sleeper).having(name="sleeper")]):
        await wait_all_tasks_blocked()
        assert "asleep" == status_of("sleeper")
        async with otp.watch("sleeper", Sleeper.value) as value:
            assert ("default", "asleep") == (value.value, status_of("sleeper"))
            otp.cast("sleeper", "woken")
            assert "woken" == await value.wait_value("woken")
            await wait_all_tasks_blocked()
            assert "asleep" == status_of("sleeper")
            otp.cast("sleeper", "again")
            await value.wait_value("again")


def status_of(name: str) -> str:

    return "asleep" if need_living(name).mailbox.queue is NO_QUEUE else "awake"
