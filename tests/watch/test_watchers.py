"""Watchers that misbehave, and many of them."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio_util
from trio.testing import wait_all_tasks_blocked
from watch_kit import BOILER, Boiler, boiler, collect, nothing_is_left

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Incomparable:
    """As an array: it compares to something that is neither true nor false."""

    def __ne__(self, other: object) -> Any:
        return self

    __eq__ = __ne__
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class Hostile:
    """Cannot even be compared."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError("no comparison")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Incomparable, Hostile])
async def test_values_that_cannot_be_compared_are_changes(kind: Any, autojump_clock: Any) -> None:
    """They hurt nobody: the server goes on, and who reads gets each of them."""
    values = [kind(), kind()]
    seen: list[Any] = []
    async with (
        otp.open_supervisor([BOILER]),
        otp.watch("boiler", Boiler.celsius) as celsius,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, celsius.eventual_values(), seen)
        await wait_all_tasks_blocked()
        pid = otp.whereis("boiler")
        for value in (*values, values[1], 3.0, values[0]):
            boiler.put(value)
            assert value is await boiler.get()
            await wait_all_tasks_blocked()
        assert otp.whereis("boiler") == pid
        with pytest.raises((ValueError, ZeroDivisionError)):
            await celsius.wait_value(4.0)  # told where it waits
        nursery.cancel_scope.cancel()
    expected = [20.0, *values, 3.0, values[0]]
    assert list(map(id, expected[1:])) == list(map(id, seen[1:]))


WAITS: dict[str, Callable[[otp.Watch[float]], Awaitable[object]]] = {
    "wait_value": lambda watch: watch.wait_value(77.0),
    "held_for": lambda watch: watch.wait_value(77.0, held_for=5),
    "wait_transition": lambda watch: watch.wait_transition(),
    "eventual_values": lambda watch: collect(watch.eventual_values(), []),
    "transitions": lambda watch: collect(watch.transitions(), []),
    "alive": lambda watch: watch.alive.wait_value(False),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
async def test_nobody_waits_for_a_watch_whose_block_has_been_left(
    wait: Callable[[otp.Watch[float]], Awaitable[object]], autojump_clock: Any
) -> None:
    """There will be no other value, so a task elsewhere gets an error, now and later."""
    told: list[float] = []

    async def waits(watch: otp.Watch[float]) -> None:
        with pytest.raises(trio.ClosedResourceError, match="has been left"), trio.fail_after(60):
            await wait(watch)
        told.append(trio.current_time())

    async with otp.open_supervisor([BOILER]), trio.open_nursery() as nursery:
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            nursery.start_soon(waits, celsius)
            await trio.sleep(1)
            left = trio.current_time()
        await wait_all_tasks_blocked()
        assert [left] == told
        await waits(celsius)
        assert [left, left] == told
        assert 20.0 == celsius.value


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
async def test_a_condition_that_raises_is_told_to_who_waits(
    error: Any, autojump_clock: Any
) -> None:
    """The server and all others go on, those of the same watch as well."""
    got: list[Any] = []

    def bad(value: float) -> bool:
        if value > 90:
            raise error("bad condition")
        return False

    async def wait_badly(celsius: otp.Watch[Any]) -> None:
        with pytest.raises(error, match="bad condition") as caught:
            await celsius.wait_value(bad)
        assert caught.value.__context__ is None
        with pytest.raises(error, match="bad condition"):
            await celsius.wait_value(bad)  # at once, and in the same place
        got.append("told")

    async def wait_well(celsius: otp.Watch[Any]) -> None:
        got.append(await celsius.wait_value(lambda c: c > 90))

    async with otp.open_supervisor([BOILER]):
        pid = otp.whereis("boiler")
        async with (
            otp.watch("boiler", Boiler.celsius) as celsius,
            otp.watch("boiler", Boiler.celsius) as another,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(wait_well, celsius)
            nursery.start_soon(wait_badly, celsius)
            nursery.start_soon(wait_well, celsius)
            nursery.start_soon(wait_badly, another)
            nursery.start_soon(wait_well, another)
            await wait_all_tasks_blocked()
            boiler.put(95.0)
            assert 95.0 == await boiler.get()
        assert otp.whereis("boiler") == pid
    assert [95.0] * 3 == [each for each in got if each != "told"]
    assert 2 == got.count("told")


async def test_an_async_condition_is_refused(autojump_clock: Any) -> None:
    """It would be met by anything, since a coroutine is true."""

    async def is_hot(value: float, *_: float) -> bool:
        return value > 90

    async with otp.open_supervisor([BOILER]), otp.watch("boiler", Boiler.celsius) as celsius:
        with pytest.raises(TypeError, match="is_hot is async: expected a plain function"):
            await celsius.wait_value(is_hot)
        boiler.put(30.0)
        with pytest.raises(TypeError, match="is async"):
            await celsius.wait_transition(is_hot)


async def test_a_condition_that_exits_ends_no_server(autojump_clock: Any) -> None:
    """`otp.exit` in it would be the end of the process in which it happens to run."""

    def leave(value: float) -> bool:
        return value < 90 or otp.exit("elsewhere")

    async with otp.open_supervisor([BOILER]):
        pid = otp.whereis("boiler")
        async with otp.open_process(), otp.watch("boiler", Boiler.celsius) as celsius:
            with trio.move_on_after(1):
                await celsius.wait_value(lambda c: not leave(c))
            boiler.put(95.0)
            assert 95.0 == await boiler.get()
        assert otp.whereis("boiler") == pid


EXITS: dict[str, Callable[[], object]] = {
    "of oneself": lambda: otp.exit("gone"),
    "of the server": lambda: otp.exit("boiler", "gone"),
}


@pytest.mark.parametrize("name", EXITS)
async def test_an_exit_in_a_condition_of_plain_code_is_its_error(
    name: str, autojump_clock: Any
) -> None:
    """Plain code is no process that could end; a server ends if it is named."""

    def hot(value: float) -> bool:
        return value > 90 and not EXITS[name]()

    async def wait(celsius: otp.Watch[float]) -> None:
        with pytest.raises(otp.NotAProcess, match=r"otp\.exit was called in a condition"):
            await celsius.wait_value(hot)

    async with (
        otp.open_supervisor([BOILER]),
        otp.watch("boiler", Boiler.celsius) as celsius,
        trio.open_nursery() as nursery,
    ):
        pid = otp.whereis("boiler")
        nursery.start_soon(wait, celsius)
        await wait_all_tasks_blocked()
        boiler.put(95.0)
        await wait_all_tasks_blocked()
        assert (name == "of oneself") == (otp.whereis("boiler") == pid)


async def test_what_hangs_on_a_watch_and_raises_ends_that_block_alone(autojump_clock: Any) -> None:
    """A transform has no task of its own that could be told."""

    def invert(value: float) -> float:
        return 1 / value

    async def read_badly() -> None:
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            with celsius.open_transform(invert) as inverted:
                assert 0.05 == inverted.value
                boiler.put(0)
                await inverted.wait_value(7)

    async def read_well() -> None:
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            task_ready.set()
            await celsius.wait_value(0)
            await celsius.wait_value(1)
            done.append("well")

    done: list[str] = []
    task_ready = trio.Event()
    async with otp.open_supervisor([BOILER]), trio.open_nursery() as nursery:
        pid = otp.whereis("boiler")
        nursery.start_soon(read_well)
        await task_ready.wait()
        with pytest.raises(ZeroDivisionError):
            await read_badly()
        boiler.put(1)
        await boiler.get()
        assert otp.whereis("boiler") == pid
    assert ["well"] == done


async def test_watches_are_composed_as_any_async_value(autojump_clock: Any) -> None:
    """`compose_values` and `open_transform` of trio-util take them, over restarts too."""
    seen: list[Any] = []
    async with (
        otp.open_supervisor([BOILER]),
        otp.watch("boiler", Boiler.celsius) as celsius,
    ):
        with (
            trio_util.compose_values(celsius=celsius, alive=celsius.alive) as both,
            celsius.open_transform(lambda c: c > 90) as hot,
        ):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(collect, both.eventual_values(), seen)
                await wait_all_tasks_blocked()
                boiler.put(95.0)
                await hot.wait_value(True)
                boiler.crash()
                await hot.wait_value(False)
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
    assert [(20.0, True), (95.0, True)] == seen[:2]
    assert (20.0, True) == seen[-1]


async def test_a_thousand_watchers_of_one_value(autojump_clock: Any) -> None:
    """All are woken by one assignment, one that raises among them, and all are gone at the end."""
    woken: list[int] = []

    async def watch(number: int) -> None:
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            if number == 500:
                with pytest.raises(ZeroDivisionError):
                    await celsius.wait_value(lambda c: 1 / (c - 95.0) and False)
            else:
                await celsius.wait_value(95.0)
            woken.append(number)

    async with otp.open_supervisor([BOILER]):
        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(watch, number)
            await wait_all_tasks_blocked()
            assert [] == woken
            boiler.put(95.0)
        assert set(range(1000)) == set(woken)
        assert nothing_is_left()


async def test_watchers_may_come_and_go_while_they_are_told(autojump_clock: Any) -> None:
    """A condition that ends another watch, or begins one, disturbs nobody."""
    scopes: list[trio.CancelScope] = []

    async def watch(condition: Any) -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            async with otp.watch("boiler", Boiler.celsius) as celsius:
                await celsius.wait_value(condition)

    def cancel_all(value: float) -> bool:
        for scope in scopes if value > 90 else ():
            scope.cancel()
        return False

    async with otp.open_supervisor([BOILER]):
        async with trio.open_nursery() as nursery:
            for condition in (cancel_all, 95.0, 96.0):
                nursery.start_soon(watch, condition)
            await wait_all_tasks_blocked()
            boiler.put(95.0, 96.0)
        assert nothing_is_left()


async def test_a_watch_by_via_tuple(autojump_clock: Any) -> None:
    """It is told by the registry; one that is restarted forgets nobody who watches."""
    reg = otp.registry("reg")
    registry = otp.child(otp.Registry).having(name="reg")
    room = otp.child(Boiler).having(name=reg.via(("room", 1)), id="room")
    async with otp.open_supervisor([registry, room], strategy="one_for_all", max_restarts=5):
        async with otp.watch(reg.via(("room", 1)), Boiler.celsius) as celsius:
            Boiler.put(reg.via(("room", 1)), 30.0)
            await celsius.wait_value(30.0)
            Boiler.crash(reg.via(("room", 1)))
            assert 20.0 == await celsius.wait_value(20.0)
            otp.exit("reg", otp.KILL)
            await celsius.alive.wait_value(False)
            await celsius.alive.wait_value(True)
            assert otp.whereis(reg.via(("room", 1))) == celsius.pid
        assert nothing_is_left()


def test_what_cannot_be_published() -> None:
    """A default that all servers would share is refused, and so is one object under two names."""
    with pytest.raises(ValueError, match="every server would share this list"):
        otp.published([])
    shared = otp.published(1)

    class One(otp.GenServer):
        first = shared

    with pytest.raises((RuntimeError, otp.OtpError)):  # RuntimeError before Python 3.12

        class Other(otp.GenServer):
            first = shared

    assert One.first.owner is One
    with pytest.raises((RuntimeError, otp.OtpError)):

        class Twice(otp.GenServer):
            one = other = otp.published(1)

    class Without(otp.GenServer):
        value: otp.Published[Any] = otp.Published(otp.published)  # any default but those

    assert otp.published is Without().value


async def test_a_value_that_is_assigned_in_a_thread() -> None:
    """It is seen in the run, in which those live who wait for it."""
    threads: list[int] = []

    class Threaded(otp.GenServer):
        value = otp.published(0)

        async def handle_cast(self, message: Any) -> None:
            await trio.to_thread.run_sync(self.work)

        def work(self) -> None:
            self.value = 1
            self.value = 2

    def is_two(value: int) -> bool:
        threads.append(get_ident())
        return value == 2

    async with otp.open_supervisor([otp.child(Threaded).having(name="threaded")]):
        with trio.fail_after(20):
            async with otp.watch("threaded", Threaded.value) as value:
                otp.cast("threaded", "work")
                assert 2 == await value.wait_value(is_two)
    assert {get_ident()} == set(threads)


async def test_a_composition_that_raises_ends_that_block_alone(autojump_clock: Any) -> None:
    """Its watch has been left, and the server goes on."""

    async def compose() -> None:
        async with otp.watch("boiler", Boiler.celsius) as celsius:
            with trio_util.compose_values(c=celsius, _transform_=lambda now: 1 / now.c):
                boiler.put(0)
                await trio.sleep_forever()

    async with otp.open_supervisor([BOILER]):
        pid = otp.whereis("boiler")
        with pytest.raises(ZeroDivisionError):
            await compose()
        assert 0 == await boiler.get()
        assert otp.whereis("boiler") == pid
        assert nothing_is_left()


async def test_a_comparison_that_exits_ends_that_block_alone(autojump_clock: Any) -> None:
    """As Ctrl-C in it would: it is not lost."""

    class Leaving:
        def __ne__(self, other: object) -> bool:
            raise SystemExit(3)

    async def watch() -> None:
        async with otp.watch("boiler", Boiler.celsius):
            boiler.put(Leaving(), 1)
            await trio.sleep_forever()

    async with otp.open_supervisor([BOILER]):
        pid = otp.whereis("boiler")
        with pytest.raises(SystemExit):
            await watch()
        assert 1 == await boiler.get()
        assert otp.whereis("boiler") == pid
