"""Applications that start at once: dependencies first all the same, and a roll-back in reverse."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import open_block

import trio_otp as otp

Clock = trio.testing.MockClock
log: list[tuple[float, str, str]] = []


def note(what: str, name: str) -> None:
    log.append((round(trio.current_time() - begun[0], 3), what, name))


begun = [0.0]


class Timed(otp.Application):
    """Takes its time to start, and may fail then."""

    seconds = 1.0
    fails = False

    async def start(self) -> Any:
        note("begin", self.name)
        await trio.sleep(self.seconds)
        if self.fails:
            note("fail", self.name)
            raise LookupError(self.name)
        note("up", self.name)
        return otp.Supervisor.spec([])

    def stop(self) -> None:
        note("down", self.name)


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Return an empty log, a new one for each test."""
    log.clear()
    begun[0] = 0.0


class Disk(Timed):
    seconds = 3.0


class Net(Timed):
    pass


class Store(Timed):
    dependencies = (Disk,)


class Web(Timed):
    dependencies = (Net,)


class All(Timed):
    dependencies = (Store, Web)


async def test_independent_applications_start_at_once(autojump_clock: Clock) -> None:
    """Each starts as soon as what it needs has started; the time is that of the longest path."""
    async with open_block():
        started = await otp.application.ensure_all_started(All, mode="concurrent")
        assert started == otp.application.which_applications()

    when = {(what, name): time for time, what, name in log}
    assert (0, 0) == (when["begin", "disk"], when["begin", "net"])
    assert (1, 3) == (when["begin", "web"], when["begin", "store"])
    assert (4, 5) == (when["begin", "all"], when["up", "all"])
    downs = [name for _, what, name in log if what == "down"]
    assert started == downs[::-1]


async def test_serial_is_the_default(autojump_clock: Clock) -> None:
    """One after another takes the sum of the times."""
    async with open_block():
        await otp.application.ensure_all_started(All)
        assert ["disk", "store", "net", "web", "all"] == otp.application.which_applications()
    assert (7.0, "up", "all") == log[9]


async def test_a_program_may_start_its_dependencies_at_once(autojump_clock: Clock) -> None:
    """`open_application` takes the mode too."""
    async with otp.open_application(All, mode="concurrent"):
        assert pytest.approx(5) == trio.current_time() - begun[0]


async def test_the_first_failure_undoes_what_is_new(autojump_clock: Clock) -> None:
    """Starts under way are cancelled, what has started is stopped, what ran before goes on."""

    class Broken(Timed):
        seconds = 2.0
        fails = True

    class Top(Timed):
        dependencies = (Store, Web, Broken)

    async with otp.open_application(Net):
        log.clear()
        with pytest.raises(otp.ApplicationStartError) as caught:
            await otp.application.ensure_all_started(Top, mode="concurrent")
        assert "broken" == caught.value.name
        assert ["net"] == otp.application.which_applications()

    assert {"begin web", "begin disk", "begin broken", "up web", "fail broken", "down web"} == {
        f"{what} {name}" for _, what, name in log[:-1]
    }


async def test_a_cancelled_start_leaves_nothing(autojump_clock: Clock) -> None:
    """A deadline in the middle of it stops what has started, newest first."""
    async with open_block():
        with trio.move_on_after(2.5):
            await otp.application.ensure_all_started(All, mode="concurrent")
        assert [] == otp.application.which_applications()
    assert ["web", "net"] == [name for _, what, name in log if what == "down"]


async def test_another_start_of_the_same_is_joined(autojump_clock: Clock) -> None:
    """What another task is starting is waited for, and is not undone with this call."""

    class Broken(Timed):
        dependencies = (Disk,)
        seconds = 1.0
        fails = True

    async with open_block(), trio.open_nursery() as nursery:
        nursery.start_soon(otp.application.ensure_all_started, Disk)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(otp.ApplicationStartError):
            await otp.application.ensure_all_started(Broken, mode="concurrent")
        assert ["disk"] == otp.application.which_applications()


async def test_an_unknown_mode_is_refused(autojump_clock: Clock) -> None:
    """The error says which there are."""
    async with open_block():
        with pytest.raises(otp.SpecError, match=r"mode='parallel'.*'serial' or 'concurrent'"):
            await otp.application.ensure_all_started(All, mode="parallel")  # type: ignore[arg-type]
    with pytest.raises(otp.SpecError, match="mode='parallel'"):
        otp.run(All, mode="parallel")  # type: ignore[arg-type]


# -- random graphs against a model -----------------------------------------------------------------

NUMBERS = st.integers(0, 6)
# for each application which of those before it it needs, how long its start takes, how it ends
NODES = st.tuples(st.sets(NUMBERS, max_size=3), st.integers(1, 4), st.integers(0, 9))


@dataclass(frozen=True)
class Plan:
    """What has to happen: when each start is over if nothing fails, and the first failure."""

    over: dict[str, float]
    needs: dict[str, list[str]]
    failing: set[str]

    @property
    def failure(self) -> float:
        """When the first start fails of those that come to it."""
        return min((self.over[name] for name in self.failing), default=float("inf"))


def make(nodes: list[tuple[set[int], int, int]]) -> tuple[list[type[Timed]], Plan]:
    made: list[type[Timed]] = []
    over: dict[str, float] = {}
    for number, (wanted, ticks, dice) in enumerate(nodes):
        needed = tuple(made[i] for i in sorted(wanted) if i < number)
        # no two starts are over at the same moment, so the first failure is one
        seconds = ticks + 0.001 * 2**number
        attributes = {
            "name": f"app{number}",
            "dependencies": needed,
            "seconds": seconds,
            "fails": dice == 0,
        }
        made.append(type(f"App{number}", (Timed,), attributes))
        before = max((over[each.name] for each in needed), default=0.0)
        over[f"app{number}"] = before + seconds
    needs = {each.name: [needed.name for needed in each.dependencies] for each in made}
    return made, Plan(over, needs, {each.name for each in made if each.fails})


@settings(max_examples=few(60), deadline=None)
@given(st.lists(NODES, min_size=1, max_size=7), st.integers(0, 6))
def test_any_graph(nodes: list[tuple[set[int], int, int]], already: int) -> None:
    """Dependencies come first, nothing waits needlessly, a failure undoes exactly what is new."""
    made, plan = make(nodes)
    old = {made[already].name} if already < len(made) and not nodes[already][0] else set()
    old -= plan.failing
    plan = Plan(
        {name: _over(name, plan, made, old) for name in plan.over}, plan.needs, plan.failing
    )
    result: list[Any] = []

    async def program() -> None:
        async with open_block():
            for application in made:
                if application.name in old:
                    await otp.application.start(application)
            log.clear()
            begun[0] = trio.current_time()
            try:
                result.append(await otp.application.ensure_all_started(made, mode="concurrent"))
            except otp.ApplicationStartError as exc:
                result.append(exc.name)
            result.append(set(otp.application.which_applications()))
            result.append(list(log))

    logging.disable(logging.CRITICAL)
    try:
        trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        logging.disable(logging.NOTSET)
    outcome, running, entries = result
    check(plan, old, outcome, running, entries)


def _over(name: str, plan: Plan, made: list[type[Timed]], old: set[str]) -> float:
    if name in old:
        return 0.0
    seconds = next(each.seconds for each in made if each.name == name)
    return seconds + max((_over(n, plan, made, old) for n in plan.needs[name]), default=0.0)


def check(plan: Plan, old: set[str], outcome: Any, running: set[str], entries: list[Any]) -> None:
    ups = {name: time for time, what, name in entries if what == "up"}
    expected = {
        name: pytest.approx(time, abs=0.002)
        for name, time in plan.over.items()
        if time < plan.failure and name not in old
    }
    assert expected == ups
    downs = [name for _, what, name in entries if what == "down"]
    if plan.failing:
        first = min(plan.failing, key=lambda name: plan.over[name])
        assert (first, old) == (outcome, running)
        assert set(ups) == set(downs)
        begins = {name: time for time, what, name in entries if what == "begin"}
        assert downs == sorted(downs, key=begins.__getitem__, reverse=True)
    else:
        assert set(plan.over) - old == set(outcome)
        assert set(plan.over) == running
        assert [] == downs
        place = {name: i for i, name in enumerate(outcome)}
        for name in outcome:
            assert all(place[n] < place[name] for n in plan.needs[name] if n not in old)
