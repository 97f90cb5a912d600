"""Tasks against a model: whatever an owner does in whatever order, it gets what it should.

The model knows when each task ends by itself and with what, and keeps the time. Tasks end at whole
seconds and waits never do, so nothing happens at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import trio
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from task_kit import messages
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp
from trio_otp import task

NOPROC = task.Exited(otp.NOPROC)
LATE = "time-out"


@dataclass
class Model:
    """One task as it should be."""

    ends: float  # when
    outcome: Any
    traps: bool
    taken: bool = False  # or let go
    linked: bool = True

    @property
    def exit(self) -> Any:
        """What it leaves behind for those who did not take its outcome."""
        return self.outcome if isinstance(self.outcome, task.Exited) else task.Exited(otp.NORMAL)


class Owner:
    """Does the same with tasks and with their models."""

    def __init__(self) -> None:
        self.tasks: list[otp.Task[Any]] = []
        self.models: list[Model] = []
        self.now = 0.0
        self.exits = 0

    async def start(self, seconds: int, outcome: Any, traps: bool) -> None:
        async def work() -> Any:
            otp.trap_exit(traps)
            await trio.sleep(seconds)
            return outcome.value if isinstance(outcome, task.Ok) else otp.exit(outcome.reason)

        self.tasks.append(task.start_async(work))
        self.models.append(Model(self.now + seconds, outcome, traps))

    async def sleep(self, seconds: int) -> None:
        await trio.sleep(seconds)
        self.now += seconds

    async def await_one(self, number: int, timeout: float) -> None:
        outcome = self._waits(self.models[number], timeout)
        self.models[number].taken = True
        try:
            found: Any = task.Ok(await task.await_one(self.tasks[number], timeout=timeout))
        except otp.TaskExited as exc:
            found = task.Exited(exc.reason)
        except otp.TaskTimeout:
            found = None
        assert outcome == found

    async def yield_one(self, number: int, timeout: float) -> None:
        outcome = self._waits(self.models[number], timeout)
        assert outcome == await task.yield_one(self.tasks[number], timeout=timeout)

    def _waits(self, model: Model, timeout: float) -> Any:
        if model.taken:
            return None
        self.now = max(self.now, min(model.ends, self.now + timeout))
        return self._take(model)

    def _take(self, model: Model) -> Any:
        if model.taken or model.ends > self.now:
            return None
        model.taken = True
        return model.outcome

    async def yield_many(self, timeout: float) -> None:
        pending = [m.ends for m in self.models if not m.taken]
        self.now = max([self.now, *(min(end, self.now + timeout) for end in pending)])
        expected = [self._take(model) for model in self.models]
        found = await task.yield_many(self.tasks, timeout=timeout)
        assert expected == [outcome for _, outcome in found]

    async def ignore(self, number: int) -> None:
        model = self.models[number]
        self._unlink(model)
        expected = self._take(model)
        model.taken = True
        assert expected == task.ignore(self.tasks[number])

    async def shutdown(self, number: int, how: Any) -> None:
        expected = self._ends(self.models[number], how)
        asked = otp.KILLED if how == "brutal_kill" else otp.SHUTDOWN
        if expected == task.Exited(asked):
            expected = None
        assert expected == await task.shutdown(self.tasks[number], timeout=how)

    def _ends(self, model: Model, how: Any) -> Any:
        self._unlink(model)
        if model.ends <= self.now:
            return self._take(model) or NOPROC
        if how == "brutal_kill":
            model.ends, model.outcome = self.now, task.Exited(otp.KILLED)
        elif not model.traps:
            model.ends, model.outcome = self.now, task.Exited(otp.SHUTDOWN)
        elif model.ends > self.now + how:
            model.ends, model.outcome = self.now + how, task.Exited(otp.KILLED)
        self.now = model.ends
        outcome = model.exit if model.taken else model.outcome
        model.taken = True
        return outcome

    def _unlink(self, model: Model) -> None:
        if model.linked and model.ends <= self.now:
            self.exits += 1
        model.linked = False

    async def check(self) -> None:
        """Who lives, what time it is and how many ends were heard of agree with the model."""
        await wait_all_tasks_blocked()
        assert self.now == trio.current_time()
        alive = [model.ends > self.now for model in self.models]
        assert alive == [otp.is_alive(t.pid) for t in self.tasks]
        ended = [m for m in self.models if m.linked and m.ends <= self.now]
        for model in ended:
            model.linked = False
        self.exits += len(ended)
        heard = await messages()
        assert (self.exits, {otp.Exit}) == (len(heard), {otp.Exit} | {type(m) for m in heard})
        self.exits = 0


_outcome = st.sampled_from(
    [task.Ok(1), task.Exited("why"), task.Exited(otp.SHUTDOWN), task.Exited(otp.NORMAL)]
)
_start = st.tuples(st.just("start"), st.integers(1, 6), _outcome, st.booleans())
_number = st.integers(0, 30)
_timeout = st.sampled_from([0, 1, 2, 7])  # `_run` adds a fraction that no other wait has
_how = st.one_of(_timeout, st.just("brutal_kill"))
OPERATIONS = st.lists(
    st.one_of(
        _start,
        st.tuples(st.just("sleep"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["await_one", "yield_one"]), _number, _timeout),
        st.tuples(st.just("yield_many"), _timeout),
        st.tuples(st.just("ignore"), _number),
        st.tuples(st.just("shutdown"), _number, _how),
    ),
    max_size=20,
)


def _own(timeout: Any, place: int) -> Any:
    """Return a time-out that, whatever was waited for before, ends at the end of no task."""
    return timeout + 2.0 ** -(place + 2) if timeout in (1, 2, 7) else timeout


async def _run(operations: list[tuple[Any, ...]]) -> None:
    async with otp.open_process(trap_exit=True):
        owner = Owner()
        await owner.start(2, task.Ok(0), False)
        await owner.check()
        for place, (name, *arguments) in enumerate(operations):
            if name in ("await_one", "yield_one", "yield_many", "shutdown"):
                arguments[-1] = _own(arguments[-1], place)
            if name in ("await_one", "yield_one", "ignore", "shutdown"):
                arguments[0] %= len(owner.tasks)
            await getattr(owner, name)(*arguments)
            await owner.check()
        for number in range(len(owner.tasks)):
            await task.shutdown(owner.tasks[number], timeout="brutal_kill")
    assert [] == otp.processes()


@given(operations=OPERATIONS)
@settings(max_examples=few(150), deadline=None)
def test_tasks_agree_with_their_model(operations: list[tuple[Any, ...]]) -> None:
    """Outcomes, times, exits and who lives are those of the model, after every operation."""
    trio.run(_run, operations, clock=MockClock(autojump_threshold=0))
