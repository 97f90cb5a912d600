"""The assertions of the testing kit, and what they say when they fail."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from testing_kit import COUNTER, Counter, forever

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
    like,
    refute_receive,
)
from trio_otp.testing.own_frames import hide_own_frames


async def failure(assertion: Any) -> str:
    """Return what an assertion says."""
    with pytest.raises(AssertionError) as caught:
        await assertion
    return str(caught.value)


# -- messages ------------------------------------------------------------------------------------


async def test_a_message_that_matches_is_taken_and_others_stay(otp_system: Any) -> None:
    """The oldest that matches comes out, in the mailbox nothing else changes."""
    for message in ("a", 1, "b", 2):
        otp.send(otp_system, message)
    assert 1 == await assert_receive(int)
    assert "b" == await assert_receive(lambda text: text > "a")
    assert ["a", 2] == [await assert_receive(object), await assert_receive(object)]
    await refute_receive()


async def test_a_message_that_comes_later(otp_system: Any, virtual_time: Any) -> None:
    """Within the time it is waited for, and not a moment longer."""
    otp.send_after(otp_system, "late", 10)
    assert "late" == await assert_receive(str, within=11)
    assert 10 == trio.current_time()
    await refute_receive(within=30)
    assert 40 == trio.current_time()


async def test_a_message_that_does_not_come(otp_system: Any, virtual_time: Any) -> None:
    """The failure lists what is there instead."""
    assert (
        "no message matching like(Down, reason=NORMAL) within 1 s\n"
        "mailbox of <Pid 1 test_a_message_that_does_not_come>: empty"
    ) == await failure(assert_receive(like(otp.Down, reason=otp.NORMAL)))
    for number in range(22):
        otp.send(otp_system, ("order", number))
    lines = (await failure(assert_receive(str, within=0))).splitlines()
    assert "no message matching str within 0 s" == lines[0]
    assert "mailbox of <Pid 1 test_a_message_that_does_not_come>, oldest first:" == lines[1]
    assert ("  ('order', 0)", "  ('order', 19)", "  and 2 more") == (lines[2], lines[21], lines[22])


async def test_a_message_that_must_not_come(otp_system: Any, virtual_time: Any) -> None:
    """The failure names it and the pattern, and leaves it in the mailbox, where it was."""
    otp.send(otp_system, "other")
    otp.send_after(otp_system, 5, 0.05)
    assert (
        "5 came, which matches int\n"
        "mailbox of <Pid 1 test_a_message_that_must_not_come>, oldest first:\n"
        "  'other'\n"
        "  5"
    ) == await failure(refute_receive(int))
    otp.send(otp_system, "other")
    otp.send(otp_system, 6)
    assert (
        "5 came, which matches int\n"
        "mailbox of <Pid 1 test_a_message_that_must_not_come>, oldest first:\n"
        "  'other'\n"
        "  5\n"
        "  'other'\n"
        "  6"
    ) == await failure(refute_receive(int, within=0))
    assert 5 == await assert_receive(int, within=0)


async def test_assertions_about_messages_need_a_mailbox() -> None:
    """In plain Trio code they say what to do; in a block of open_process they work."""
    with pytest.raises(otp.NotAProcess, match="let the test take the fixture otp_system, or write"):
        await assert_receive(str)
    async with otp.open_process() as me:
        otp.send(me, "x")
        assert "x" == await assert_receive(str)
    with pytest.raises(ValueError, match="within=-1: expected a number of seconds >= 0"):
        await refute_receive(within=-1)


# -- ends ----------------------------------------------------------------------------------------


async def test_an_end_is_seen_also_afterwards(start_supervised: Any) -> None:
    """By pid, by name and by monitor, before and after it; the reason is the value."""
    child = COUNTER.having(restart="temporary")
    for late in (False, True):
        pid = await start_supervised(child)
        ref = otp.monitor(pid)
        crash_next_call("counter")
        if late:
            await assert_call_fails(Counter.count("counter", "x"))
            assert isinstance(await assert_down(pid), InjectedCrash)
        else:
            with pytest.raises(otp.ServerExited):
                await Counter.count("counter", "x")
            await assert_down(pid, InjectedCrash)
        assert isinstance(await assert_down(ref, InjectedCrash("crash_next_call")), InjectedCrash)
        await refute_receive(otp.Down)


async def test_an_end_for_another_reason(start_supervised: Any) -> None:
    """The failure names both reasons."""
    pid = await start_supervised(COUNTER.having(restart="temporary"))
    otp.exit(pid, "tired")
    assert "<Pid 3 Counter 'counter'> ended with 'tired', not NORMAL" == await failure(
        assert_down("counter", otp.NORMAL)
    )
    assert "<Pid 3 Counter 'counter'> ended with 'tired', not ValueError" == await failure(
        assert_down(pid, ValueError)
    )


async def test_no_end(start_supervised: Any, virtual_time: Any) -> None:
    """The failure shows the tree."""
    await start_supervised(COUNTER)
    tree = (
        "processes:\n"
        "  outside of supervisors:\n"
        "  <Pid 1 test_no_end> process, running\n"
        "  └─ <Pid 2 Supervisor> supervisor one_for_one, idle\n"
        "     └─ <Pid 3 Counter 'counter'> worker, idle"
    )
    alive = "<Pid 3 Counter 'counter'> is alive after 2 s; expected to end with NORMAL"
    assert f"{alive}\n{tree}" == await failure(assert_down("counter", otp.NORMAL, within=2))
    ref = otp.monitor("counter")
    assert f"'counter' is alive after 1 s\n{tree}" == await failure(assert_down(ref))


async def test_an_unknown_process_cannot_end(start_supervised: Any) -> None:
    """A name that nobody has is a mistake of the test, and the error lists the names."""
    await start_supervised(COUNTER)
    text = "assert_down: no process behind 'contour'; names in use: 'counter'"
    with pytest.raises(UnknownServer, match=text):
        await assert_down("contour")
    with pytest.raises(TypeError, match="7 is not a reference to a process"):
        await assert_down(7)  # type: ignore[arg-type]


async def test_a_process_that_died_without_the_kit_is_unknown() -> None:
    """Without a fixture nobody has noted why a process ended."""
    async with otp.open_process():
        pid = otp.spawn(trio.lowlevel.checkpoint)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(UnknownServer):
            await assert_down(pid)


# -- restarts ------------------------------------------------------------------------------------


async def test_restarts_are_counted(start_supervised: Any, otp_log: Any) -> None:
    """Each is waited for; the crashes behind them are then no surprise."""
    first = await start_supervised(COUNTER)
    assert first == await assert_restarted("counter", 0)
    for times in (1, 2):
        with pytest.raises(otp.ServerExited):
            await Counter.count("counter", "unknown")
        pid = await assert_restarted("counter", times)
        assert otp.whereis("counter") is pid is not first
    assert (2, ()) == (len(otp_log.crashes), otp_log.unexpected)


async def test_no_restart_and_one_too_many(start_supervised: Any, virtual_time: Any) -> None:
    """The failure says how often it was, and shows the tree."""
    await start_supervised(COUNTER)
    first, *tree = (await failure(assert_restarted("counter"))).splitlines()
    assert "'counter' was restarted 0 times within 1 s, not 1 time" == first
    assert "     └─ <Pid 3 Counter 'counter'> worker, idle" in tree
    for _ in range(2):
        otp.exit(otp.whereis("counter"), otp.KILL)
        await virtual_time.settle()
    first, *tree = (await failure(assert_restarted("counter"))).splitlines()
    assert "'counter' was restarted 2 times within 1 s, not 1 time" == first
    assert "     └─ <Pid 5 Counter 'counter'> worker, idle, 2 restarts" in tree


async def test_a_child_that_stays_down(start_supervised: Any, virtual_time: Any) -> None:
    """Nobody has its name any more; who never had one is told the same."""
    pid = await start_supervised(COUNTER.having(restart="temporary"))
    otp.exit(pid, otp.KILL)
    assert (
        "nobody has the name 'counter' after 3 s; expected 1 time"
        == (await failure(assert_restarted("counter", within=3))).partition("\n")[0]
    )
    with pytest.raises(TypeError, match="expected a name; a pid is one incarnation only"):
        await assert_restarted(pid)
    with pytest.raises(ValueError, match="times=-1: expected a whole number >= 0"):
        await assert_restarted("counter", -1)


# -- calls ---------------------------------------------------------------------------------------


async def test_calls_that_fail(start_supervised: Any, otp_log: Any) -> None:
    """By the reason of the server, or by the error itself."""
    await start_supervised(COUNTER)
    error = await assert_call_fails(Counter.count("counter", "tea"), KeyError("tea"))
    assert isinstance(error, otp.ServerExited)
    await assert_call_fails(otp.call("nobody", 1), otp.NoProcess)
    await assert_call_fails(otp.call("nobody", 1), otp.NOPROC)
    assert () == otp_log.unexpected


async def test_calls_that_do_not_fail_as_expected(start_supervised: Any) -> None:
    """The failure says what came instead."""
    await start_supervised(COUNTER)
    assert "the call returned 7; expected to fail: KeyError" == await failure(
        assert_call_fails(otp.call("counter", 7), KeyError)
    )
    assert (
        "the call failed with NoProcess(\"no process behind 'x' (message 1)\"), not KeyError"
        == (await failure(assert_call_fails(otp.call("x", 1), KeyError)))
    )
    with pytest.raises(TypeError, match="call=7: expected a call without its await, for example"):
        await assert_call_fails(await otp.call("counter", 7))


# -- trees ---------------------------------------------------------------------------------------


async def start_shop(start_supervised: Any) -> None:
    await start_supervised(COUNTER)
    await start_supervised(otp.child(otp.DynamicSupervisor).having(name="pool"))
    await otp.start_child("pool", Counter)
    await start_supervised(otp.child(forever).having(id=("odd", 1)))


async def test_trees(start_supervised: Any) -> None:
    """Children are named by name, id, class, label or pid, supervisors also with theirs."""
    await start_shop(start_supervised)
    assert_tree(["counter", {"pool": [Counter]}, ("odd", 1)])
    assert_tree([Counter, otp.DynamicSupervisor, "forever"])
    assert_tree([otp.whereis("counter"), {otp.DynamicSupervisor: ["Counter"]}, "forever"])
    assert_tree([Counter], of="pool")


async def test_trees_that_differ(otp_system: Any, start_supervised: Any) -> None:
    """The failure names each difference and shows what is there."""
    await start_shop(start_supervised)
    await otp.terminate_child(otp_system.supervisor, "counter")
    with pytest.raises(AssertionError) as caught:
        assert_tree(["counter", {"pool": ["other", Counter]}, {("odd", 1): []}, "more"])
    assert (
        "the tree is another one:\n"
        "  child 1: 'counter' is down, expected 'counter'\n"
        "  child 2.1: there is <Pid 5 Counter>, expected 'other'\n"
        "  child 2.2: there is none, expected Counter\n"
        "  child 3: there is ('odd', 1) <Pid 6 forever>, expected a supervisor\n"
        "  child 4: there is none, expected 'more'\n"
        "it is:\n"
        "<Pid 2 Supervisor> supervisor one_for_one, idle\n"
        "├─ 'counter' worker, undefined\n"
        "├─ <Pid 4 DynamicSupervisor 'pool'> supervisor dynamic, idle\n"
        "│  └─ <Pid 5 Counter> worker, idle\n"
        "└─ ('odd', 1) <Pid 6 forever> worker, running"
    ) == str(caught.value)
    with pytest.raises(AssertionError, match="child 1: there is <Pid 5 Counter>, expected none"):
        assert_tree([], of="pool")


async def test_trees_that_are_none(otp_system: Any) -> None:
    """What is asked in a wrong way is refused."""
    with pytest.raises(TypeError, match="nothing has been started with start_supervised; name one"):
        assert_tree([])
    with pytest.raises(UnknownServer, match="assert_tree: no process behind 'pool'"):
        assert_tree([], of="pool")
    with pytest.raises(TypeError, match="expected a supervisor, got <Pid 1 test_trees_th"):
        assert_tree([], of=otp_system)
    await otp_system.start_supervised(COUNTER)
    with pytest.raises(TypeError, match="children='counter': expected a list such as"):
        assert_tree("counter")
    with pytest.raises(TypeError, match="expected one child with its children"):
        assert_tree([{"a": [], "b": []}])


def test_the_first_frame_of_an_error_stays() -> None:
    """Also if it is one of the library: an error without a traceback would say nothing."""
    error = error_of(otp.self)
    first = error.__traceback__
    hide_own_frames(error)
    assert first is not None
    assert first is error.__traceback__
    assert first.tb_next is None


def error_of(function: Any) -> BaseException:
    """Return what a function of the library raises, as if it had been called by nobody."""
    with pytest.raises(otp.OtpError) as caught:
        function()
    return caught.value.with_traceback(caught.tb.tb_next)
