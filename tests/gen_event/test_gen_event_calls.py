"""Calls to one handler of an event manager, and handlers that leave or fail."""

from __future__ import annotations

import logging
from typing import Any

import outcome
import pytest
import trio
import trio.testing
from gen_event_kit import MANAGER, Note, Words, boom, ge, without_init

import trio_otp as otp

# -- calls -----------------------------------------------------------------------------------------


async def test_calls_reach_one_handler() -> None:
    """A call is answered by the handler it names, by a value or an error of the caller's (GE-8)."""

    def refuse() -> Any:
        return otp.Reply(outcome.Error(KeyError("k")))

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a"), id="a")
        await ge.add_handler("events", Note("b"), id="b")
        assert ("a", "x") == await ge.call("events", (Note, "a"), "x")
        with pytest.raises(KeyError):
            await ge.call("events", (Note, "b"), refuse)
        with pytest.raises(otp.NoHandler, match="add_handler"):
            await ge.call("events", Note, "x")
        assert 2 == len(await ge.which_handlers("events"))


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (boom, ValueError),
        (lambda: None, otp.BadReturn),
        (lambda: "bare", otp.BadReturn),
        (otp.NoReply, otp.BadReturn),
        (lambda: otp.Reply(1, timeout=1), otp.BadReturn),
        (otp.RemoveHandler, otp.BadReturn),
    ],
)
async def test_a_handler_that_cannot_answer_is_removed(request_: Any, kind: type[Any]) -> None:
    """Its caller gets HandlerCrashed with the reason; the manager lives (GE-8)."""
    note = Note()
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", note)
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.call("events", Note, request_)
        assert isinstance(caught.value.reason, kind)
        assert caught.value.reason is caught.value.__cause__
        assert [("note", "terminate", caught.value.reason)] == without_init(note.log)
        assert [] == await ge.which_handlers("events")


async def test_a_call_has_a_time_limit(autojump_clock: Any) -> None:
    """After 5 s, or the seconds given, the caller gets CallTimeout; the handler stays."""

    class Slow(otp.GenEvent):
        async def handle_call(self, request: float) -> otp.Reply[str]:
            await trio.sleep(request)
            return otp.Reply("late")

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Slow())
        with pytest.raises(otp.CallTimeout):
            await ge.call("events", Slow, 6)
        assert 5 == trio.current_time()
        assert "late" == await ge.call("events", Slow, 6, timeout=None)


async def test_a_handler_that_calls_its_own_manager() -> None:
    """It would wait for itself: CallingSelf, which takes the handler out (law 2)."""

    class Asks(otp.GenEvent):
        async def handle_call(self, request: Any) -> Any:
            return otp.Reply(await ge.which_handlers("events"))

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Asks())
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.call("events", Asks, "x")
        assert isinstance(caught.value.reason, otp.CallingSelf)


async def test_a_typed_client_of_a_handler() -> None:
    """The on_call methods of the class are calls to the handler, checked in the caller."""
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Words(), id=1)
        words = Words.at("events", id=1)
        ge.notify("events", "tea")
        assert "tea" == await words.last()
        with pytest.raises(IndexError):
            await words.last(2)
        with pytest.raises(TypeError, match="number"):
            await words.last(number=2)  # type: ignore[call-arg]
        with pytest.raises(otp.NoHandler):
            await Words.at("events").last()
        with pytest.raises(AttributeError, match="no 'forget'; it has last, leave"):
            words.forget()
        assert "left" == await words.leave()
        assert [] == await ge.which_handlers("events")
        with pytest.raises(otp.WrongServer) as caught:
            await Words.last("events")
        assert ["A handler is asked through its client: Words.at('events').last(...)"] == (
            caught.value.__notes__
        )
        with pytest.raises(TypeError, match="not a reference"):
            Words.at(5)  # type: ignore[arg-type]


# -- handlers that leave ---------------------------------------------------------------------------


class Ledger(otp.GenEvent):
    """Has a typed call that does what it is told."""

    @otp.on_call
    def ask(self, function: Any) -> Any:
        return function()

    @otp.on_call(raises=(ZeroDivisionError,))
    async def ask_raising(self, function: Any) -> Any:
        return function()


def leave_by_exit() -> None:
    """End as a process would."""
    otp.exit("shut")


@pytest.mark.parametrize("method", ["ask", "ask_raising"])
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (boom, ValueError),
        (leave_by_exit, str),
        (lambda: otp.Stop("why"), otp.BadReturn),
        (otp.NoReply, otp.BadReturn),
        (otp.RemoveHandler, otp.BadReturn),
        (lambda: otp.SwapHandler("none", reply=1), otp.BadReturn),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
async def test_a_typed_call_that_fails_is_no_answer(method: str, function: Any, kind: Any) -> None:
    """What goes wrong in an `on_call` method is an error of the caller and the end of the handler.

    It is reported once, as that of `handle_call` is (GE-3, GE-8).
    """
    crashes: list[otp.events.CrashReport] = []
    otp.events.attach("crash", crashes.append)
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Ledger())
        with pytest.raises(otp.HandlerCrashed) as caught:
            await getattr(Ledger.at("events"), method)(function)
        assert isinstance(caught.value.reason, kind)
        assert caught.value.__context__ is None
        assert [] == await ge.which_handlers("events")
    assert [caught.value.reason] == [crash.reason for crash in crashes]


async def test_what_looks_like_a_failure_is_an_answer() -> None:
    """A handler may answer with, and leave behind, any object: also an error, as a value."""
    left: list[object] = []

    class Error(Note):
        def terminate(self, reason: object) -> Any:
            return otp.HandlerCrashed(Note, "as a value")

    class Next(otp.GenEvent):
        def init_swapped(self, result: object) -> None:
            left.append(result)

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Ledger())
        error = ValueError("as a value")
        assert error is await Ledger.at("events").ask(lambda: error)
        await ge.add_handler("events", Error())
        assert isinstance(await ge.delete_handler("events", Error), otp.HandlerCrashed)
        await ge.add_handler("events", Error())
        await ge.swap_handler("events", Error, Next())
        assert isinstance(left[0], otp.HandlerCrashed)
        assert "as a value" == left[0].reason


async def test_a_handler_may_leave_by_itself() -> None:
    """RemoveHandler takes it out; terminate gets NORMAL (GE-4)."""
    note, other = Note("leaves"), Note("stays")
    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", note, id=1)
        await ge.add_handler("events", other, id=2)
        assert "bye" == await ge.call("events", (Note, 1), lambda: otp.RemoveHandler(reply="bye"))
        assert [("leaves", "terminate", otp.NORMAL)] == without_init(note.log)
        assert [(Note, 2)] == await ge.which_handlers("events")
        await ge.sync_notify("events", otp.RemoveHandler)
        assert [] == await ge.which_handlers("events")


@pytest.mark.parametrize("event", [boom, lambda: "nonsense", lambda: otp.exit("custom")])
async def test_a_crash_takes_out_one_handler(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    """terminate gets the reason, a report is logged, and all others get the event (GE-3)."""
    log: list[Any] = []

    class Deaf(Note):
        def handle_event(self, event: Any) -> None:
            self.log.append((self.name, "heard"))

    async with otp.open_supervisor([MANAGER]):
        for handler in (Deaf("old", log), Note("bad", log), Deaf("new", log)):
            await ge.add_handler("events", handler, id=handler.name)
        await ge.sync_notify("events", event)
        assert [(Deaf, "new"), (Deaf, "old")] == await ge.which_handlers("events")
        new, _, (_, _, reason), old = without_init(log)
        assert [("new", "heard"), ("old", "heard")] == [new, old]
    [record] = caplog.records
    assert ("trio_otp.crash", logging.ERROR) == (record.name, record.levelno)
    assert record.getMessage().startswith("handler (Note, 'bad') of <Pid ")
    assert "Last message: cast" not in record.getMessage()
    assert "State: {'name': 'bad'" in record.getMessage()
    assert reason == record.otp_report.reason  # type: ignore[attr-defined]


async def test_a_handler_without_handle_event_is_removed() -> None:
    """It could only miss events: NoCallback takes it out."""

    class Empty(otp.GenEvent):
        pass

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Empty())
        await ge.sync_notify("events", "event")
        assert [] == await ge.which_handlers("events")


async def test_a_handler_without_handle_call_leaves_when_it_is_called() -> None:
    """The caller gets NoCallback as the reason, and the manager goes on without the handler."""

    class Silent(otp.GenEvent):
        pass

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Silent())
        with pytest.raises(otp.HandlerCrashed) as caught:
            await ge.call("events", Silent, "hello")
        assert isinstance(caught.value.reason, otp.NoCallback)
        assert [] == await ge.which_handlers("events")
