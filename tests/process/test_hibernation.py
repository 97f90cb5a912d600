"""A server that sleeps has no task, and nobody notices: it wakes with what is sent to it."""

from __future__ import annotations

import contextvars
import sys
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of
from server_kit import inside
from sleep_kit import Sleeper, Sync, a_sleeper, asleep, is_asleep

import trio_otp as otp
from tests.benchmarks.measure import traced

COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour")


# -- when it sleeps --------------------------------------------------------------------------------


async def test_it_gives_its_task_back_and_takes_another_one() -> None:
    """While it sleeps nothing of it is in the nursery but the guard of that."""
    async with trio.open_nursery() as nursery:
        pid = await asleep(await otp.start(Sync, nursery=nursery))
        assert 1 == len(nursery.child_tasks)
        assert 42 == await otp.call(pid, 42)
        await asleep(pid)
        assert 1 == len(nursery.child_tasks)
        assert otp.is_alive(pid)
        nursery.cancel_scope.cancel()
    assert not otp.is_alive(pid)


async def test_it_sleeps_when_it_has_been_idle_for_so_long(autojump_clock: Any) -> None:
    """Not a moment before, and each message begins the time anew; looking at it does not."""

    class Late(Sync):
        hibernate_after = 10.0

    async with otp.open_process():
        pid = await otp.start_link(Late)
        await trio.sleep(6)
        await otp.call(pid, "work")
        await trio.sleep(6)
        assert not is_asleep(pid)
        await otp.sys.get_state(pid)
        await trio.sleep(3.99)
        assert not is_asleep(pid)
        await trio.sleep(0.01)
        await asleep(pid)
        assert "again" == await otp.call(pid, "again")
        await trio.sleep(9.99)
        assert not is_asleep(pid)
        await trio.sleep(0.01)
        await asleep(pid)


async def test_a_busy_one_does_not_sleep(autojump_clock: Any) -> None:
    """The time of a callback is not idle time."""

    class Late(Sleeper):
        hibernate_after = 1.0

    async def work() -> Any:
        await trio.sleep(5)
        return otp.Reply(None)

    async with otp.open_process():
        pid = await otp.start_link(Late)
        await otp.call(pid, work, timeout=None)
        await trio.sleep(0.5)
        assert not is_asleep(pid)
        await trio.sleep(0.5)
        await asleep(pid)


async def test_a_sleeping_process_leaves_no_timer(autojump_clock: Any) -> None:
    """A server that sleeps waits for no time; one that dies before leaves none either."""

    class Late(Sync):
        hibernate_after = 10.0

    async with otp.open_process():
        pid = await otp.start_link(Late)
        await trio.sleep(10)
        await asleep(pid)
        other = await otp.start_link(Late)
        await trio.testing.wait_all_tasks_blocked()
        timers = process_of(other).runtime.timers
        assert 1 == timers.pending()
        await otp.stop(other)
        assert 0 == timers.pending()


@pytest.mark.parametrize("after", [None, 0, 20.0])
async def test_another_class_leaves_no_timer_of_the_old_one(after: Any) -> None:
    """However often the class changes, there is one timer at most."""

    class Late(Sync):
        hibernate_after = 3600.0

    class Other(Sync):
        hibernate_after = after

    async with otp.open_process():
        pid = await otp.start_link(Late)
        for kind in (Other, Late, Other, Late, Other):
            await trio.testing.wait_all_tasks_blocked()
            await otp.sys.suspend(pid)
            await otp.sys.change_code(pid, behaviour=kind)
            await otp.sys.resume(pid)
        await trio.testing.wait_all_tasks_blocked()
        timers = process_of(pid).runtime.timers
        assert timers.pending() == (1 if after else 0)


@pytest.mark.parametrize("after", [None, float("inf")])
async def test_others_stay_awake(after: Any, autojump_clock: Any) -> None:
    """That is the default."""

    class Awake(Sync):
        hibernate_after = after

    async with otp.open_process():
        pid = await otp.start_link(Awake)
        for _ in range(3):
            await trio.sleep(86_000)
        assert not is_asleep(pid)


@pytest.mark.parametrize("after", [-1, "1", True, float("nan")])
def test_what_is_no_time_is_refused(after: Any) -> None:
    """By the class statement, with what is accepted."""
    with pytest.raises(otp.SpecError, match=r"class Wrong: hibernate_after=.*seconds >= 0"):
        type("Wrong", (otp.GenServer,), {"hibernate_after": after})


async def test_another_class_may_sleep_at_other_times() -> None:
    """A change of code is followed, both ways."""

    class Old(otp.GenServer):
        def handle_call(self, request: Any, from_: Any) -> Any:
            return otp.Reply(request)

    class New(Old):
        hibernate_after = 0

    async with otp.open_process():
        pid = await otp.start_link(Old)
        for kind in (New, Old):
            await otp.sys.suspend(pid)
            await otp.sys.change_code(pid, behaviour=kind)
            assert not is_asleep(pid)
            await otp.sys.resume(pid)
            assert 1 == await otp.call(pid, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert is_asleep(pid) is (kind is New)


async def test_a_port_stays_awake() -> None:
    """Its task holds the program, whatever its class says."""

    class Echo(otp.Port):
        hibernate_after = 0

    async with otp.open_process():
        pid = await otp.start_link(otp.child(Echo, ["cat"]))
        await trio.testing.wait_all_tasks_blocked()
        assert not is_asleep(pid)


async def test_its_own_time_out_keeps_it_awake(autojump_clock: Any) -> None:
    """An idle time-out comes when it should; after that the server sleeps."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Sleeper, otp.NoReply(timeout=5)))
        begin = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        assert not is_asleep(pid)
        await trio.sleep(5)
        await asleep(pid)
        assert isinstance(inside(pid).log[0][1], otp.Timeout)
        assert 5 == trio.current_time() - begin


async def test_what_it_continues_with_comes_first() -> None:
    """A `continue_` is done before it sleeps."""
    async with otp.open_process():
        pid = await a_sleeper(otp.NoReply(continue_="more"))
        assert [("continue", "more")] == inside(pid).log


async def test_an_open_nursery_keeps_it_awake() -> None:
    """What its `init` has opened belongs to its task, so that has to stay until it is closed."""

    class Host(Sleeper):
        async def init(self) -> None:
            self.manager = trio.open_nursery()
            self.nursery = await self.manager.__aenter__()
            self.nursery.start_soon(trio.sleep_forever)

        async def close(self) -> Any:
            self.nursery.cancel_scope.cancel()
            await self.manager.__aexit__(None, None, None)
            return otp.Reply("closed")

    async with otp.open_process():
        pid = await otp.start_link(Host)
        await trio.testing.wait_all_tasks_blocked()
        assert not is_asleep(pid)
        assert 1 == await otp.call(pid, otp.Reply(1))
        host: Any = inside(pid)
        assert "closed" == await otp.call(pid, host.close)
        await asleep(pid)


async def test_a_send_end_leaves_it_asleep() -> None:
    """To hand one out, to clone or to close it wakes nobody; what is sent through it does."""
    async with otp.open_process():
        pid = await a_sleeper()
        with otp.send_end(pid) as end, end.clone() as other:
            assert 2 == end.statistics().open_send_channels
            await asleep(pid)
            await end.send("by a send end")
            other.send_nowait("by its clone")
            await asleep(pid)
        await asleep(pid)
        with pytest.raises(trio.ClosedResourceError):
            other.send_nowait("late")
        await asleep(pid)
        assert [("info", "by a send end"), ("info", "by its clone")] == inside(pid).log


async def test_a_send_end_does_not_keep_it_awake(autojump_clock: Any) -> None:
    """It falls asleep at its time, and the end still leads to it."""

    class Late(Sleeper):
        hibernate_after = 3.0

    async with otp.open_process():
        pid = await otp.start_link(Late)
        end = otp.send_end(pid)
        await trio.sleep(3)
        await asleep(pid)
        assert (1, 1) == (
            end.statistics().open_send_channels,
            end.statistics().open_receive_channels,
        )
        end.send_nowait("late")
        await trio.testing.wait_all_tasks_blocked()
        assert [("info", "late")] == inside(pid).log
        await trio.sleep(3)
        await asleep(pid)
        await otp.stop(pid)
        with pytest.raises(trio.BrokenResourceError):
            end.send_nowait("too late")


async def test_what_has_begun_as_a_function_stays_awake() -> None:
    """`enter_loop` never returns, so the frames of the function are still there."""
    log: list[str] = []

    async def begin() -> None:
        try:
            await otp.enter_loop(Sleeper())
        finally:
            log.append("left")

    async with otp.open_process():
        pid = otp.spawn_link(begin)
        await trio.testing.wait_all_tasks_blocked()
        assert not is_asleep(pid)
        await otp.stop(pid)
    assert ["left"] == log


# -- what it wakes with ----------------------------------------------------------------------------


async def test_each_kind_of_message_wakes_it(autojump_clock: trio.abc.Clock) -> None:
    """They are handled in their order, and it sleeps again."""
    async with otp.open_process():
        pid = await a_sleeper()
        otp.cast(pid, "cast")
        otp.send(pid, "info")
        assert 3 == await otp.call(pid, otp.Reply(3))
        await asleep(pid)
        assert ["cast", "info", "call"] == [kind for kind, _ in inside(pid).log]
        otp.send_after(pid, "later", 1)
        await trio.sleep(2)
        await asleep(pid)
        assert ("info", "later") == inside(pid).log[-1]


async def test_from_a_thread() -> None:
    """A call of a worker thread finds it as any other."""
    async with otp.open_process():
        pid = await a_sleeper()
        answer = await trio.to_thread.run_sync(
            lambda: trio.from_thread.run(otp.call, pid, otp.Reply("hello"))
        )
        assert "hello" == answer


class Given(Sleeper):
    """Its process alone holds the argument, until it falls asleep for the first time."""

    def __init__(self, argument: object, gate: trio.Event) -> None:
        super().__init__(otp.NoReply(continue_=gate.wait))


async def test_what_comes_while_it_falls_asleep_wakes_it() -> None:
    """The last thing its task does may drop an object whose end sends something."""

    class Argument:
        def __del__(self) -> None:
            assert otp.self() == pid
            otp.send(pid, "from the grave")

    gate = trio.Event()
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Given, Argument(), gate))
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
        await asleep(pid)
        assert ("info", "from the grave") == inside(pid).log[-1]


async def test_a_signal_that_comes_while_it_falls_asleep_ends_it() -> None:
    """So may one whose end kills the server."""

    class Argument:
        def __del__(self) -> None:
            assert otp.self() == pid
            otp.exit(pid, otp.KILL)

    gate = trio.Event()
    async with otp.open_process():
        pid = await otp.start(otp.child(Given, Argument(), gate))
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert process_of(pid) is None


async def test_a_call_that_is_cancelled_at_once_is_taken_back() -> None:
    """It wakes nobody for good."""
    async with otp.open_process():
        pid = await a_sleeper()
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.call(pid, "in vain")
        await asleep(pid)
        assert [] == inside(pid).log


async def test_a_time_out_of_zero() -> None:
    """The request is handled though nobody waits."""
    async with otp.open_process():
        pid = await a_sleeper()
        with pytest.raises(otp.CallTimeout):
            await otp.call(pid, otp.Reply(1), timeout=0)
        await asleep(pid)
        assert 1 == len(inside(pid).log)


async def test_a_call_that_was_deferred_is_answered_while_it_sleeps() -> None:
    """The open request is kept; the reply needs no server."""
    async with otp.open_process():
        pid = await a_sleeper()
        request = otp.send_request(pid, otp.NoReply())
        await asleep(pid)
        process = process_of(pid)
        (from_,) = process.requests
        assert otp.reply(from_, "at last")
        assert "at last" == await otp.receive_response(request)
        assert is_asleep(pid)


# -- what it keeps ---------------------------------------------------------------------------------


async def test_context_variables_and_their_tokens() -> None:
    """The very context is kept: a token of an earlier callback resets the variable."""

    class Painter(Sleeper):
        async def handle_call(self, request: Any, from_: Any) -> Any:
            match request:
                case "reset":
                    COLOUR.reset(self.token)
                case str():
                    self.token = COLOUR.set(request)
            return otp.Reply(COLOUR.get("none"))

    async with otp.open_process():
        pid = await asleep(await otp.start_link(Painter))
        for request, answer in [("red", "red"), (None, "red"), ("reset", "none"), (None, "none")]:
            assert answer == await otp.call(pid, request)
            await asleep(pid)
        assert "mine" == COLOUR.get("mine")


async def test_what_processes_keep() -> None:
    """Pid, name, label, links, monitors, dictionary, the tables of others that lead to it."""

    async def prepare(peer: otp.Pid[Any]) -> Any:
        otp.set_label("a label")
        otp.dictionary()["key"] = "value"
        otp.link(peer)
        otp.monitor(peer)
        return otp.Reply(otp.self())

    async with otp.open_process() as me:
        peer = await a_sleeper()
        pid = await otp.start_link(otp.child(Sleeper).having(name="sleeper"))
        ref = otp.monitor(pid)
        assert pid == await otp.call(pid, lambda: prepare(peer))
        await asleep(pid)
        for _ in range(2):
            info = otp.process_info("sleeper")
            assert (pid, "sleeper", "a label", "idle") == (
                info.pid,
                info.name,
                info.label,
                info.status,
            )
            assert ((me, peer), (peer,), (me,)) == (info.links, info.monitors, info.monitored_by)
            assert ("key",) == info.dictionary
            await otp.call(pid, otp.Reply(None))
            await asleep(pid)
        assert 2 == info.handled
        assert pid in otp.processes()
        assert "sleeper" in otp.tree()
        otp.demonitor(ref)
        assert () == otp.process_info("sleeper").monitored_by


async def test_the_dictionary_stays_the_same_object() -> None:
    """A server may hold it, also while it is empty."""

    def is_mine(held: dict[object, Any]) -> Any:
        return lambda: otp.Reply(otp.dictionary() is held)

    async with otp.open_process():
        pid = await a_sleeper()
        held = await otp.call(pid, lambda: otp.Reply(otp.dictionary()))
        await asleep(pid)
        assert await otp.call(pid, is_mine(held))


@pytest.mark.slow
async def test_it_costs_a_kilobyte_at_most_beside_its_state() -> None:
    """All that a name, a link, a monitor and a context variable of its own cost, at both ends.

    The least of three figures counts: what other threads, or a table of the interpreter that grows
    just then, allocate in between is seen too, and can only add.
    """
    count = 650  # most tables double their room beyond

    class Small(otp.GenServer):
        hibernate_after = 0

        def init(self) -> None:
            COLOUR.set(colours.pop())

        def handle_cast(self, message: Any) -> None:
            assert COLOUR.get().isdigit()

    async def start_all() -> None:
        while children:
            pid = await otp.start_link(children.pop())
            otp.monitor(pid)
            otp.cast(pid, "work")
        await trio.testing.wait_all_tasks_blocked()

    figures = []
    for _ in range(3):
        children = [otp.child(Small).having(name=f"small {number}") for number in range(count)]
        colours = [str(number) for number in range(count)]
        async with otp.open_process():
            await a_sleeper()
            with traced() as memory:
                await start_all()
                memory.weigh()
            size = sys.getsizeof(Small()) + sys.getsizeof({})
        figures.append(memory.bytes / count - size)
    assert min(figures) <= 1024, figures
