"""What a test runs: started, stopped in reverse, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from testing_kit import COUNTER, Counter, Noted, forever

import trio_otp as otp
from trio_otp.testing import (
    InjectedCrash,
    UnknownServer,
    assert_call_fails,
    assert_down,
    assert_receive,
    assert_restarted,
    assert_tree,
    crash_next_call,
    open_system,
    pause,
    virtual_clock,
)

# -- start and stop ------------------------------------------------------------------------------


async def test_children_are_stopped_in_reverse() -> None:
    """Also those that were started by a link, and with them their names are free."""
    notes: list[Any] = []
    async with open_system() as system:
        for name in ("a", "b"):
            await system.start_supervised(otp.child(Noted, notes, name).having(id=name, name=name))
        await otp.start_link(otp.child(Noted, notes, "linked"))
        assert ["a", "b"] == otp.registered()
    assert [(name, otp.SHUTDOWN) for name in ("linked", "b", "a")] == notes
    assert [] == otp.registered()


async def test_stop_supervised(start_supervised: Any, stop_supervised: Any) -> None:
    """By name, id or pid; what is stopped is forgotten and can be started anew."""
    notes: list[Any] = []
    child = otp.child(Noted, notes, "a")
    await start_supervised(child.having(name="name"))
    await stop_supervised("name")
    await start_supervised(child.having(id=7))
    await stop_supervised(7)
    await start_supervised(child.having(id="once", restart="temporary"))
    await stop_supervised("once")
    pid = await start_supervised(child)
    await stop_supervised(pid)
    assert 4 == len(notes)
    assert not otp.is_alive(pid)


async def test_what_was_not_started_cannot_be_stopped(
    start_supervised: Any, stop_supervised: Any
) -> None:
    """The error lists what there is."""
    with pytest.raises(UnknownServer, match="stop_supervised: no child 'x'; started are: nothing"):
        await stop_supervised("x")
    await start_supervised(COUNTER)
    await start_supervised(otp.child(forever))
    text = "no child 'contour'; started are: 'counter', 'forever'"
    with pytest.raises(UnknownServer, match=text):
        await stop_supervised("contour")
    assert otp.is_alive("counter")


async def test_a_start_that_fails_is_the_error_of_the_start(start_supervised: Any) -> None:
    """It is told to who starts, and is no crash that the test would have to declare."""

    class Fails(otp.GenServer):
        def init(self) -> None:
            raise ValueError("no")

    with pytest.raises(otp.StartError, match="Fails did not start: ValueError"):
        await start_supervised(Fails)
    with pytest.raises(otp.SpecError):
        await start_supervised(7)
    await start_supervised(COUNTER)
    with pytest.raises(otp.AlreadyStarted):
        await start_supervised(otp.child(forever).having(name="counter"))


async def test_the_test_is_a_process(otp_system: Any) -> None:
    """It has a pid and a mailbox, may monitor and link, and traps exits."""
    assert otp.self() is otp_system.pid
    pid = otp.spawn_link(forever)
    ref = otp.monitor(pid)
    otp.exit(pid, "tired")
    assert otp.Exit(pid, "tired") == await otp.receive(otp.Exit)
    assert otp.Down(ref, pid, "tired") == await assert_receive(otp.Down)
    with pytest.raises(otp.CallingSelf):
        await otp.call(otp.self(), 1)


@pytest.fixture
async def counter(start_supervised: Any) -> Any:
    await start_supervised(COUNTER)
    return Counter.at("counter")


async def test_fixtures_of_a_user_build_on_those_of_the_kit(counter: Any) -> None:
    """What they start belongs to the test."""
    counter.add("tea")
    assert 1 == await counter.count("tea")


# -- what is known of crashes --------------------------------------------------------------------


async def test_expected_crashes(start_supervised: Any, otp_log: Any) -> None:
    """By reason, process or number; the block gives the reports."""
    pid = await start_supervised(COUNTER)
    with otp_log.expect_crash() as crashes, pytest.raises(otp.ServerExited):
        await Counter.count("counter", "tea")
    assert [(pid, KeyError)] == [(crash.pid, type(crash.reason)) for crash in crashes]
    for times in (1, 2, 3):
        pid = await assert_restarted("counter", times)
        of = ["counter", Counter, pid][times - 1]
        with otp_log.expect_crash(KeyError("x"), of=of, times=1), pytest.raises(otp.ServerExited):
            await Counter.count("counter", "x")
    assert (4, ()) == (len(otp_log.crashes), otp_log.unexpected)
    await assert_restarted("counter", 4)
    assert ["child_terminated"] * 4 == [each.context for each in otp_log.supervisor_reports]
    assert () == otp_log.notices


async def test_crashes_that_do_not_come_as_expected(start_supervised: Any, otp_log: Any) -> None:
    """The failure says what was expected, and what there was."""
    await start_supervised(COUNTER)
    with pytest.raises(AssertionError) as caught, otp_log.expect_crash(ValueError, of="counter"):
        pass
    assert (
        "expected a crash of 'counter' with ValueError; there was none\n"
        "there was no crash while the block ran"
    ) == str(caught.value)
    with pytest.raises(AssertionError) as caught, otp_log.expect_crash(KeyError, times=2):
        await assert_call_fails(Counter.count("counter", "tea"))
    assert (
        "expected 2 crashes with KeyError; there were 1\n"
        "crashes:\n"
        "  <Pid 3 Counter 'counter'>: KeyError('tea'), message in hand: call count('tea')"
    ) == str(caught.value)
    with pytest.raises(ValueError, match="times=-1: expected"), otp_log.expect_crash(times=-1):
        pass
    with pytest.raises(TypeError, match="3 is not a reference"), otp_log.expect_crash(of=3):
        pass


async def test_a_start_that_fails_is_no_crash_and_the_failure_says_so(
    start_supervised: Any, otp_log: Any, virtual_time: Any
) -> None:
    """It is logged as an error, too, so it is easily taken for one."""
    worker = otp.child(otp.Agent, [].pop)
    await start_supervised(otp.child(otp.Pool, worker, size=1).having(name="db"))

    async def use() -> None:
        async with otp.pool("db", otp.Agent).checkout(timeout=2.0):
            raise AssertionError("there is no worker")

    with pytest.raises(AssertionError) as caught, otp_log.expect_crash(IndexError):
        await assert_call_fails(use(), otp.CheckoutTimeout)
    text = str(caught.value)
    assert "a start that fails is no crash and need not be expected; 3 failed" in text
    assert text.endswith("the last was 'Agent': IndexError('pop from empty list')")


async def test_an_error_in_the_block_comes_first(otp_log: Any) -> None:
    """What a test raises is not hidden by the crash that then did not come."""
    with pytest.raises(ZeroDivisionError), otp_log.expect_crash():
        raise ZeroDivisionError


# -- faults --------------------------------------------------------------------------------------


async def test_the_next_call_crashes(start_supervised: Any, otp_log: Any) -> None:
    """Casts before it are handled; after the restart all is well."""
    await start_supervised(COUNTER)
    crash_next_call("counter")
    Counter.add("counter", "tea")
    error = await assert_call_fails(Counter.count("counter", "tea"), InjectedCrash)
    assert "call count('tea')" == otp_log.crashes[0].last_message
    assert "{'tea': 1}" in str(otp_log.crashes[0].state)
    await assert_restarted("counter")
    crash_next_call("counter", ValueError("mine"))
    with pytest.raises(otp.ServerExited, match="ValueError"):
        await Counter.count("counter", "tea")
    assert isinstance(error, otp.ServerExited)


async def test_other_servers_crash_as_well(start_supervised: Any) -> None:
    """An Agent, and a process that has written its loop itself."""

    async def loop() -> None:
        process = otp.SpecialProcess(None)
        while True:
            await process.receive()

    await start_supervised(otp.child(otp.Agent, dict).having(name="agent"))
    crash_next_call("agent")
    await assert_call_fails(otp.Agent.get("agent", len), InjectedCrash)
    pid = await start_supervised(otp.child(loop))
    crash_next_call(pid)
    await assert_call_fails(otp.call(pid, 1), InjectedCrash)


async def test_processes_that_cannot_crash(start_supervised: Any, probe: Any) -> None:
    """A mistake of the test is an error at once."""
    with pytest.raises(UnknownServer, match="crash_next_call: no process behind 'x'; names in use"):
        crash_next_call("x")
    with pytest.raises(otp.WrongServer, match="which is a plain process"):
        crash_next_call(probe)
    await start_supervised(otp.child(otp.Supervisor, []).having(name="sup"))
    with pytest.raises(otp.WrongServer, match="was called on 'sup', which is a Supervisor"):
        crash_next_call("sup")
    await start_supervised(COUNTER)
    with pytest.raises(TypeError, match="error=3: expected an exception"):
        crash_next_call("counter", 3)  # type: ignore[arg-type]


async def test_a_pause(start_supervised: Any, autojump_clock: Any) -> None:
    """What is sent meanwhile is handled afterwards, in its order."""
    await start_supervised(COUNTER)
    async with pause("counter") as pid:
        Counter.add("counter", "tea")
        await assert_call_fails(otp.call(pid, 1, timeout=0.01), otp.CallTimeout)
        assert "suspended" == otp.process_info(pid).status
    assert 1 == await Counter.count("counter", "tea")
    async with pause("counter"):
        otp.exit(otp.whereis("counter"), otp.KILL)
    with pytest.raises(UnknownServer, match="pause: no process behind 'x'"):
        async with pause("x"):
            pass


# -- time ----------------------------------------------------------------------------------------


async def test_time_passes_at_once(otp_system: Any, virtual_time: Any) -> None:
    """All that is due happens, each at its time, the last moment included; then time stands."""
    seen: list[float] = []

    class Ticks(otp.GenServer):
        def init(self) -> None:
            otp.send_interval(otp.self(), "tick", 1)

        def handle_info(self, message: Any) -> None:
            seen.append(trio.current_time())

    await otp_system.start_supervised(Ticks)
    await virtual_time.advance(3)
    assert [1, 2, 3] == seen
    await virtual_time.settle()
    await virtual_time.advance(0)
    assert 3 == trio.current_time()
    virtual_time.jump(2)
    await virtual_time.settle()
    assert [1, 2, 3, 5, 5] == seen


async def test_settling_is_waiting_for_what_can_happen(otp_system: Any, virtual_time: Any) -> None:
    """A chain of messages is over afterwards, a sleep is not."""
    seen: list[int] = []

    async def chain(number: int) -> None:
        seen.append(number)
        await trio.sleep(number // 50)
        if number < 60:
            otp.spawn_link(chain, number + 1)

    otp.spawn_link(chain, 0)
    await virtual_time.settle()
    assert (list(range(51)), 0) == (seen, trio.current_time())
    await virtual_time.advance(20)
    assert 61 == len(seen)


async def test_time_that_is_not_accepted(virtual_time: Any) -> None:
    """Time does not run backwards, and there is one clock in a run."""
    for seconds in (-1, float("inf"), "1", None):
        with pytest.raises(ValueError, match=r"seconds=.*: expected a finite number of seconds"):
            await virtual_time.advance(seconds)
    with pytest.raises(RuntimeError, match="virtual_time is not the clock of this run: let the"):
        await virtual_clock().settle()


async def test_a_system_inside_of_another_one(start_supervised: Any, otp_system: Any) -> None:
    """The outer one goes on as before, and knows of the crashes that the inner one knows of."""
    early = await start_supervised(otp.child(Counter).having(id="early", restart="temporary"))
    otp.exit(early, otp.KILL)
    await assert_down(early)
    first = await start_supervised(COUNTER)
    async with open_system("inner") as system:
        with pytest.raises(TypeError, match="nothing has been started with start_supervised"):
            assert_tree([])
        await system.start_supervised(otp.child(Counter).having(name="inner"))
        assert_tree(["inner"])
        await assert_down(early, otp.KILLED)
        await assert_call_fails(Counter.count("inner", "tea"), KeyError)
        with system.log.expect_crash(KeyError), pytest.raises(otp.ServerExited):
            await Counter.count("inner", "coffee")
    assert_tree(["counter"])
    await assert_call_fails(Counter.count("counter", "tea"), KeyError)
    await assert_down(first, KeyError)
    assert (3, ()) == (len(otp_system.log.crashes), otp_system.log.unexpected)


async def test_a_crash_of_somebody_else_is_not_the_expected_one(
    otp_system: Any, otp_log: Any
) -> None:
    """It is left for another block to expect."""

    async def crash() -> None:
        raise ValueError("other")

    await otp_system.start_supervised(COUNTER)
    with otp_log.expect_crash(ValueError), otp_log.expect_crash(of="counter") as found:
        otp.spawn(crash)
        await assert_call_fails(Counter.at("counter").count("x"))
    assert [KeyError] == [type(each.reason) for each in found]
