"""Probes: processes in the hand of a test, in the place of servers and clients."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of
from testing_kit import COUNTER, Counter, forever

import trio_otp as otp
from trio_otp.testing import (
    UnknownServer,
    UsedAfterTest,
    assert_call_fails,
    assert_down,
    called,
    like,
    open_system,
)


async def failure(assertion: Any) -> str:
    """Return what an assertion says."""
    with pytest.raises(AssertionError) as caught:
        await assertion
    return str(caught.value)


async def test_a_probe_receives(probe: Any) -> None:
    """Messages and what is cast, in any order; the others stay."""
    otp.send(probe, "info")
    otp.cast(probe, ("cast", 1))
    assert ("cast", 1) == await probe.receive(("cast", int))
    assert "info" == await probe.receive()
    await probe.refute()
    assert (("info", ("cast", 1)), ()) == (probe.received, probe.unread)


async def test_a_probe_waits(probe: Any, virtual_time: Any) -> None:
    """For what comes later, and not longer than it is told."""
    otp.send_after(probe.pid, "late", 5)
    assert "late" == await probe.receive(str, within=5.5)
    assert "no message matching int within 2 s\nmailbox of <Pid 2 probe>: empty" == (
        await failure(probe.receive(int, within=2))
    )
    assert 7 == trio.current_time()
    otp.send_after(probe.pid, "later", 0.05)
    assert (
        "'later' came, which matches str\nmailbox of <Pid 2 probe>, oldest first:\n  'later'"
    ) == await failure(probe.refute(str))


async def test_a_probe_is_called(probe: Any) -> None:
    """The test answers a call itself, when it likes."""
    answers: list[Any] = []

    async def call() -> None:
        answers.append(await otp.call(probe, ("add", 1)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        from_ = await probe.receive_call(("add", int))
        assert (("add", 1), []) == (from_.message, answers)
        assert otp.reply(from_, 2)
    assert [2] == answers
    assert "no call matching 'x' within 0 s\nmailbox of <Pid 2 probe>: empty" == (
        await failure(probe.receive_call("x", within=0))
    )


async def test_a_call_is_no_message(probe: Any) -> None:
    """It is taken by receive_call alone; a failure shows it as a call."""
    otp.send_request(probe, "question")
    text = await failure(probe.receive(within=0))
    assert (
        "no message matching object within 0 s\n"
        "mailbox of <Pid 2 probe>, oldest first:\n"
        "  call 'question'"
    ) == text
    assert (
        "call 'question' came, which matches object"
        == (await failure(probe.refute())).partition("\n")[0]
    )


async def test_answers_by_rule(probe: Any, autojump_clock: Any) -> None:
    """The newest rule that fits answers, with a value or by a function; its error is the answer."""
    early = otp.send_request(probe, 7)
    probe.auto_reply(int, lambda number: 1 // (number - 1))
    probe.auto_reply(3, "three")
    assert (0, "three", 1) == (
        await otp.receive_response(early),
        await otp.call(probe, 3),
        await otp.call(probe, 2),
    )
    with pytest.raises(ZeroDivisionError):
        await otp.call(probe, 1)
    with pytest.raises(otp.CallTimeout):
        await otp.call(probe, "other", timeout=0.01)
    assert (7, 3, 2, 1, "other") == probe.received


async def test_a_probe_in_the_place_of_a_server(otp_system: Any, autojump_clock: Any) -> None:
    """A typed client takes it for its server; a function answers with the arguments of the call."""
    counter = otp_system.probe(name="counter", serves=Counter)
    counter.auto_reply(Counter.count, len)
    counter.auto_reply(called(Counter.count, "tea"), 30)
    client = Counter.at("counter")
    client.add("tea", times=2)
    assert (30, 6) == (await client.count("tea"), await client.count("coffee"))
    await counter.receive(called(Counter.add, "tea", times=2))
    with pytest.raises(otp.WrongServer, match=r"otp\.sys was called on 'counter', which is a pr"):
        await otp.sys.get_state("counter")
    with pytest.raises(otp.AlreadyRegistered):
        otp_system.probe(name="counter")
    await otp.stop("counter")
    again = otp_system.probe(name="counter", serves=Counter)
    otp.exit(again, otp.KILL)
    await assert_down(again, otp.KILLED, within=0.01)


async def test_what_is_passed_on(probe: Any, otp_system: Any, start_supervised: Any) -> None:
    """Answers go to the first caller; the probe has seen it all."""
    await start_supervised(COUNTER)
    spy = otp_system.probe(serves=Counter)
    spy.forward_to("counter")
    spy.forward_to(probe, like(tuple))
    Counter.add(spy, "tea")
    otp.send(spy, ("note", 1))
    assert 1 == await Counter.count(spy, "tea")
    assert ("note", 1) == await probe.receive(tuple)
    assert ["add('tea')", "('note', 1)", "count('tea')"] == [repr(each) for each in spy.received]
    assert 2 == len(spy.unread)


async def test_what_is_passed_on_to_nobody(probe: Any) -> None:
    """A call fails as if it had been made there, a message is dropped and counted."""
    probe.forward_to("nobody")
    with pytest.raises(otp.NoProcess, match="no process behind 'nobody'"):
        await otp.call(probe, 1)
    otp.send(probe, "x")
    otp.cast(probe, "y")
    assert "x" == await probe.receive("x")


async def test_a_probe_watches(probe: Any, start_supervised: Any) -> None:
    """It hears of an end; to watch who is not there is a mistake."""
    pid = await start_supervised(COUNTER.having(restart="temporary"))
    ref = probe.watch("counter")
    otp.exit(pid, "tired")
    assert otp.Down(ref, "counter", "tired") == await probe.receive(otp.Down)
    with pytest.raises(UnknownServer, match=r"probe\.watch: no process behind 'counter'; names in"):
        probe.watch("counter")


async def test_a_probe_traps_exits(probe: Any) -> None:
    """The end of who is linked to it is a message; a kill ends it, and it says so."""
    pid = otp.spawn(forever)
    process_of(probe).add_link(process_of(pid))
    otp.exit(pid, "tired")
    assert otp.Exit(pid, "tired") == await probe.receive(otp.Exit)
    otp.exit(probe.pid, otp.KILL)
    assert (
        "no message matching str within 1 s and it has ended"
        == (await failure(probe.receive(str))).partition("\n")[0]
    )


async def test_a_probe_in_the_place_of_a_server_is_killed(otp_system: Any) -> None:
    """While it waits, with a call in hand: it ends, and its caller learns of it."""
    server = otp_system.probe(name="counter", serves=Counter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(assert_call_fails, Counter.count("counter", "tea"), otp.KILLED)
        await server.receive_call(Counter.count)
        otp.exit(server, otp.KILL)
        await assert_down(server, otp.KILLED)


async def test_a_probe_after_the_end() -> None:
    """Whatever is done with it names the test that it belongs to."""
    async with open_system("test_shop") as system:
        probe = system.probe()
        start, stop = system.start_supervised, system.stop_supervised
    text = r"a probe was used after the end of test_shop, to which it belongs"
    for use in (probe.receive, probe.receive_call, probe.refute):
        with pytest.raises(UsedAfterTest, match=text):
            await use()
    for late in (
        lambda: probe.auto_reply(1, 1),
        lambda: probe.forward_to("x"),
        lambda: probe.watch("x"),
    ):
        with pytest.raises(UsedAfterTest, match=text):
            late()
    with pytest.raises(UsedAfterTest, match="start_supervised was used after the end of test_shop"):
        await start(Counter)
    with pytest.raises(UsedAfterTest, match="stop_supervised was used after the end"):
        await stop("counter")
    with pytest.raises(UsedAfterTest, match=r"otp_system\.probe was used after the end"):
        system.probe()
    with pytest.raises(UsedAfterTest, match="otp_log was used"), system.log.expect_crash():
        pass


async def test_bad_arguments(otp_system: Any, probe: Any) -> None:
    """Each is refused with what is accepted."""
    with pytest.raises(TypeError, match="serves=3: expected a server class"):
        otp_system.probe(serves=3)
    with pytest.raises(TypeError, match="name=3: expected a str"):
        otp_system.probe(name=3)
    with pytest.raises(TypeError, match="3 is not a reference to a process"):
        probe.forward_to(3)
    with pytest.raises(ValueError, match="within=-1: expected"):
        await probe.receive(within=-1)


async def test_a_rule_answers_what_waits_already(probe: Any) -> None:
    """Calls that came before it and match; the others still wait for the test."""
    answers: list[Any] = []

    async def call(request: Any) -> None:
        answers.append(await otp.call(probe, request))

    async with trio.open_nursery() as nursery:
        for request in (1, "x"):
            nursery.start_soon(call, request)
        await trio.testing.wait_all_tasks_blocked()
        probe.auto_reply(int, "number")
        await trio.testing.wait_all_tasks_blocked()
        assert ["number"] == answers
        otp.reply(await probe.receive_call("x"), "word")
    assert ["number", "word"] == answers


async def test_a_probe_that_is_stopped_takes_what_came_before(probe: Any) -> None:
    """Not requests of `otp.sys`, which are refused."""
    with pytest.raises(otp.WrongServer):
        await otp.sys.get_state(probe)
    otp.send(probe, "last")
    await otp.stop(probe)
    assert "last" in probe.received
