"""A server and its callers against a model: whatever happens, each caller learns what it should.

An example is a script: each second something is sent to one server, or it is killed. The model is
one hand that works off a queue; it says what each caller gets, and what the server did in which
order. Slow requests and time-outs last odd parts of seconds, so nothing happens at one moment.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONGEST = 12
GRAIN = 2.0**-LONGEST


class Boom(Exception):
    """What a request makes the server raise."""


class Step(NamedTuple):
    """What happens at one second of a script."""

    kind: str  # call, cast, stop or kill
    what: str = ""
    seconds: int = 0  # how long it takes
    timeout: int = 1000

    def lasts(self, at: int) -> float:
        """Return how long it keeps the server."""
        return self.seconds and self.seconds + 2.0 ** -(at + 1)

    @property
    def seconds_left(self) -> float:
        """Return its time-out, which never ends at the moment of an answer."""
        return self.timeout + GRAIN / 2


class Desk(otp.GenServer):
    """Writes down what it did; answers at once, slowly, later, or never."""

    def __init__(self, done: list[int]) -> None:
        self.done = done
        self.deferred: list[tuple[otp.From[Any], int]] = []

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        what, number, seconds = request
        await trio.sleep(seconds)
        self.done.append(number)
        match what:
            case "defer":
                self.deferred.append((from_, number))
                return otp.NoReply()
            case "raise":
                raise Boom
            case "end":
                return otp.Stop(otp.Shutdown(number), reply=number)
            case "end silently":
                return otp.Stop(otp.Shutdown(number))
            case _:
                return otp.Reply(number)

    async def handle_cast(self, message: Any) -> Any:
        what, number, seconds = message
        await trio.sleep(seconds)
        self.done.append(number)
        match what:
            case "defer":
                for from_, kept in self.deferred:
                    otp.reply(from_, kept)
                self.deferred.clear()
            case "raise":
                raise Boom
            case "end" | "end silently":
                return otp.Stop(otp.Shutdown(number))
        return None


@dataclass
class Model:
    """One hand that works off a queue, and who waits for what."""

    outcomes: dict[int, Any] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    queue: deque[tuple[int, Step]] = field(default_factory=deque)
    waiting: dict[int, float] = field(default_factory=dict)  # the deadline of each caller
    stoppers: set[int] = field(default_factory=set)
    deferred: list[int] = field(default_factory=list)
    free: float = 0.0  # when the hand is free again
    dead: bool = False

    def run(self, script: list[Step]) -> None:
        """Say what comes of a script."""
        for at, step in enumerate(script):
            self.work(at)
            if self.dead:
                self.outcomes |= {at: otp.NoProcess} if step.kind in ("call", "stop") else {}
            elif step.kind == "kill":
                self.die(at, otp.KILLED)
            else:
                self.arrive(at, step)
        self.work(math.inf)

    def arrive(self, at: int, step: Step) -> None:
        self.queue.append((at, step))
        if step.kind != "cast":
            self.waiting[at] = at + step.timeout + GRAIN / 2
        if step.kind == "stop":
            self.stoppers.add(at)
        self.work(at)

    def work(self, until: float) -> None:
        """Do what is done by then."""
        while self.queue:
            at, step = self.queue[0]
            finished = max(self.free, at) + step.lasts(at)
            if finished > until:
                return
            self.free = finished
            self.queue.popleft()
            self.handle(at, step)

    def handle(self, at: int, step: Step) -> None:
        if step.kind == "stop":
            self.die(self.free, otp.NORMAL)
            return
        self.done.append(at)
        match step.what, step.kind:
            case "defer", "call":
                self.deferred.append(at)
            case "defer", _:
                for kept in self.deferred:
                    self.answer(kept, self.free, kept)
            case "raise", _:
                self.die(self.free, Boom)
            case (("end" | "end silently"), _):
                if step.what == "end":
                    self.answer(at, self.free, at)
                self.die(self.free, otp.Shutdown(at))
            case _:
                self.answer(at, self.free, at)

    def answer(self, at: int, now: float, value: object) -> None:
        if (deadline := self.waiting.pop(at, None)) is not None:
            self.outcomes[at] = value if now < deadline else otp.CallTimeout

    def die(self, now: float, reason: object) -> None:
        self.dead = True
        self.queue.clear()
        for at in list(self.waiting):
            stopped = at in self.stoppers and reason is otp.NORMAL
            self.answer(at, now, "stopped" if stopped else reason)


class Script:
    """Does to a server what a model says the outcome of."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.outcomes: dict[int, Any] = {}
        self.done: list[int] = []

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            desk = await otp.start(otp.child(Desk, self.done), nursery=nursery)
            for at, step in enumerate(self.steps):
                self.send(at, step, desk, nursery)
                await wait_all_tasks_blocked()
                await trio.sleep_until(at + 1)

    def send(self, at: int, step: Step, desk: otp.Pid[Desk], nursery: trio.Nursery) -> None:
        message = (step.what, at, step.lasts(at))
        match step.kind:
            case "kill":
                otp.exit(desk, otp.KILL)
            case "cast":
                otp.cast(desk, message)
            case "stop":
                nursery.start_soon(
                    self.wait, at, partial(otp.stop, desk, timeout=step.seconds_left)
                )
            case _:
                ask = partial(otp.call, desk, message, timeout=step.seconds_left)
                nursery.start_soon(self.wait, at, ask)

    async def wait(self, at: int, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            value = await ask()
            self.outcomes[at] = "stopped" if self.steps[at].kind == "stop" else value
        except otp.ServerExited as exc:
            self.outcomes[at] = Boom if isinstance(exc.reason, Boom) else exc.reason
        except (otp.NoProcess, otp.CallTimeout) as exc:
            self.outcomes[at] = type(exc)


ENDS = ["answer", "answer", "defer", "raise", "end", "end silently"]
seconds = st.sampled_from([0, 0, 1, 3])
timeouts = st.sampled_from([0, 2, 5, 1000])


def messages(requests: list[str]) -> st.SearchStrategy[Step]:
    """Return calls and casts of some kinds."""
    kinds = st.sampled_from(["call", "call", "cast"])
    return st.tuples(kinds, st.sampled_from(requests), seconds, timeouts).map(lambda t: Step(*t))


steps = st.one_of(
    messages(ENDS),
    messages(["answer", "defer"]),
    messages(["answer", "defer"]),
    st.sampled_from([Step("stop"), Step("kill")]),
)


@given(st.lists(steps, max_size=LONGEST - 1))
@settings(deadline=None)
def test_each_caller_learns_what_the_model_says(script: list[Step]) -> None:
    """A value, a time-out, the reason of the end, or that nobody is there: at the right time."""
    script = [*script, Step("stop")]
    model = Model()
    model.run(script)
    real = Script(script)

    trio.run(real.run, clock=MockClock(autojump_threshold=0))

    assert model.outcomes == real.outcomes
    assert model.done == real.done
