"""GenStatem as a process: time-outs on the clock, its ends, reports, drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of, runtime

import trio_otp as otp
from tests.support.statem_kit import Entered, Lamp, Light, Obedient, inside, keep, postpone, settled

if TYPE_CHECKING:
    from collections.abc import Callable

Clock = trio.testing.MockClock


# -- time-outs, on the clock -----------------------------------------------------------------------


def at(log: list[Any]) -> Callable[[Any], Any]:
    """Make a content that notes the time."""

    def note(kind: Any) -> None:
        log.append((kind, trio.current_time()))

    return note


async def test_the_three_kinds_of_time_outs(autojump_clock: Clock) -> None:
    """Each fires at its time; any event cancels one, a change of state another, nothing one."""
    log: list[Any] = []
    note = at(log)
    timeouts = [
        otp.EventTimeout(1, note),
        otp.StateTimeout(2, note),
        otp.GenericTimeout("n", 3, note),
    ]
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        start = trio.current_time()
        otp.cast(pid, keep(*timeouts))
        await trio.sleep(10)
        kinds = [otp.Event.EVENT_TIMEOUT, otp.Event.STATE_TIMEOUT, otp.TimeoutOf("n")]
        assert [(kind, start + n) for n, kind in enumerate(kinds, start=1)] == log
        for result, count in ((keep(), 2), (otp.NextState("b"), 1)):
            log.clear()
            otp.cast(pid, keep(*timeouts))
            otp.cast(pid, result)
            await trio.sleep(10)
            assert kinds[-count:] == [kind for kind, _ in log]


async def test_an_absolute_time_out(autojump_clock: Clock) -> None:
    """It fires at a time of the clock, at once if that is over."""
    log: list[Any] = []
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        await trio.sleep(100)
        for when in (103, 5):
            otp.cast(pid, keep(otp.StateTimeout(when, at(log), absolute=True)))
            await trio.sleep(10)
        assert [103, 110] == [time for _, time in log]


@pytest.mark.parametrize(
    "then",
    [keep(otp.StateTimeout.cancel()), otp.NextState("b"), keep(otp.StateTimeout(50, "late"))],
    ids=repr,
)
async def test_a_timer_that_ended_during_a_callback_does_not_deliver(
    then: Any, autojump_clock: Clock
) -> None:
    """Its end is in the mailbox when it is cancelled, left behind, or set anew (SM-15)."""
    log: list[Any] = []

    async def slow(_: object) -> Any:
        await trio.sleep(5)
        return then

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        otp.cast(pid, keep(otp.StateTimeout(1, at(log))))
        otp.cast(pid, slow)
        await trio.sleep(40)
        assert [] == log


async def test_a_time_out_that_ended_during_a_callback_comes_in_its_turn(
    autojump_clock: Clock,
) -> None:
    """Messages that came before its end are handled before it."""
    order: list[str] = []

    async def slow(_: object) -> Any:
        await trio.sleep(5)
        return keep()

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        otp.cast(pid, keep(otp.StateTimeout(1, lambda _: order.append("time-out"))))
        otp.cast(pid, slow)
        otp.cast(pid, lambda _: order.append("before"))
        await trio.sleep(2)
        otp.cast(pid, lambda _: order.append("after"))
        await trio.sleep(10)
        assert ["before", "time-out", "after"] == order


async def test_no_timer_outlives_its_machine(autojump_clock: Clock) -> None:
    """A timer is gone when it is cancelled, and all are at the end of the machine."""
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        otp.cast(pid, keep(otp.StateTimeout(1), otp.GenericTimeout("n", 2), otp.EventTimeout(3)))
        await settled()
        assert 3 == runtime().timers.pending()
        otp.cast(pid, keep())
        await settled()
        assert 2 == runtime().timers.pending()
        await otp.stop(pid)
        assert 0 == runtime().timers.pending()


async def test_looking_at_a_machine_does_not_touch_its_time_outs(autojump_clock: Clock) -> None:
    """An event time-out is cancelled by events only (SM-13)."""
    log: list[Any] = []
    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        otp.cast(pid, keep(otp.EventTimeout(2, at(log))))
        await trio.sleep(1)
        info = otp.process_info(pid)
        assert info is not None
        assert "idle" == info.status
        assert Obedient is info.behaviour
        await trio.sleep(2)
        assert 1 == len(log)


# -- fairness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        otp.NextEvent,
        lambda again: otp.StateTimeout(0, again),
        lambda again: otp.GenericTimeout("n", 0, again),
    ],
    ids=["inserted", "state", "generic"],
)
async def test_a_machine_that_never_rests_starves_nobody(action: Any) -> None:
    """Others run in between, and it can be killed."""

    def again(_: object) -> Any:
        return keep(action(again))

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Obedient)
        otp.cast(pid, again)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        process = process_of(pid)
        assert 20 < process.messages_handled
        otp.exit(pid, otp.KILL)
        assert otp.KILLED is (await otp.receive(otp.Exit)).reason


# -- ends ------------------------------------------------------------------------------------------


async def test_terminate_knows_reason_and_state() -> None:
    """It runs on Stop, on a crash and on `otp.stop`, once, in the last state."""
    error = ValueError("x")

    def crash(_: object) -> Any:
        raise error

    async with otp.open_process(trap_exit=True):
        for content, reason in ((otp.Stop("end"), "end"), (crash, error), (None, "asked")):
            pid, _ = await otp.start_monitor(Obedient)
            machine = inside(pid)
            otp.cast(pid, otp.NextState("b"))
            if content is None:
                await otp.stop(pid, "asked")
            else:
                otp.cast(pid, content)
            await otp.receive(otp.Down)
            assert [(reason, "b")] == machine.ended


async def test_terminate_runs_at_a_shutdown_and_not_at_a_kill() -> None:
    """A supervisor's shutdown and an outer cancellation let `terminate` run as in a server."""
    async with trio.open_nursery() as nursery:
        pid = await otp.start(Obedient, nursery=nursery)
        cancelled = inside(pid)
        nursery.cancel_scope.cancel()
    assert [(otp.SHUTDOWN, "a")] == cancelled.ended
    async with otp.open_process(trap_exit=True):
        async with otp.open_supervisor([otp.child(Obedient).having(name="m")]):
            stopped = inside(otp.whereis("m"))  # type: ignore[arg-type]
        assert [(otp.SHUTDOWN, "a")] == stopped.ended
        pid = await otp.start_link(Obedient)
        killed = inside(pid)
        otp.exit(pid, otp.KILL)
        await otp.receive(otp.Exit)
        assert [] == killed.ended


async def test_a_cancellation_in_the_middle_of_a_callback() -> None:
    """The callback is broken off, terminate runs in the state it was in, nothing is answered."""

    async def slow(_: object) -> Any:
        await trio.sleep_forever()

    failed: list[Any] = []

    async def ask() -> None:
        try:
            await otp.call(pid, slow)
        except otp.ServerExited as exc:
            failed.append(exc.reason)

    async with trio.open_nursery() as clients, trio.open_nursery() as nursery:
        pid = await otp.start(otp.child(Obedient, otp.NextState("b")), nursery=nursery)
        machine = inside(pid)
        clients.start_soon(ask)
        await settled()
        nursery.cancel_scope.cancel()
    assert [(otp.SHUTDOWN, "b")] == machine.ended
    assert [otp.SHUTDOWN] == failed


async def test_an_exiting_machine_answers_nobody() -> None:
    """An exit signal that came during a callback without a checkpoint counts before its result."""

    def exits(_: object) -> Any:
        process = process_of(pid)
        process.signal(None, "signal")
        return otp.NextState("b", otp.Reply("too late"))

    async with otp.open_process(trap_exit=True):
        pid = await otp.start(Obedient)
        machine = inside(pid)
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, exits)
        assert "signal" == caught.value.reason
        assert "a" == machine.state


async def test_exit_messages_of_a_machine_that_traps() -> None:
    """Its parent's is the order to end, any other is an event (SM-20)."""

    def trap() -> None:
        otp.trap_exit(True)

    async with otp.open_process(trap_exit=True) as me:
        pid = await otp.start_link(otp.child(Obedient, trap))
        machine = inside(pid)
        otp.exit(pid, "mine")  # sent by its parent
        assert "mine" == (await otp.receive(otp.Exit)).reason
        assert [("mine", "a")] == machine.ended
        pid = await otp.start_link(otp.child(Obedient, trap))
        stranger = otp.spawn(otp.exit, pid, "strange")
        await settled()
        assert [(otp.Event.INFO, "a")] == inside(pid).log
        assert me != stranger


async def test_what_is_postponed_at_the_end_is_counted_as_dropped() -> None:
    """Postponed messages that nobody handled are as those left in the mailbox (law 8)."""
    dropped: list[Any] = []
    async with otp.open_process():
        otp.events.attach("dropped", lambda ref, message, why: dropped.append((ref, message)))
        pid = await otp.start_link(Obedient)
        otp.cast(pid, postpone)
        otp.send(pid, postpone)
        await otp.stop(pid)
        assert [(pid, postpone)] * 2 == dropped


async def test_a_restart_begins_in_the_first_state() -> None:
    """A supervisor restarts a machine that crashes from its constructor and init."""
    async with otp.open_supervisor([otp.child(Lamp).having(name="lamp")]) as sup:
        otp.cast("lamp", "switch")
        assert (Light.ON, 1) == await otp.call("lamp", "?")
        otp.exit("lamp", ValueError("short circuit"))
        await settled()
        assert (Light.OFF, 0) == await otp.call("lamp", "?")
        [child] = await otp.which_children(sup)
        assert 1 == child.restarts


# -- reports ---------------------------------------------------------------------------------------


async def crash_of(child: Any, *casts: Any) -> Any:
    """Return the report of the crash that a machine comes to by some casts."""
    reports: list[Any] = []
    async with otp.open_process(trap_exit=True):
        otp.events.attach("crash", reports.append)
        pid = await otp.start_link(child)
        for content in casts:
            otp.cast(pid, content)
        await otp.receive(otp.Exit)
    [report] = reports
    return report


async def test_a_crash_report_shows_event_state_data_and_what_is_postponed() -> None:
    """The last event is shown as what it came by."""

    class Shown(Obedient):
        def format_status(self) -> object:
            return {"data": 1}

    report = await crash_of(Shown, keep(otp.Postpone()), otp.Stop("bad"))
    assert "bad" == report.reason
    assert report.last_message.startswith("cast Stop(reason='bad'")
    assert "'a' {'data': 1}, postponed [cast KeepState(Postpone(True))]" == report.state


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        (otp.NextEvent(7), "internal 7"),
        (otp.StateTimeout(0, 7), "state_timeout 7"),
        (otp.GenericTimeout("n", 0, 7), "timeout 'n' 7"),
    ],
)
async def test_a_crash_report_names_events_that_are_no_messages(action: Any, shown: str) -> None:
    """Inserted events and time-outs are shown by kind and content."""

    class Fragile(otp.GenStatem[str]):
        initial = "a"

        def init(self) -> Any:
            return otp.KeepState(action)

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            raise ValueError(content)

    report = await crash_of(Fragile)
    assert shown == report.last_message


async def test_hooks_see_every_event() -> None:
    """`handle_start` and `handle_stop` are called with the kind of the event."""
    kinds: list[str] = []
    async with otp.open_process():
        otp.events.attach("handle_stop", lambda pid, kind, content: kinds.append(kind))
        pid = await otp.start_link(Entered)
        otp.cast(pid, keep(otp.NextEvent("x"), otp.StateTimeout(0)))
        otp.send(pid, "y")
        await otp.call(pid, keep(otp.Reply(1)))
        assert ["enter", "cast", "internal", "state_timeout", "info", "call"] == kinds


# -- changing callbacks ----------------------------------------------------------------------------


class Guest(otp.GenStatem[str]):
    """Callbacks that another class can take on for a while."""

    state_enter = True

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        match kind, content:
            case otp.Event.ENTER, _:
                vars(self)["name"] += f", from {content}"
            case otp.From(), "who":
                return otp.KeepState(otp.Reply(("guest", state, vars(self)["name"])))
            case otp.Event.CAST, "back":
                return otp.NextState("home", otp.PopCallbacks())
        return None


class Host(otp.GenStatem[str]):
    """A machine with data of its own."""

    initial = "home"

    def __init__(self) -> None:
        self.name = "host"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        match kind, content:
            case otp.From(), "who":
                return otp.KeepState(otp.Reply((self.name, state)))
            case otp.Event.CAST, "push":
                return otp.NextState("away", otp.PushCallbacks(Guest))
            case otp.Event.CAST, "change":
                return otp.KeepState(otp.ChangeCallbacks(Guest))
        return None


async def test_callbacks_of_another_class() -> None:
    """The data and the state stay; Pop goes back to the class before Push (SM-22)."""
    async with otp.open_process():
        pid = await otp.start_link(Host)
        otp.cast(pid, "push")
        assert ("guest", "away", "host, from home") == await otp.call(pid, "who")
        info = otp.process_info(pid)
        assert info is not None
        assert Guest is info.behaviour
        otp.cast(pid, "back")
        assert ("host, from home", "home") == await otp.call(pid, "who")
        otp.cast(pid, "change")
        assert ("guest", "home", "host, from home") == await otp.call(pid, "who")


# -- drawings --------------------------------------------------------------------------------------


def test_a_drawing_of_state_functions() -> None:
    """States are drawn in the order they are declared in, with what leads from one to another."""
    assert [
        "stateDiagram-v2",
        "    OFF",
        "    ON",
        "    [*] --> OFF",
        "    OFF --> ON: switch",
        "    ON --> OFF",
    ] == Lamp.to_mermaid().splitlines()
    assert (
        'digraph "Lamp" {\n'
        "    node [shape=box, style=rounded];\n"
        '    s0 [label="OFF"];\n'
        '    s1 [label="ON"];\n'
        "    start [shape=point];\n"
        "    start -> s0;\n"
        '    s0 -> s1 [label="switch"];\n'
        "    s1 -> s0;\n"
        "}\n"
    ) == Lamp.to_dot()


class Odd(otp.GenStatem[Any]):
    """States and labels that need care, several targets, an end."""

    transitions = {  # noqa: RUF012
        "end": {'say "hi": #1; go': [("x", 1), "state"], "die": None},
        ("x", 1): ["end", None],
    }


def test_a_drawing_escapes_what_has_a_meaning_in_it() -> None:
    """Any state and any label can be drawn; None is the end of the machine."""
    assert [
        "stateDiagram-v2",
        '    state "end" as state_0',
        "    state \"('x', 1)\" as state_1",
        '    state "state" as state_2',
        "    state_0 --> state_1: say #quot;hi#quot;#58; #35;1#59; go",
        "    state_0 --> state_2: say #quot;hi#quot;#58; #35;1#59; go",
        "    state_0 --> [*]: die",
        "    state_1 --> state_0",
        "    state_1 --> [*]",
    ] == Odd.to_mermaid().splitlines()
    assert '    s0 -> s1 [label="say \\"hi\\": #1; go"];' in Odd.to_dot().splitlines()
    assert '    end [shape=doublecircle, label=""];' in Odd.to_dot().splitlines()


def test_a_function_declared_anew_has_the_transitions_of_the_new_one() -> None:
    """Without `to` a state of a subclass declares none."""

    class Wild(Lamp):
        @otp.on_state(Light.OFF)
        def off(self, kind: Any, content: object) -> Any:
            return None

    assert "OFF -->" not in Wild.to_mermaid()
    assert "ON --> OFF" in Wild.to_mermaid()


class Waits(otp.GenStatem[str]):
    """Postpones whatever comes."""

    initial = "waiting"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        return keep(otp.Postpone())

    def init(self) -> None:
        otp.monitor("nobody")


async def test_news_that_are_postponed_at_the_end_are_not_counted() -> None:
    """Nobody has sent them; what was sent is counted."""
    lost: list[Any] = []
    async with otp.open_process():
        otp.events.attach("dropped", lambda _, message, *__: lost.append(message))
        pid = await otp.start_link(Waits)
        otp.cast(pid, "later")
        await settled()
        await otp.stop(pid)
    assert ["later"] == lost


async def test_a_change_of_code_may_leave_the_state_as_it_is() -> None:
    """`code_change` that returns nothing says so."""
    async with otp.open_process():
        pid = await otp.start_link(Unchanged)
        await otp.sys.suspend(pid)
        await otp.sys.change_code(pid, None)
        await otp.sys.resume(pid)
        assert ("a", ["changed"]) == (inside(pid).state, inside(pid).log)


class Unchanged(Obedient):
    """Notes changes of code."""

    def code_change(self, old_version: Any, extra: Any) -> None:
        self.log.append("changed")


def test_transitions_that_a_class_writes_down_stay() -> None:
    """A state function without `to` takes away those of a base class, and none of its own."""

    class Base(otp.GenStatem[str]):
        initial = "a"

        @otp.on_state("a", to={"go": "b"})
        def at_a(self, kind: Any, content: Any) -> Any: ...

        @otp.on_state("b")
        def at_b(self, kind: Any, content: Any) -> Any: ...

    class Own(Base):
        transitions = {"a": {"leap": "b"}}  # noqa: RUF012

        @otp.on_state("a")
        def at_a_again(self, kind: Any, content: Any) -> Any: ...

    class Inherits(Base):
        @otp.on_state("a")
        def at_a_again(self, kind: Any, content: Any) -> Any: ...

    assert {"a": {"leap": "b"}} == dict(Own.transitions)
    assert {} == dict(Inherits.transitions)
