"""The path of an event, written out for speed: what it promises all the same."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import outcome
import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp
from tests.support.statem_kit import Entered, Light, Obedient, inside, keep, settled

if TYPE_CHECKING:
    from collections.abc import Callable


class Thing:
    """What somebody may hold too long."""


async def test_a_machine_that_waits_holds_nothing_of_its_last_event() -> None:
    """Message, result and answer are let go, lest each of many idle machines keeps a large one."""
    things: list[weakref.ref[Thing]] = []

    def thing() -> Thing:
        made = Thing()
        things.append(weakref.ref(made))
        return made

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        await otp.call(pid, lambda _: keep(otp.Reply(thing())))
        otp.send(pid, thing())
        otp.cast(pid, thing())
        await settled()
        assert [None] * 3 == [held() for held in things]


@pytest.mark.parametrize("answer", [otp.Reply, otp.ReplyTo])
async def test_an_answer_may_be_an_outcome(answer: Any) -> None:
    """An Error raises in the caller, a Value is what it carries."""

    def answering(value: Any) -> Callable[[Any], Any]:
        return lambda kind: keep(
            otp.Reply(value) if answer is otp.Reply else otp.ReplyTo(kind, value)
        )

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        with pytest.raises(KeyError):
            await otp.call(pid, answering(outcome.Error(KeyError("x"))))
        assert 1 == await otp.call(pid, answering(outcome.Value(1)))


async def test_a_second_answer_is_counted_as_dropped() -> None:
    """As by `otp.reply`."""
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        assert 1 == await otp.call(pid, keep(otp.Reply(1), otp.Reply(2)))
        await settled()
        assert 1 == runtime().dropped


async def test_an_answer_to_a_caller_of_another_run_is_dropped() -> None:
    """Its task belongs to another thread, which this machine cannot wake."""
    counts: list[int] = []

    def other_run(from_: otp.From[Any]) -> None:
        async def main() -> None:
            async with otp.open_process():
                pid = await otp.start_link(Obedient)
                otp.cast(pid, keep(otp.ReplyTo(from_, "from the wrong run")))
                await settled()
                counts.append(runtime().dropped)

        trio.run(main)

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start_link(Obedient)
        answers: list[Any] = []
        calls: list[Any] = []

        async def ask() -> None:
            answers.append(await otp.call(pid, lambda kind: calls.append(kind) or keep()))

        nursery.start_soon(ask)
        await settled()
        thread = threading.Thread(target=other_run, args=calls)
        thread.start()
        await trio.to_thread.run_sync(thread.join)
        assert not calls[0]._done
        otp.cast(pid, keep(otp.ReplyTo(calls[0], "from this one")))
    assert [1] == counts
    assert ["from this one"] == answers


async def test_a_signal_goes_before_a_message_that_is_handed_over() -> None:
    """A machine that is to exit before its task runs handles nothing of what came with it."""
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Obedient)
        machine = inside(pid)
        await settled()
        otp.cast(pid, "too late")
        otp.exit(pid, "signal")
        assert "signal" == (await otp.receive(otp.Exit)).reason
        assert [] == machine.log


class Turns(trio.abc.Instrument):
    """Counts what a process handles in each step of its task."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.counts: list[int] = []

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.process.task:
            self.counts.append(-self.process.messages_handled)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.process.task:
            self.counts[-1] += self.process.messages_handled


async def turns_of(pid: otp.Pid[Any]) -> list[int]:
    """Return how many messages a process handles in each step, until none is left."""
    turns = Turns(process_of(pid))
    trio.lowlevel.add_instrument(turns)
    await settled()
    trio.lowlevel.remove_instrument(turns)
    return [count for count in turns.counts if count]


async def test_a_flood_lets_others_run(mock_clock: trio.testing.MockClock) -> None:
    """A machine takes up to 64 queued messages in a step, of whatever kind."""
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        for number in range(200):
            (otp.cast if number % 2 else otp.send)(pid, None)
        assert [64, 64, 64, 8] == await turns_of(pid)


async def test_slow_events_let_others_run(mock_clock: trio.testing.MockClock) -> None:
    """After a millisecond of events one more is handled, and then there is a checkpoint."""
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        for _ in range(5):
            otp.cast(pid, lambda _: mock_clock.jump(0.0006))
        assert [3, 2] == await turns_of(pid)


async def test_enter_calls_are_no_messages() -> None:
    """They are not counted as handled."""
    async with otp.open_process():
        pid = await otp.start_link(Entered)
        await otp.call(pid, otp.NextState("b", otp.Reply(1)))
        await settled()
        assert 3 == len(inside(pid).log)
        assert 1 == process_of(pid).messages_handled


async def test_both_hooks_get_kind_and_content() -> None:
    """`handle_start` comes before the callback, `handle_stop` after it."""
    seen: list[Any] = []

    def note(what: str) -> Callable[..., None]:
        return lambda *told: seen.append((what, *told[1:2]))

    async with otp.open_process():
        otp.events.attach("handle_start", note("start"))
        otp.events.attach("handle_stop", note("stop"))
        pid = await otp.start_link(Obedient)
        otp.cast(pid, note("callback"))
        otp.send(pid, note("callback"))
        await settled()
    told = [[("start", kind), ("callback",), ("stop", kind)] for kind in ("cast", "info")]
    assert told[0] + told[1] == seen


class Named(otp.GenStatem[str]):
    """States that are strings and members of an enum."""

    initial = "off"

    @otp.on_state("off", Light.OFF)
    def off(self, kind: Any, content: Any) -> Any:
        return otp.NextState(content, otp.Reply("was off"))

    @otp.on_state("on", Light.ON)
    def on(self, kind: Any, content: Any) -> Any:
        return otp.NextState(content, otp.Reply("was on"))


def anew(text: str) -> str:
    """Return an equal string that is another object."""
    made = f"{text} "[:-1]
    assert made is not text
    return made


async def test_states_are_found_by_value() -> None:
    """A string that is made anew is the state that it is equal to."""
    async with otp.open_process():
        pid = await otp.start_link(Named)
        states = [anew("on"), Light.OFF, Light.ON, anew("off"), "on"]
        answers = [await otp.call(pid, state) for state in states]
    assert ["was off", "was on", "was off", "was on", "was off"] == answers


async def test_a_time_out_in_hand_is_shown_as_the_event_it_is(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A crash report names the kind and the content of the time-out, not the end of a timer."""

    def crash(_: object) -> Any:
        raise ValueError

    reports: list[Any] = []
    async with otp.open_process(trap_exit=True):
        otp.events.attach("crash", reports.append)
        pid = await otp.start_link(Obedient)
        otp.cast(pid, keep(otp.StateTimeout(1, crash)))
        await otp.receive(otp.Exit)
    assert pid is not None
    assert reports[0].last_message.startswith("state_timeout ")
