"""Waits of plain Trio code: for names, for children, for ends, and as long as one lives."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio_util
from inside import need_living, runtime
from trio.testing import wait_all_tasks_blocked
from watch_kit import BOILER, Boiler, boiler, nothing_is_left

import trio_otp as otp

REG = otp.registry("reg")
REGISTRY = otp.child(otp.Registry).having(name="reg")


class Wakes(trio.abc.Instrument):
    """Counts how often tasks run."""

    def __init__(self) -> None:
        self.steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1


class Slow(otp.GenServer):
    """Has an init of ten seconds."""

    async def init(self) -> None:
        await trio.sleep(10)


async def wait(name: Any, got: list[Any], timeout: float | None = None) -> None:
    got.append((await otp.wait_for_name(name, timeout=timeout), trio.current_time()))


NAMES = ["slow", ("via", REG, "slow"), ("via", "reg", "slow"), REG.via("slow")]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_there_when_init_is_over(name: Any, autojump_clock: Any) -> None:
    """Whoever waits is told at that moment, and not asked to look again and again."""
    got: list[Any] = []
    began, wakes = trio.current_time(), Wakes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, name, got)
        await otp.start(REGISTRY, nursery=nursery)
        await trio.sleep(1000)
        trio.lowlevel.add_instrument(wakes)
        await trio.sleep(1000)
        trio.lowlevel.remove_instrument(wakes)
        assert wakes.steps <= 2  # those of this task
        pid = await otp.start(otp.child(Slow).having(name=name), nursery=nursery)
        await wait_all_tasks_blocked()
        assert [(pid, began + 2010)] == got
        nursery.cancel_scope.cancel()
    assert {} == runtime().name_watchers


async def test_a_name_that_is_there_is_given_at_once(autojump_clock: Any) -> None:
    """Also one that a process has taken by itself, and one of a class."""
    async with otp.open_supervisor([otp.child(Boiler).having(name=Boiler)]):
        assert otp.whereis(Boiler) == await otp.wait_for_name(Boiler)
        async with otp.open_process(name="plain") as me, trio.open_nursery() as nursery:
            got: list[Any] = []
            assert me == await otp.wait_for_name("plain")
            nursery.start_soon(wait, "later", got)
            nursery.start_soon(wait, REG.via("later"), got)
            await wait_all_tasks_blocked()
            pid = otp.spawn(trio.sleep_forever)
            otp.register("later", pid)
            await wait_all_tasks_blocked()
            assert [pid] == [each for each, _ in got]
            await otp.start(REGISTRY)
            REG.register("later")
            await wait_all_tasks_blocked()
            assert [pid, me] == [each for each, _ in got]


async def test_a_process_that_dies_in_its_init_has_no_name_for_anybody(autojump_clock: Any) -> None:
    """The wait goes on, to the next one that takes the name."""
    got: list[Any] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "slow", got)
        await wait_all_tasks_blocked()
        with pytest.raises(otp.StartError):
            await otp.start(otp.child(Slow).having(name="slow", timeout=5), nursery=nursery)
        assert [] == got
        pid = await otp.start(otp.child(Slow).having(name="slow"), nursery=nursery)
        await wait_all_tasks_blocked()
        assert [pid] == [each for each, _ in got]
        nursery.cancel_scope.cancel()


async def test_a_process_that_dies_at_once_is_not_given(autojump_clock: Any) -> None:
    """Who is told of a name runs later: a process that is dead by then is no answer."""
    got: list[Any] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "name", got)
        await wait_all_tasks_blocked()
        brief = otp.spawn(trio.sleep_forever, nursery=nursery)
        otp.register("name", brief)
        otp.exit(brief, otp.KILL)
        await wait_all_tasks_blocked()
        assert [] == got
        lasting = otp.spawn(trio.sleep_forever, nursery=nursery)
        otp.register("name", lasting)
        await wait_all_tasks_blocked()
        assert [lasting] == [pid for pid, _ in got]
        nursery.cancel_scope.cancel()


async def test_a_wait_that_is_too_long_says_how_far_it_has_come(autojump_clock: Any) -> None:
    """A name that nobody has is compared with others; a process in its init is described."""
    async with otp.open_supervisor([BOILER]), trio.open_nursery() as nursery:
        with pytest.raises(trio.TooSlowError, match="did you mean 'boiler'") as missing:
            await otp.wait_for_name("boilr", timeout=3)
        assert isinstance(missing.value, otp.WaitTimeout)
        assert ("boilr", 3) == (missing.value.ref, missing.value.elapsed)
        nursery.start_soon(partial(otp.start, otp.child(Slow).having(name="slow"), nursery=nursery))
        with pytest.raises(otp.WaitTimeout, match=r"waited for 3 s: 'slow' is in init"):
            await otp.wait_for_name("slow", timeout=3)
        with trio.move_on_after(1) as scope:
            await otp.wait_for_name("boilr")
        assert scope.cancelled_caught
        assert nothing_is_left()
        nursery.cancel_scope.cancel()


async def test_what_is_there_needs_no_time(autojump_clock: Any) -> None:
    """With timeout=0 it is given if it is there, and what is wrong is told."""
    async with otp.open_supervisor([BOILER]) as sup:
        assert otp.whereis("boiler") == await otp.wait_for_name("boiler", timeout=0)
        assert "boiler" == (await otp.wait_for_child(sup, "boiler", timeout=0)).id
        with pytest.raises(otp.WaitTimeout, match="no process behind 'boilr'"):
            await otp.wait_for_name("boilr", timeout=0)
        with pytest.raises(otp.WaitTimeout, match=r"child 'boiler' of .* is running"):
            await otp.wait_for_child(sup, "boiler", "undefined", timeout=0)
        with pytest.raises(otp.ChildNotFound):
            await otp.wait_for_child(sup, "kettle", timeout=0)
        for wait in (otp.wait_for_name("boiler"), otp.wait_for_child(sup, "boiler")):
            with trio.CancelScope() as scope:
                scope.cancel()
                await wait
            assert scope.cancelled_caught
        assert nothing_is_left()


async def test_what_a_process_cannot_wait_for_is_named(autojump_clock: Any) -> None:
    """It has not called itself, and an undecorated method would not help."""

    class Top(otp.Supervisor):
        async def init(self) -> Any:
            await otp.wait_for_child("top", "child")

    async with otp.open_process(name="me"), trio.open_nursery() as nursery:
        with pytest.raises(otp.CallingSelf, match="'me' waits for its own end; let another"):
            await otp.wait_down("me")
        with pytest.raises(otp.CallingSelf, match=r"'me' waits for its own end; return Stop"):
            await otp.stop("me")
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Top).having(name="top"), nursery=nursery)
        assert "'top' waits for its own child; let another" in str(caught.value.reason)

        class Early(otp.GenServer):
            async def init(self) -> None:
                await otp.wait_for_name("early")

        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Early).having(name="early"), nursery=nursery)
        assert "'early' waits in its init for that to be over; do" in str(caught.value.reason)


async def wait_in_vain(name: Any) -> None:
    with pytest.raises(LookupError):
        await otp.wait_for_name(name)


async def test_names_of_a_module_of_a_user(autojump_clock: Any) -> None:
    """It tells nobody; whoever waits looks when a process has started."""

    class Phonebook:
        def __init__(self) -> None:
            self.pids: dict[Any, Any] = {}
            self.broken = ["broken"]

        def register_name(self, key: Any, pid: Any) -> bool:
            return self.pids.setdefault(key, pid) is pid

        def unregister_name(self, key: Any) -> None:
            del self.pids[key]

        def whereis_name(self, key: Any) -> Any:
            if key in self.broken:
                raise LookupError(key)
            return self.pids.get(str(key))

        def send(self, key: Any, message: Any) -> None:
            otp.send(self.pids[key], message)

    book, got = Phonebook(), list[Any]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, ("via", book, "ada"), got)
        nursery.start_soon(wait, ("via", book, "bob"), got)
        nursery.start_soon(wait, ("via", book, ["bob"]), got)  # which cannot be hashed
        nursery.start_soon(wait_in_vain, ("via", book, "eve"))
        with pytest.raises(LookupError):
            await otp.wait_for_name(("via", book, "broken"))
        await wait_all_tasks_blocked()
        ada = await otp.start(otp.child(Boiler).having(name=("via", book, "ada")), nursery=nursery)
        await wait_all_tasks_blocked()
        assert [ada] == [pid for pid, _ in got]
        book.broken.append("eve")
        book.pids["bob"] = book.pids["['bob']"] = ada  # behind everybody's back
        await otp.start(Boiler, nursery=nursery)
        await wait_all_tasks_blocked()
        assert [ada, ada, ada] == [pid for pid, _ in got]
        nursery.cancel_scope.cancel()


async def test_a_process_cannot_wait_for_its_own_init(autojump_clock: Any) -> None:
    """It would wait for ever."""

    class Own(otp.GenServer):
        async def init(self) -> None:
            await otp.wait_for_name("own")

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Own).having(name="own"), nursery=nursery)
        assert isinstance(caught.value.reason, otp.CallingSelf)
    with pytest.raises(TypeError, match="expected a str, an enum member"):
        await otp.wait_for_name(5)  # type: ignore[arg-type]


# -- children --------------------------------------------------------------------------------------


async def test_a_child_is_waited_for_in_each_of_its_states(autojump_clock: Any) -> None:
    """Down, in a back-off, running again: told by the supervisor, that polls nobody."""
    backoff = otp.Backoff(min_delay=10, max_delay=10, jitter=0)
    child = otp.child(Boiler).having(id="boiler", name="boiler")
    seen: list[Any] = []

    async def follow() -> None:
        for status in ("restarting", "running", "undefined"):
            info = await otp.wait_for_child(sup, "boiler", status)
            assert status == info.status
            assert (status == "running") == (info.pid is not None)
            seen.append((status, trio.current_time() - began))

    async with otp.open_supervisor([child], backoff=backoff, name="sup") as sup:
        began = trio.current_time()
        assert otp.whereis("boiler") == (await otp.wait_for_child(sup, "boiler")).pid
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await trio.sleep(1)
            boiler.crash()
            await trio.sleep(20)
            await otp.terminate_child(sup, "boiler")
        assert [("restarting", 1), ("running", 11), ("undefined", 21)] == seen
        with pytest.raises(otp.WaitTimeout) as late:
            await otp.wait_for_child("sup", "boiler", timeout=2)
        assert "waited for 2 s: child 'boiler' of 'sup' is undefined" == str(late.value)
        assert nothing_is_left()


async def test_a_child_that_has_died_is_not_running(autojump_clock: Any) -> None:
    """Also if its supervisor has yet to hear of it."""
    async with otp.open_supervisor([BOILER], max_restarts=None) as sup:
        for _ in range(20):  # whichever of the two tasks runs first
            first: Any = otp.whereis("boiler")
            otp.exit(first, otp.KILL)
            await otp.wait_down(first)
            info = await otp.wait_for_child(sup, "boiler", timeout=5)
            assert info.pid not in {None, first}


async def test_a_wait_for_a_child_ends_with_the_child_or_the_supervisor(
    autojump_clock: Any,
) -> None:
    """There is nothing to wait for any more."""

    async def delete() -> None:
        await trio.sleep(1)
        await otp.terminate_child("sup", "boiler")
        await otp.delete_child("sup", "boiler")

    async def stop() -> None:
        await trio.sleep(2)
        await otp.stop("sub", otp.SHUTDOWN)

    sub = otp.child(otp.Supervisor, [BOILER.having(name=None, id="b")]).having(name="sub")
    children = [BOILER, sub.having(restart="temporary")]
    async with otp.open_supervisor(children, name="sup"), trio.open_nursery() as nursery:
        nursery.start_soon(delete)
        nursery.start_soon(stop)
        with pytest.raises(otp.ChildNotFound):
            await otp.wait_for_child("sup", "boiler", "restarting")
        with pytest.raises(otp.ServerExited):
            await otp.wait_for_child("sub", "b", "restarting")
        with pytest.raises(ValueError, match="expected 'running', 'restarting' or 'undefined'"):
            await otp.wait_for_child("sup", "boiler", "dead")  # type: ignore[arg-type]


async def test_a_supervisor_cannot_wait_for_its_own_child(autojump_clock: Any) -> None:
    """It would do nothing else."""

    class Top(otp.Supervisor):
        async def init(self) -> Any:
            await otp.wait_for_child("top", "child")

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(otp.child(Top).having(name="top"), nursery=nursery)
        assert isinstance(caught.value.reason, otp.CallingSelf)


async def test_a_supervisor_in_its_init_is_waited_for(autojump_clock: Any) -> None:
    """It has children when its own init is over."""
    sup = otp.child(otp.Supervisor, [otp.child(Slow).having(id="slow")]).having(name="sup")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.start, sup, nursery=nursery))
        await wait_all_tasks_blocked()
        assert "running" == (await otp.wait_for_child("sup", "slow")).status
        nursery.cancel_scope.cancel()


# -- ends ------------------------------------------------------------------------------------------


async def test_the_end_of_a_process_is_waited_for_without_one(autojump_clock: Any) -> None:
    """It gives the reason, the true one also of a process that is exiting already."""

    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        pid = await otp.start(BOILER, nursery=nursery)
        nursery.start_soon(partial(otp.stop, pid, otp.Shutdown("enough")))
        assert otp.Shutdown("enough") == await otp.wait_down("boiler")
        assert otp.NOPROC is await otp.wait_down("boiler")
        assert otp.NOPROC is await otp.wait_down(pid)
        exiting = otp.spawn(stubborn, nursery=nursery)
        await wait_all_tasks_blocked()
        otp.exit(exiting, "gone")
        began = trio.current_time()
        assert "gone" == await otp.wait_down(exiting)
        assert 10 == trio.current_time() - began


async def test_a_block_is_left_when_the_process_dies(autojump_clock: Any) -> None:
    """By a cancellation that it takes up; an error of the block leaves it bare."""
    async with trio.open_nursery() as nursery:
        pid = otp.spawn(trio.sleep, 5, nursery=nursery)
        async with otp.while_alive(pid) as scope:
            await trio.sleep_forever()
        assert (5, True) == (trio.current_time(), scope.cancelled_caught)
        async with otp.while_alive(pid) as late:
            late_ran = True
            await trio.sleep_forever()
        assert (late_ran, late.cancelled_caught) == (True, True)
        other = otp.spawn(trio.sleep, 5, nursery=nursery)
        with pytest.raises(KeyError) as bare:
            async with otp.while_alive(other):
                raise KeyError("own")
        assert bare.value.__context__ is None
        async with otp.while_alive(other) as through:
            await trio.sleep(1)
        assert not through.cancelled_caught
        assert not (process := need_living(other)).watchers, process.watchers
    with pytest.raises(otp.NoProcess):
        async with otp.while_alive("nobody"):
            pass


async def test_a_group_of_the_user_leaves_whole(autojump_clock: Any) -> None:
    """Also when the process has died meanwhile."""
    group = ExceptionGroup("own", [KeyError(1), ValueError(2)])
    async with trio.open_nursery() as nursery:
        pid = otp.spawn(trio.sleep, 5, nursery=nursery)
        with pytest.raises(ExceptionGroup) as caught:
            await raise_after_death(pid, group)
        assert group is caught.value


async def raise_after_death(pid: otp.Pid[Any], error: Exception) -> None:
    async with otp.while_alive(pid):
        try:
            await trio.sleep_forever()
        finally:
            raise error


async def test_waits_are_combined_by_trio_util(autojump_clock: Any) -> None:
    """`wait_any` and `wait_all` take them as they are."""
    async with trio.open_nursery() as nursery:
        short = otp.spawn(trio.sleep, 5, nursery=nursery)
        long = otp.spawn(trio.sleep, 9, nursery=nursery)
        await trio_util.wait_any(partial(otp.wait_down, short), partial(otp.wait_down, long))
        assert 5 == trio.current_time()
        await trio_util.wait_all(partial(otp.wait_down, short), partial(otp.wait_down, long))
        assert 9 == trio.current_time()
