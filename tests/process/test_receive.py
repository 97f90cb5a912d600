"""Selective receive: what is taken out of a mailbox, what stays, and for how long one waits."""

from __future__ import annotations

import math
from typing import Any

import outcome
import pytest
import trio
import trio.testing
from inside import Mailbox, process_of

import trio_otp as otp


async def everything() -> list[Any]:
    """Take out what is in the mailbox of this process."""
    got: list[Any] = []
    while True:
        try:
            got.append(await otp.receive(timeout=0))
        except otp.ReceiveTimeout:
            return got


async def test_the_oldest_message_comes_first() -> None:
    """Without a match, messages come in the order of arrival."""
    async with otp.open_process() as me:
        for number in range(5):
            otp.send(me, number)
        assert list(range(5)) == await everything()


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        (str, "b"),
        ((str, float), 0.5),
        (lambda m: m == "b", "b"),
        (int, 1),
        (None, 1),
        (bool, True),
    ],
)
async def test_a_match_takes_the_oldest_that_fits_and_leaves_the_rest(
    match: Any, taken: object
) -> None:
    """A type, a tuple of types or a function picks a message; the others keep their order."""
    messages = [1, 0.5, b"z", "b", "a", True]
    async with otp.open_process() as me:
        for message in messages:
            otp.send(me, message)
        got = await otp.receive(match)
        assert taken == got
        assert type(taken) is type(got)
        del messages[[type(m) for m in messages].index(type(taken))]
        assert messages == await everything()


async def test_messages_that_were_passed_over_are_looked_at_again() -> None:
    """A later receive finds what an earlier one saved, before what came later (PR-17)."""
    async with otp.open_process() as me:
        for message in ["x", 1, "y", 2]:
            otp.send(me, message)
        assert [1, 2] == [await otp.receive(int), await otp.receive(int)]
        otp.send(me, "z")
        assert ["x", "y", "z"] == [await otp.receive(str) for _ in range(3)]


async def test_a_receive_waits_for_what_matches(autojump_clock: Any) -> None:
    """What does not match wakes nobody for good; what arrives while waiting is saved."""
    async with otp.open_process() as me:
        otp.send_after(me, "noise", 1)
        otp.send_after(me, 7, 2)
        assert 7 == await otp.receive(int)
        assert 2 == trio.current_time()
        assert ["noise"] == await everything()


async def test_a_timeout_raises_and_is_too_slow(autojump_clock: Any) -> None:
    """When nothing comes in time it is ReceiveTimeout, which is a TooSlowError; nothing is lost."""
    async with otp.open_process() as me:
        otp.send(me, "kept")
        with pytest.raises(trio.TooSlowError) as caught:
            await otp.receive(int, timeout=3)
        assert isinstance(caught.value, otp.ReceiveTimeout)
        assert "3 s" in str(caught.value)
        assert caught.value.__context__ is None  # a traceback shows this error alone
        assert 3 == trio.current_time()
        assert ["kept"] == await everything()


async def test_noise_does_not_prolong_the_wait(autojump_clock: Any) -> None:
    """The time-out counts from the call, whatever arrives in between."""
    async with otp.open_process() as me:
        for second in range(1, 10):
            otp.send_after(me, "noise", second)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(int, timeout=4.5)
        assert 4.5 == trio.current_time()


async def test_timeout_zero_looks_at_what_has_arrived() -> None:
    """timeout=0 takes what is there, and does not wait."""
    async with otp.open_process() as me:
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
        otp.send(me, 1)
        assert 1 == await otp.receive(timeout=0)


@pytest.mark.parametrize("timeout", [-1, math.nan, True, "1"])
async def test_a_wrong_timeout_is_refused(timeout: Any) -> None:
    """A time-out is a number of seconds from 0 up, or None."""
    async with otp.open_process():
        with pytest.raises(ValueError, match=r"timeout=.*expected"):
            await otp.receive(timeout=timeout)


async def test_timeout_inf_is_for_ever(autojump_clock: Any) -> None:
    """timeout=math.inf waits as None does."""
    async with otp.open_process() as me:
        otp.send_after(me, "late", 10_000)
        assert "late" == await otp.receive(timeout=math.inf)


async def test_a_match_that_raises_loses_nothing() -> None:
    """An error of the match function is the caller's, and every message stays."""

    def broken(message: object) -> bool:
        if message == 2:
            raise LookupError(message)
        return False

    async with otp.open_process() as me:
        for number in (1, 2, 3):
            otp.send(me, number)
        with pytest.raises(LookupError):
            await otp.receive(broken)
        assert [1, 2, 3] == await everything()


async def test_a_match_that_raises_while_waiting_loses_nothing() -> None:
    """The same when the message arrives later."""

    def broken(message: object) -> bool:
        raise LookupError(message)

    async with otp.open_process() as me:
        otp.send_after(me, "late", 0)
        with pytest.raises(LookupError):
            await otp.receive(broken)
        assert ["late"] == await everything()


@pytest.mark.parametrize("early", [True, False])
async def test_a_match_may_take_messages_itself(early: bool, autojump_clock: Any) -> None:
    """What it takes is gone, and the message that it was asked about is the one that is taken."""
    async with otp.open_process() as me:
        watches = [otp.monitor("nobody") for _ in range(3)]

        def flushes(message: object) -> bool:
            for watch in watches:
                otp.demonitor(watch, flush=True)
            return message in ("wanted", 2)

        def send() -> None:
            for message in (1, "wanted", 2, 3):
                otp.send(me, message)

        if early:
            send()
        else:
            otp.apply_after(1, call, send)
        assert "wanted" == await otp.receive(flushes, timeout=5)
        assert 2 == await otp.receive(flushes, timeout=5)
        assert [1, 3] == await everything()


async def call(function: Any) -> None:
    function()


async def test_a_match_may_take_the_very_message(autojump_clock: Any) -> None:
    """Then it is not found; those after it are looked at all the same."""
    async with otp.open_process() as me:
        watch = otp.monitor("nobody")
        for message in ("first", "second"):
            otp.send(me, message)

        def takes(message: object) -> bool:
            if isinstance(message, otp.Down):
                otp.demonitor(watch, flush=True)
                return True
            return message == "first"

        assert "first" == await otp.receive(takes, timeout=0)
        assert ["second"] == await everything()


async def test_receive_needs_a_process() -> None:
    """In plain Trio code receive raises NotAProcess with the line to write."""
    with pytest.raises(otp.NotAProcess, match=r"async with otp\.open_process"):
        await otp.receive()


async def test_a_cancelled_receive_loses_nothing() -> None:
    """A receive that is cancelled, before it begins or while it waits, takes no message."""
    async with otp.open_process() as me:
        otp.send(me, "kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await otp.receive()
        assert scope.cancelled_caught
        with trio.move_on_after(0):
            await otp.receive(int)
        assert ["kept"] == await everything()


async def test_a_message_wins_over_a_cancellation_of_the_same_moment() -> None:
    """Once a message has been handed over, a cancellation comes too late to lose it."""
    async with otp.open_process() as me:
        scope = trio.CancelScope()

        async def both() -> None:
            await trio.testing.wait_all_tasks_blocked()
            otp.send(me, "first")
            scope.cancel()

        trio.lowlevel.spawn_system_task(both)
        with scope:
            assert "first" == await otp.receive()
        assert not scope.cancelled_caught


async def test_a_call_to_a_plain_process_is_a_message_it_can_answer() -> None:
    """A plain process receives a call as a From, and answers it by otp.reply."""

    async def echo() -> None:
        request = await otp.receive(otp.From)
        otp.reply(request, request.message.upper())

    async with otp.open_process():
        assert "HELLO" == await otp.call(otp.spawn(echo), "hello")


async def test_a_server_receives_plain_messages_only() -> None:
    """In a callback receive sees no calls, casts or stops, which wait for the loop."""

    class Busy(otp.GenServer):
        def __init__(self) -> None:
            self.casts: list[str] = []

        async def handle_call(self, request: Any, from_: Any) -> Any:
            match request:
                case "wait":
                    return otp.Reply(await otp.receive())
                case _:
                    return otp.Reply(self.casts)

        def handle_cast(self, message: Any) -> Any:
            self.casts.append(message)

    async with trio.open_nursery() as nursery:
        server = await otp.start(Busy, nursery=nursery)
        got: list[Any] = []

        async def ask(request: str) -> None:
            got.append(await otp.call(server, request))

        nursery.start_soon(ask, "wait")
        await trio.testing.wait_all_tasks_blocked()
        otp.cast(server, "cast")
        nursery.start_soon(ask, "casts")
        await trio.testing.wait_all_tasks_blocked()
        assert [] == got
        otp.send(server, "plain")
        await otp.stop(server)
    assert 2 == len(got)
    assert "plain" in got
    assert ["cast"] in got


async def test_what_a_handler_passed_over_is_handled_next_in_order(autojump_clock: Any) -> None:
    """Casts that a receive in a callback passed over are handled after it, before later ones."""

    class Looks(otp.GenServer):
        def __init__(self) -> None:
            self.got: list[Any] = []

        async def handle_cast(self, message: Any) -> None:
            self.got.append(message)
            if message == "look":
                self.got.append(await otp.receive(int, timeout=0))

    async with otp.open_process():
        server = await otp.start(Looks)
        for number in range(4):
            otp.cast(server, "look")
            otp.cast(server, f"cast {number}")
            otp.send(server, number)
        await trio.testing.wait_all_tasks_blocked()
        process = process_of(server)
        looks = [["look", number, f"cast {number}"] for number in range(4)]
        assert [entry for look in looks for entry in look] == process.instance.got


async def test_fault_50_an_empty_wake_neither_spins_nor_kills() -> None:
    """A wake that brings no message for the waiter lets it wait on, without a turn of its own."""
    async with otp.open_process() as me:
        looked: list[object] = []

        def never(message: object) -> bool:
            looked.append(message)
            return message == "stop"

        async def noise() -> None:
            for number in range(3):
                await trio.testing.wait_all_tasks_blocked()
                otp.send(me, number)
            await trio.testing.wait_all_tasks_blocked()
            otp.demonitor(otp_monitor, flush=True)
            await trio.testing.wait_all_tasks_blocked()
            otp.send(me, "stop")

        otp_monitor = otp.monitor("nobody")
        trio.lowlevel.spawn_system_task(noise)
        await otp.receive(never)
        downs = [m for m in looked if isinstance(m, otp.Down)]
        assert 1 == len(downs)
        assert [0, 1, 2, "stop"] == [m for m in looked if not isinstance(m, otp.Down)]


async def test_a_flush_by_somebody_else_takes_nothing_from_a_receiver() -> None:
    """A Down flushed while its receiver is at a checkpoint costs no other message."""
    box = Mailbox()
    for message in ("flushed", "kept"):
        box.put(message)
    with pytest.raises(trio.WouldBlock):
        box.take_match("absent".__eq__)  # both are in the save queue now
    taking = box.receive()
    taking.send(None)  # up to its checkpoint
    box.take_match("flushed".__eq__)
    with pytest.raises(StopIteration) as got:
        taking.send(outcome.Value(None))
    assert "kept" == got.value.value
