"""The engine of GenStatem as a pure function of events and results: no process, no clock."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from inside import Answer, Arm, Become, Disarm, Engine, Fail, Halt, Happening

import trio_otp as otp
from tests.support.statem_model import RESULTS, Model

CAST, INFO, INTERNAL = otp.Event.CAST, otp.Event.INFO, otp.Event.INTERNAL
STATE, EVENT = otp.Event.STATE_TIMEOUT, otp.Event.EVENT_TIMEOUT
NAMED = otp.TimeoutOf("n")


class Plain:
    """A class of callbacks without enter calls."""

    state_enter = False


class Entering:
    """A class of callbacks with enter calls."""

    state_enter = True


def machine(*actions: Any, callbacks: Any = Plain, state: Any = "a") -> Engine:
    """Return an engine that has begun."""
    engine = Engine(state, callbacks)
    engine.begin(*actions)
    return engine


def feed(engine: Engine, content: Any, result: Any, kind: Any = CAST) -> list[Any]:
    """Let an idle machine receive an event and answer it; give the effects but for the event."""
    engine.receive(kind, content)
    assert Happening(kind, content) == engine.next_event()
    return without_what_is_over(engine.done(result))


def without_what_is_over(effects: list[Any]) -> list[Any]:
    return [effect for effect in effects if not isinstance(effect, Happening)]


def rest(engine: Engine, limit: int = 20) -> list[Any]:
    """Handle what waits, with nothing but KeepState; give the contents."""
    contents: list[Any] = []
    while (happening := engine.next_event()) is not None:
        contents.append(happening.content)
        engine.done(otp.KeepState())
        assert len(contents) < limit
    return contents


# -- changes of state ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "changes"),
    [("a", False), ("b", True), (1, True), (True, True), (1.0, True), (("a",), True)],
)
def test_a_state_has_changed_if_it_differs_by_type_or_value(state: Any, changes: bool) -> None:
    """NextState to the same state is no change: nothing that was postponed comes back (SM-3)."""
    engine = machine()
    feed(engine, "kept", otp.KeepState(otp.Postpone()))
    feed(engine, "go", otp.NextState(state))

    assert (["kept"] if changes else []) == rest(engine)
    assert state == engine.state


def test_numbers_of_another_type_are_another_state() -> None:
    """1, True and 1.0 are equal in Python but not one state."""
    for old, new in product((1, True, 1.0), repeat=2):
        engine = machine(state=old)
        feed(engine, "kept", otp.KeepState(otp.Postpone()))
        feed(engine, "go", otp.NextState(new))

        assert (["kept"] if type(old) is not type(new) else []) == rest(engine)


def test_order_after_a_change_of_state() -> None:
    """First the enter call, then inserted, then postponed events, then zero time-outs (SM-5,12)."""
    engine = machine(callbacks=Entering)
    assert otp.Event.ENTER is next_kind(engine)
    engine.done(None)
    for number in (1, 2):
        feed(engine, f"postponed {number}", otp.KeepState(otp.Postpone()))
    inserted = [otp.NextEvent(f"inserted {number}") for number in (1, 2)]
    feed(engine, "go", otp.NextState("b", *inserted, otp.StateTimeout(0, "zero")))
    engine.receive(CAST, "newer")

    assert Happening(otp.Event.ENTER, "a") == engine.next_event()
    engine.done(None)
    found = rest(engine)
    assert ["inserted 1", "inserted 2", "postponed 1", "postponed 2"] == found[:4]
    assert "zero" == found[-1]


def next_kind(engine: Engine) -> Any:
    happening = engine.next_event()
    return None if happening is None else happening.kind


def test_an_inserted_event_goes_before_those_inserted_earlier() -> None:
    """NextEvent of a later callback is handled before what is left of an earlier one's (SM-6)."""
    engine = machine(otp.NextEvent(1), otp.NextEvent(4))
    engine.next_event()
    engine.done(otp.KeepState(otp.NextEvent(2), otp.NextEvent(3)))

    assert [2, 3, 4] == rest(engine)


def test_an_event_may_be_postponed_again_and_again() -> None:
    """What is postponed in every state stays in its order (SM-8)."""
    engine = machine()
    for content in ("x", "y"):
        feed(engine, content, otp.KeepState(otp.Postpone()))
    for state in ("b", "c", "d"):
        feed(engine, state, otp.NextState(state))
        for content in ("x", "y"):
            assert Happening(CAST, content) == engine.next_event()
            engine.done(otp.KeepState(otp.Postpone()))

    assert [Happening(CAST, "x"), Happening(CAST, "y")] == engine.postponed


def test_the_event_that_changes_the_state_may_be_postponed() -> None:
    """It is handled again at once, in the new state, after older ones."""
    engine = machine()
    feed(engine, "older", otp.KeepState(otp.Postpone()))
    feed(engine, "go", otp.NextState("b", otp.Postpone()))

    assert ["older", "go"] == rest(engine)


def test_a_postpone_can_be_taken_back() -> None:
    """Of several Postpone the last one counts."""
    engine = machine()
    feed(engine, "x", otp.KeepState(otp.Postpone(), otp.Postpone(False)))
    feed(engine, "y", otp.KeepState(otp.Postpone(False), otp.Postpone()))

    assert [Happening(CAST, "y")] == engine.postponed


def test_postpone_in_init_means_nothing() -> None:
    """There is no event in hand (SM-8)."""
    engine = machine(otp.Postpone())

    assert [] == engine.postponed
    assert None is engine.next_event()


def test_an_event_is_over_once() -> None:
    """It is among the effects when it is over, not when it is postponed."""
    engine = machine()
    engine.receive(CAST, "x")
    happening = engine.next_event()
    assert [] == engine.done(otp.KeepState(otp.Postpone()))
    feed(engine, "go", otp.NextState("b"))
    assert happening == engine.next_event()
    assert [Happening(CAST, "x")] == engine.done(None)


# -- enter calls -----------------------------------------------------------------------------------


def test_the_first_enter_call_comes_from_the_state_itself() -> None:
    """At the start the state before is the state (SM-2)."""
    assert Happening(otp.Event.ENTER, "a") == machine(callbacks=Entering).next_event()


def test_without_enter_calls_there_are_none() -> None:
    """A class that does not ask for them gets none, also for RepeatState."""
    engine = machine()
    feed(engine, "x", otp.RepeatState())
    feed(engine, "y", otp.NextState("b"))

    assert None is engine.next_event()


def entered() -> Engine:
    """Return a machine with enter calls that has entered its first state."""
    engine = machine(callbacks=Entering)
    engine.next_event()
    engine.done(None)
    return engine


def test_repeat_state_enters_again_and_is_no_change() -> None:
    """It runs the enter call; postponed events and the state time-out stay (SM-4)."""
    engine = entered()
    feed(engine, "kept", otp.KeepState(otp.Postpone(), otp.StateTimeout(5)))
    assert [] == feed(engine, "again", otp.RepeatState())
    assert Happening(otp.Event.ENTER, "a") == engine.next_event()
    assert [Happening(CAST, "again")] == engine.done(None)

    assert None is engine.next_event()
    assert [STATE] == list(engine.timeouts)


def test_an_enter_call_can_repeat_itself() -> None:
    """RepeatState from an enter call runs it once more, with the same state before."""
    engine = entered()
    feed(engine, "go", otp.NextState("b"))
    for _ in range(3):
        assert Happening(otp.Event.ENTER, "a") == engine.next_event()
        engine.done(otp.RepeatState())
    engine.next_event()
    engine.done(otp.NextState("b"))

    assert None is engine.next_event()


def test_an_enter_call_sets_time_outs_over_those_of_its_event() -> None:
    """The time-outs of both are one list: the last one of a kind counts."""
    engine = entered()
    assert [] == feed(engine, "go", otp.NextState("b", otp.StateTimeout(1), otp.EventTimeout(2)))
    engine.next_event()
    effects = without_what_is_over(engine.done(otp.KeepState(otp.StateTimeout(3))))

    assert [(EVENT, 2), (STATE, 3)] == [(arm.which, arm.seconds) for arm in effects]


@pytest.mark.parametrize(
    "result",
    [otp.NextState("c"), otp.KeepState(otp.Postpone()), otp.KeepState(otp.NextEvent(1)), 7],
    ids=repr,
)
def test_what_an_enter_call_may_not_do(result: Any) -> None:
    """To change the state, to postpone and to insert are a crash (SM-16)."""
    engine = entered()
    feed(engine, "go", otp.NextState("b"))
    engine.next_event()
    [effect] = engine.done(result)

    assert isinstance(effect, Fail)
    assert isinstance(effect.error, otp.BadReturn)
    assert "enter" in str(effect.error)


def test_an_enter_call_may_answer_and_stop() -> None:
    """The call in hand is that of the event; Stop ends the machine."""
    engine = entered()
    caller = a_call()
    engine.receive(caller, "go")
    engine.next_event()
    engine.done(otp.NextState("b"))
    engine.next_event()

    assert [Answer(caller, 1), Halt("end")] == engine.done(otp.Stop("end", reply=1))


# -- actions and results ---------------------------------------------------------------------------


def a_call() -> Any:
    """Return the From of a call, as far as a pure function looks at it."""
    return object.__new__(otp.From)


def test_answers_stand_where_they_were_given() -> None:
    """Replies before a bad action are sent, what comes after it is not (SM-7)."""
    caller = a_call()
    bad: Any = 7
    effects = feed(machine(), "x", otp.KeepState(otp.ReplyTo(caller, 1), bad, otp.Reply(2)))

    assert Answer(caller, 1) == effects[0]
    assert isinstance(effects[1], Fail)
    assert 2 == len(effects)


@pytest.mark.parametrize("result", [7, "b", otp.NoReply(), otp.Reply(1), otp.Postpone(), ()])
def test_a_result_that_is_none_of_the_results_is_refused(result: Any) -> None:
    """It is a crash that names the value (SM-19)."""
    [effect] = feed(machine(), "x", result)

    assert isinstance(effect, Fail)
    assert "expected NextState(state, ...)" in str(effect.error)


def test_none_for_a_call_is_refused_with_what_to_write() -> None:
    """Its caller would wait for nothing; for any other event None is to stay."""
    caller = a_call()
    [effect] = feed(machine(), "x", None, kind=caller)

    assert isinstance(effect, Fail)
    assert "to answer later write KeepState()" in str(effect.error)
    for kind in (CAST, INFO, INTERNAL, STATE, EVENT, NAMED):
        assert [] == feed(machine(), "x", None, kind=kind)


def test_reply_answers_the_call_in_hand() -> None:
    """Also a call that was inserted, or comes back."""
    caller = a_call()
    engine = machine()
    assert [Answer(caller, "now")] == feed(
        engine, "x", otp.KeepState(otp.Reply("now")), kind=caller
    )
    feed(engine, "y", otp.KeepState(otp.NextEvent("x", caller)))
    assert Happening(caller, "x") == engine.next_event()
    assert Answer(caller, "again") == engine.done(otp.KeepState(otp.Reply("again")))[0]


@pytest.mark.parametrize(
    "result",
    [
        otp.KeepState(otp.Reply(1)),
        otp.Stop("end", reply=1),
        otp.StopAndReply("end", otp.Reply(1)),
    ],
    ids=repr,
)
def test_reply_without_a_call_in_hand_is_refused(result: Any) -> None:
    """There is nobody to answer."""
    [effect] = feed(machine(), "x", result)

    assert isinstance(effect, Fail)
    assert "no call is being handled" in str(effect.error)


@pytest.mark.parametrize("answer", [otp.Reply(1, timeout=1.0), otp.Reply(1, continue_="x")])
def test_options_of_a_reply_that_a_machine_has_not_are_refused(answer: Any) -> None:
    """It has EventTimeout and NextEvent."""
    [effect] = feed(machine(), "x", otp.KeepState(answer), kind=a_call())

    assert isinstance(effect, Fail)


def test_stop_and_reply() -> None:
    """All answers are given, then it ends; nothing else may stand among them (SM-18)."""
    one, two = a_call(), a_call()
    result = otp.StopAndReply("end", otp.Reply(1), otp.ReplyTo(two, 2))
    assert [Answer(one, 1), Answer(two, 2), Halt("end")] == feed(machine(), "x", result, kind=one)

    bad: Any = otp.Postpone()
    [first, effect] = feed(
        machine(), "x", otp.StopAndReply("end", otp.ReplyTo(two, 2), bad), kind=one
    )
    assert Answer(two, 2) == first
    assert isinstance(effect, Fail)


def test_callbacks_are_changed_before_the_enter_call() -> None:
    """The class after the change says whether there is one, and a pop goes back (SM-22)."""
    engine = machine()
    assert [Become(Entering)] == feed(
        engine, "x", otp.NextState("b", push(Entering)), kind=INTERNAL
    )
    assert otp.Event.ENTER is next_kind(engine)
    engine.done(None)
    assert [Become(Plain)] == feed(engine, "y", otp.NextState("c", otp.PopCallbacks()))
    assert None is engine.next_event()


def push(callbacks: Any) -> Any:
    """Make a PushCallbacks for a class that is no GenStatem."""
    action = object.__new__(otp.PushCallbacks)
    object.__setattr__(action, "callbacks", callbacks)
    return action


def test_a_pop_too_many_is_refused() -> None:
    """There is nothing to go back to (SM-22)."""
    [effect] = feed(machine(), "x", otp.KeepState(otp.PopCallbacks()))

    assert isinstance(effect, Fail)


# -- time-outs -------------------------------------------------------------------------------------


def timer_of(effects: list[Any]) -> Arm:
    """Return the one timer that is started."""
    [arm] = [effect for effect in effects if isinstance(effect, Arm)]
    return arm


@pytest.mark.parametrize(
    ("action", "which"),
    [
        (otp.StateTimeout(5, "t"), STATE),
        (otp.EventTimeout(5, "t"), EVENT),
        (otp.GenericTimeout("n", 5, "t"), NAMED),
    ],
    ids=repr,
)
def test_a_time_out_fires_once_with_its_content(action: Any, which: Any) -> None:
    """Its event has its kind; a second end of the same timer is nothing."""
    engine = machine()
    arm = timer_of(feed(engine, "x", otp.KeepState(action)))
    assert (which, 5, False) == (arm.which, arm.seconds, arm.absolute)
    engine.fired(which, arm.generation)
    assert Happening(which, "t") == engine.next_event()
    engine.done(None)
    engine.fired(which, arm.generation)

    assert None is engine.next_event()


@pytest.mark.parametrize(
    ("action", "by_event", "by_change"),
    [
        (otp.EventTimeout(5), True, True),
        (otp.StateTimeout(5), False, True),
        (otp.GenericTimeout("n", 5), False, False),
    ],
    ids=["event", "state", "generic"],
)
def test_what_cancels_a_time_out(action: Any, by_event: bool, by_change: bool) -> None:
    """Any event the event one, a change of state also the state one, nothing a named one."""
    for result, cancels in ((otp.KeepState(), by_event), (otp.NextState("b"), by_change)):
        engine = machine()
        arm = timer_of(feed(engine, "x", otp.KeepState(action)))
        assert ([Disarm(action.which)] if cancels else []) == feed(engine, "y", result)
        engine.fired(action.which, arm.generation)  # it was on its way already

        assert ([] if cancels else [None]) == rest(engine)


def test_a_timer_of_an_earlier_generation_is_nothing() -> None:
    """One that was set anew while its end was on its way does not deliver early (SM-15)."""
    engine = machine()
    first = timer_of(feed(engine, "x", otp.KeepState(otp.GenericTimeout("n", 5, "old"))))
    second = timer_of(feed(engine, "y", otp.KeepState(otp.GenericTimeout("n", 5, "new"))))
    engine.fired(NAMED, first.generation)
    assert None is engine.next_event()
    engine.fired(NAMED, second.generation)

    assert ["new"] == rest(engine)


def test_names_of_generic_time_outs_are_apart() -> None:
    """There is one time-out for each name (SM-11)."""
    engine = machine()
    feed(engine, "x", otp.KeepState(otp.GenericTimeout("n", 5), otp.GenericTimeout(1, 6)))
    effects = feed(engine, "y", otp.KeepState(otp.GenericTimeout.cancel("n")))

    assert [Disarm(NAMED)] == effects
    assert [otp.TimeoutOf(1)] == list(engine.timeouts)


def test_the_last_of_a_kind_in_one_list_counts() -> None:
    """The ones before it are as if they were not there (SM-14)."""
    engine = machine()
    effects = feed(
        engine,
        "x",
        otp.KeepState(
            otp.StateTimeout(1), otp.EventTimeout(2), otp.StateTimeout.cancel(), otp.StateTimeout(3)
        ),
    )
    assert [(EVENT, 2), (STATE, 3)] == [(arm.which, arm.seconds) for arm in effects]
    effects = feed(engine, "y", otp.KeepState(otp.StateTimeout(9), otp.StateTimeout.cancel()))
    assert [Disarm(EVENT), Disarm(STATE)] == effects


def test_an_update_changes_the_content_and_not_the_time() -> None:
    """The timer that runs delivers the new content (SM-14)."""
    engine = machine()
    arm = timer_of(feed(engine, "x", otp.KeepState(otp.StateTimeout(5, "old"))))
    assert [] == feed(engine, "y", otp.KeepState(otp.StateTimeout.update("new")))
    engine.fired(STATE, arm.generation)

    assert ["new"] == rest(engine)


@pytest.mark.parametrize(
    "action",
    [
        otp.StateTimeout.update("now"),
        otp.EventTimeout.update("now"),
        otp.GenericTimeout.update("n", "now"),
        otp.StateTimeout(0, "now"),
        otp.GenericTimeout("n", 0, "now"),
    ],
    ids=repr,
)
def test_an_update_of_none_and_zero_seconds_fire_at_once(action: Any) -> None:
    """Without a timer (SM-12,14)."""
    engine = machine()

    assert [] == feed(engine, "x", otp.KeepState(action))
    assert ["now"] == rest(engine)


def test_zero_time_outs_come_in_order_and_can_still_be_cancelled() -> None:
    """They wait behind other events, which may cancel, update or replace them."""
    engine = machine()
    zeros = [otp.GenericTimeout(number, 0, number) for number in range(4)]
    feed(engine, "x", otp.KeepState(*zeros, otp.NextEvent("first")))
    assert Happening(INTERNAL, "first") == engine.next_event()
    later = otp.GenericTimeout(2, 5, "later")
    changes = [otp.GenericTimeout.cancel(0), otp.GenericTimeout.update(1, "one"), later]
    arm = timer_of(engine.done(otp.KeepState(*changes)))

    assert ["one", 3] == rest(engine)
    engine.fired(otp.TimeoutOf(2), arm.generation)
    assert ["later"] == rest(engine)


def test_an_event_time_out_of_zero_is_dropped_if_anything_waits() -> None:
    """Any event cancels it (SM-12)."""
    engine = machine()
    feed(engine, "x", otp.KeepState(otp.EventTimeout(0, "dropped"), otp.NextEvent("waits")))

    assert ["waits"] == rest(engine)


@pytest.mark.parametrize(
    "action", [otp.StateTimeout(None), otp.StateTimeout(float("inf")), otp.StateTimeout.cancel()]
)
def test_no_time_is_a_cancel(action: Any) -> None:
    """None and infinity stop a time-out; one that does not run is no error."""
    engine = machine()
    feed(engine, "x", otp.KeepState(otp.StateTimeout(5)))

    assert [Disarm(STATE)] == feed(engine, "y", otp.KeepState(action))
    assert [] == feed(engine, "z", otp.KeepState(action))


def test_an_absolute_time_is_handed_on() -> None:
    """The shell knows the clock."""
    arm = timer_of(feed(machine(), "x", otp.KeepState(otp.StateTimeout(-5, absolute=True))))

    assert (-5, True) == (arm.seconds, arm.absolute)


# -- exhaustively against a model ------------------------------------------------------------------


class Pair:
    """An engine and the model beside it; the timers that the engine has started."""

    def __init__(self) -> None:
        self.engine = machine()
        self.model = Model()
        self.timers: list[Arm] = []
        self.count = 0

    def step(self, result: Any) -> None:
        found = self.engine.next_event()
        event = self.model.next_event()
        if event is None:
            event, found = self._from_outside()
        assert Happening(*event) == found
        effects = self.engine.done(result)
        self.model.done(event, result)
        self.timers += [effect for effect in effects if isinstance(effect, Arm)]
        assert self.model.state == self.engine.state
        assert self.model.postponed == [(h.kind, h.content) for h in self.engine.postponed]
        running = {w: held.content for w, held in self.engine.timeouts.items()}
        assert {**self.model.running, **dict(self.model.zero)} == running

    def _from_outside(self) -> tuple[Any, Any]:
        """Let every timer that was ever started end: only one that still counts is an event."""
        for arm in self.timers:
            self.engine.fired(arm.which, arm.generation)
            found = self.engine.next_event()
            if found is not None:
                return (arm.which, self.model.running.pop(arm.which)), found
        assert {} == self.model.running
        self.count += 1
        self.engine.receive(CAST, self.count)
        return (CAST, self.count), self.engine.next_event()


@pytest.mark.parametrize("first", range(len(RESULTS)))
def test_every_sequence_of_results_does_what_the_model_does(first: int) -> None:
    """All sequences of four results out of nine, with every timer ending as soon as it may."""
    for others in product(RESULTS, repeat=3):
        pair = Pair()
        for result in (RESULTS[first], *others):
            pair.step(result)


def test_a_result_without_an_event_is_refused() -> None:
    """`done` answers the event that `next_event` has given."""
    with pytest.raises(RuntimeError, match="done"):
        machine().done(otp.KeepState())
