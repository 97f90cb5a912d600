"""GenStatem as a process against the model of its rules, over any order of messages and waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import process_of

import trio_otp as otp
from tests.support.statem_model import EVENT, RESULTS, STATE, Model

CAST, INFO = otp.Event.CAST, otp.Event.INFO
TIMES = {STATE: 3.0, EVENT: 2.0, otp.TimeoutOf("n"): 7.0}  # seconds of every time-out that is set


def timed(result: Any) -> Any:
    """Return a result of the model with the seconds of its kind in place of 1."""
    actions = [
        type(action)(
            *([action.name] if isinstance(action, otp.GenericTimeout) else []),
            seconds,
            action.content,
        )
        if (seconds := TIMES.get(getattr(action, "which", None))) and getattr(action, "seconds", 0)
        else action
        for action in result.actions
    ]
    own = [result.state] if isinstance(result, otp.NextState) else []
    return type(result)(*own, *actions)


PLAN = [timed(result) for result in RESULTS]


class Planned(otp.GenStatem[str]):
    """Returns one result after the other, and notes what it was called with."""

    initial = "a"

    def __init__(self, results: list[Any]) -> None:
        self.results = iter(results)
        self.log: list[Any] = []

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        self.log.append((kind, content, state, trio.current_time()))
        return next(self.results, otp.Stop("enough"))


@dataclass
class Clocked:
    """The model with a clock: when each time-out that runs will end, and what was sent by when."""

    results: list[Any]
    now: float
    model: Model = field(default_factory=Model)
    ends: dict[Any, float] = field(default_factory=dict[Any, float])
    log: list[Any] = field(default_factory=list[Any])
    ended: bool = False

    def message(self, kind: Any, content: Any) -> None:
        self.handle((kind, content))
        self.settle()

    def wait(self, until: float) -> None:
        while not self.ended and self.ends and min(self.ends.values()) <= until:
            which = min(self.ends, key=lambda one: self.ends[one])
            self.now = self.ends.pop(which)
            self.message(which, self.model.running.pop(which))
        self.now = until

    def settle(self) -> None:
        while not self.ended and (event := self.model.next_event()) is not None:
            self.handle(event)

    def handle(self, event: Any) -> None:
        if self.ended:
            return
        self.log.append((*event, self.model.state, self.now))
        if not self.results:
            self.ended = True
            return
        result = self.results.pop(0)
        before = dict(self.model.running)
        started = [a for a in result.actions if getattr(a, "seconds", 0)]
        self.model.done(event, result)
        for which in {*before, *self.model.running}:
            if which not in self.model.running:
                self.ends.pop(which, None)
            elif any(action.which == which for action in started):
                self.ends[which] = self.now + TIMES[which]


STEPS = st.lists(
    st.one_of(st.sampled_from([CAST, INFO]), st.sampled_from([0.5, 2.5, 5.5])), max_size=15
)


@given(results=st.lists(st.sampled_from(PLAN), max_size=25), steps=STEPS)
@settings(max_examples=few(300), deadline=None)
def test_a_machine_does_what_the_model_does(results: list[Any], steps: list[Any]) -> None:
    """What it handles, in which state and when, for any results, messages and waits."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    expected, found = trio.run(_compare, results, steps, clock=clock)
    assert expected == found


async def _compare(results: list[Any], steps: list[Any]) -> tuple[list[Any], list[Any]]:
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Planned, results))
        process = process_of(pid)
        machine: Planned = process.instance
        model = Clocked(list(results), trio.current_time())
        for number, step in enumerate(steps):
            if isinstance(step, float):
                await trio.sleep(step)
                model.wait(trio.current_time())
            else:
                _send(pid, step, number)
                model.message(step, number)
            await trio.testing.wait_all_tasks_blocked()
        return model.log, machine.log


def _send(pid: otp.Pid[Planned], kind: Any, number: int) -> None:
    if kind is CAST:
        otp.cast(pid, number)
    elif otp.is_alive(pid):
        otp.send(pid, number)
