"""What the restart policy makes of back-off, case by case beside a second statement of its rules.

The statement below is over plain tuples and shares nothing with the module but the names of what it
has to say. Times are binary fractions, so that sums of them are exact.
"""

from __future__ import annotations

import itertools
import random
from typing import Any, NamedTuple

import pytest
from inside import (
    ChildEntry,
    Delay,
    GiveUp,
    Intensity,
    Policy,
    Report,
    Retry,
    StartChild,
    State,
    StopChild,
    Wait,
)

import trio_otp as otp

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
UP, DOWN, RETRYING = State.RUNNING, State.DOWN, State.RESTARTING
BACKOFF = otp.Backoff(min_delay=2, max_delay=64, jitter=0)
NOW = 100.0
DELAY = 2.0
ALL = pytest.param(1, marks=pytest.mark.slow)
SOME = pytest.mark.parametrize("every", [10, ALL])  # of the cases of three children
SIZES = pytest.mark.parametrize(
    ("size", "every"), [(1, 1), (2, 1), (3, 10), pytest.param(3, 1, marks=pytest.mark.slow)]
)


class Kid(NamedTuple):
    """One row of the table: the rules of a child and what it does at the moment."""

    restart: str
    delayed: bool
    state: str  # up, down, retrying, or waiting with those that wait already


class Case(NamedTuple):
    """Everything the decision depends on; child `who` crashes; those that wait do until `due`."""

    strategy: str
    kids: tuple[Kid, ...]
    who: int
    due: float


KIDS = [
    Kid(restart, delayed, state)
    for restart, delayed, state in itertools.product(
        ("permanent", "transient"), (False, True), ("up", "down", "retrying", "waiting")
    )
] + [Kid("temporary", False, "up")]


def cases(strategy: str, size: int, every: int = 1) -> list[Case]:
    """List every crash of a lasting child, in every state of the others.

    Or one in so many of them, drawn by chance, but the same ones in every run.
    """
    listed = [
        Case(strategy, kids, who, due)
        for kids in itertools.product(KIDS, repeat=size)
        for who in range(size)
        if kids[who].state == "up" and kids[who].restart != "temporary"
        for due in ((NOW + 1, NOW + 5) if any(k.state == "waiting" for k in kids) else (NOW,))
    ]
    return random.Random(strategy).sample(listed, len(listed) // every)


def policy_of(case: Case) -> tuple[Policy, Wait]:
    """Build the policy in the state of a case, and what is waited for already."""
    policy = Policy(case.strategy, Intensity(1, 5), random=lambda: 0.0)  # type: ignore[arg-type]
    ids = tuple(n for n, kid in enumerate(case.kids) if kid.state == "waiting")
    wait = Wait(ids[0] if ids else None, "before", case.due, ids)
    for number, kid in enumerate(case.kids):
        backoff = BACKOFF if kid.delayed else None
        entry = ChildEntry(number, kid.restart, backoff=backoff)  # type: ignore[arg-type]
        policy.intensity.limit = None  # for a moment: any back-off is accepted
        policy.add(entry)
        entry.state = {"up": UP, "down": DOWN}.get(kid.state, RETRYING)
        entry.wait = wait if kid.state == "waiting" else None
    policy.intensity.limit = 1
    return policy, wait


# -- the rules, said a second time -----------------------------------------------------------------


def group_of(case: Case) -> range:
    """Return those that are restarted together."""
    return {
        "one_for_one": range(case.who, case.who + 1),
        "rest_for_one": range(case.who, len(case.kids)),
        "one_for_all": range(len(case.kids)),
    }[case.strategy]


def due_of(case: Case) -> float | None:
    """Return when the group is restarted: the latest of what it waits for; None if at once."""
    times = [case.due for n in group_of(case) if case.kids[n].state == "waiting"]
    times += [NOW + DELAY] if case.kids[case.who].delayed else []
    return max(times, default=None)


def script(case: Case) -> list[tuple[Any, ...]]:
    """Say what the supervisor has to do, in order."""
    group, due = group_of(case), due_of(case)
    stops = [("stop", n) for n in group if n != case.who and case.kids[n].state == "up"][::-1]
    lasting = [n for n in group if case.kids[n].restart != "temporary"]
    if due is None:
        return [("report", case.who, None), *stops, *(("start", n) for n in lasting)]
    waiting = [n for n, kid in enumerate(case.kids) if kid.state == "waiting"]
    void = [n for n in waiting if n in group] == waiting != []
    return [("report", case.who, due - NOW), *stops, ("wait", due, tuple(lasting), void)]


def words(actions: list[Any], before: Wait) -> list[tuple[Any, ...]]:
    """Turn actions into the words of the rules."""
    said: list[tuple[Any, ...]] = []
    for action in actions:
        match action:
            case Report():
                said.append(("report", action.id, action.delay))
            case StopChild():
                said.append(("stop", action.id))
            case StartChild():
                said.append(("start", action.id))
            case Delay():
                said.append(("wait", action.wait.due, action.wait.ids, action.void == (before,)))
            case Retry():
                said.append(("retry", action.id))
            case GiveUp():
                said.append(("give up", action.id, action.reason))
    return said


def carry_out(policy: Policy, actions: list[Any], fails: Any = None) -> list[Any]:
    """Act as the supervisor, failing the start of the child `fails`; return the other actions."""
    for action in actions:
        match action:
            case StopChild():
                assert policy.stopped(action.id, NOW) is None
            case StartChild(id=child_id) if child_id == fails:
                return policy.start_failed(child_id, "why", NOW)
            case StartChild():
                policy.started(action.id, NOW)
            case Delay() | Retry():
                return [action]
    return []


def states(policy: Policy) -> dict[Any, tuple[State, Any]]:
    """Return what each child does, and until when it waits."""
    return {n: (e.state, e.wait and e.wait.due) for n, e in policy.table.items()}


@pytest.mark.parametrize("strategy", STRATEGIES)
@SIZES
def test_every_crash_is_answered_by_the_rules(strategy: str, size: int, every: int) -> None:
    """Which children wait, with which others, how long, and whether earlier waits become void."""
    for case in cases(strategy, size, every):
        policy, before = policy_of(case)
        assert script(case) == words(policy.exited(case.who, KeyError(), NOW), before), case


@pytest.mark.parametrize("strategy", STRATEGIES)
@SIZES
def test_while_it_waits_the_whole_group_is_restarting(strategy: str, size: int, every: int) -> None:
    """Those outside of it are as they were; temporary ones that were stopped are forgotten."""
    for case in cases(strategy, size, every):
        due = due_of(case)
        if due is None:
            continue
        policy, _ = policy_of(case)
        others = {n: found for n, found in states(policy).items() if n not in group_of(case)}
        carry_out(policy, policy.exited(case.who, KeyError(), NOW))
        lasting = [n for n in group_of(case) if case.kids[n].restart != "temporary"]
        assert {**others, **dict.fromkeys(lasting, (RETRYING, due))} == states(policy), case
        assert 1 == policy.intensity.left(NOW), case


def waiting(case: Case) -> tuple[Policy, Wait] | None:
    """Return the policy of a case when its group waits, and for what; None if it does not."""
    policy, _ = policy_of(case)
    left = carry_out(policy, policy.exited(case.who, "why", NOW))
    return (policy, left[0].wait) if left else None


def waits(strategy: str, size: int, every: int) -> list[tuple[Case, Policy, Wait]]:
    """List every group that can wait."""
    return [(case, *found) for case in cases(strategy, size, every) if (found := waiting(case))]


@pytest.mark.parametrize("strategy", STRATEGIES)
@SOME
def test_when_it_is_over_those_that_wait_are_started_in_order_for_one_charge(
    strategy: str,
    every: int,
) -> None:
    """And then nobody waits."""
    for case, policy, wait in waits(strategy, 3, every):
        actions = policy.due(wait, wait.due)
        assert [StartChild(child_id) for child_id in wait.ids] == actions, case
        assert 0 == policy.intensity.left(wait.due)
        carry_out(policy, actions)
        assert {(UP, None)} == {states(policy)[child_id] for child_id in wait.ids}
        assert [] == policy.due(wait, wait.due)  # it is over


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_restart_too_many_gives_up_when_the_wait_is_over(strategy: str) -> None:
    """With the child that has failed, and its reason; nothing is started."""
    for case, policy, wait in waits(strategy, 2, 1):
        policy.intensity.charge(wait.due)
        assert [GiveUp("intensity", case.who, "why")] == policy.due(wait, wait.due)


@pytest.mark.parametrize("strategy", STRATEGIES)
@SOME
def test_a_child_that_is_stopped_during_the_wait_stays_down_and_the_others_come_back(
    strategy: str,
    every: int,
) -> None:
    """Also if it is the one that has failed. When nobody is left, the wait is told to be over."""
    for case, _, first in waits(strategy, 3, every):
        for stopped in itertools.product((False, True), repeat=len(first.ids)):
            ids = list(itertools.compress(first.ids, stopped))
            if not ids:
                continue
            policy, wait = waiting(case)  # type: ignore[misc]  # it does wait
            told = [policy.stopped(child_id, NOW + 1) for child_id in ids]
            assert [None] * (len(ids) - 1) == told[:-1]
            assert (wait if all(stopped) else None) is told[-1]
            assert {(DOWN, None)} == {states(policy)[child_id] for child_id in ids}
            left = [child_id for child_id in wait.ids if child_id not in ids]
            assert [StartChild(n) for n in left] == policy.due(wait, wait.due), case


@pytest.mark.parametrize("strategy", STRATEGIES)
@SOME
def test_giving_up_names_a_child_that_is_left(strategy: str, every: int) -> None:
    """The one that has failed may have been stopped and deleted."""
    for case, policy, wait in waits(strategy, 3, every):
        policy.stopped(case.who, NOW)
        policy.remove(case.who)
        policy.intensity.charge(wait.due)
        left = [n for n in wait.ids if n != case.who]
        expected = [GiveUp("intensity", left[0], "why")] if left else []
        assert expected == policy.due(wait, wait.due)


@pytest.mark.parametrize("strategy", STRATEGIES)
@SOME
def test_a_start_that_fails_after_the_wait_waits_again_with_its_group(
    strategy: str, every: int
) -> None:
    """If it has a back-off of its own; else it is retried at once, as in OTP."""
    for case, _, ids in [(case, 0, wait.ids) for case, _, wait in waits(strategy, 3, every)]:
        for fails in ids:
            policy, wait = waiting(case)  # type: ignore[misc]
            actions = carry_out(policy, policy.due(wait, wait.due), fails)
            if not case.kids[fails].delayed:
                assert [Retry(fails, "why")] == actions, case
                continue
            again = case._replace(who=fails, due=NOW)
            running = [n for n in group_of(again) if policy.table.get(n) and is_up(policy, n)]
            lasting = tuple(n for n in group_of(again) if n in policy.table and lasts(case, n))
            # the one that has crashed has doubled its delay; the others are at their first
            due = NOW + DELAY * (2 if fails == case.who else 1)
            assert [*(("stop", n) for n in running[::-1]), ("wait", due, lasting, False)] == words(
                actions, wait
            ), case


def is_up(policy: Policy, child_id: int) -> bool:
    return policy.table[child_id].state is UP


def lasts(case: Case, child_id: int) -> bool:
    return case.kids[child_id].restart != "temporary"


def test_the_cases_are_all_there() -> None:
    """The tables hold each combination, so that no test above passes for want of cases."""
    assert 17 == len(KIDS)
    assert [4, 168, 4908] == [len(cases("one_for_all", size)) for size in (1, 2, 3)]
    assert 3000 < len(waits("rest_for_one", 3, 1))


# -- what else there is to a wait ------------------------------------------------------------------


def of(*ids: str, strategy: Any = "one_for_one", **flags: Any) -> Policy:
    """Return a policy of running children, all with the back-off of their supervisor."""
    policy = Policy(strategy, Intensity(None, 5), backoff=BACKOFF, **flags)
    for child_id in ids:
        policy.add(ChildEntry(child_id))
        policy.started(child_id, 0.0)
    return policy


def wait_of(policy: Policy, child_id: str) -> Wait:
    wait = policy.table[child_id].wait
    assert wait is not None
    return wait


def test_fault_35_a_second_crash_while_a_group_waits_joins_it_for_the_longer_of_both() -> None:
    """A child that was started meanwhile crashes: one wait is left, and the first is void."""
    policy = of("a", "b", strategy="one_for_all")
    policy.exited("a", "first", 0.0)  # until 2
    policy.stopped("b", 0.0)
    first = wait_of(policy, "a")
    policy.add(ChildEntry("c"))
    policy.started("c", 1.0)
    *_, delay = policy.exited("c", "second", 1.0)  # until 3
    assert (3.0, ("a", "b", "c"), (first,)) == (delay.wait.due, delay.wait.ids, delay.void)
    assert [] == policy.due(first, 2.0)
    assert [StartChild(child_id) for child_id in "abc"] == policy.due(delay.wait, 3.0)


def test_a_crash_before_a_waiting_group_takes_it_along_under_rest_for_one() -> None:
    """Also if it has no back-off itself: what comes after it is not started without it."""
    policy = of("b", "c", strategy="rest_for_one")
    policy.table = {"a": ChildEntry("a", state=UP), **policy.table}
    policy.exited("b", "first", 0.0)
    policy.stopped("c", 0.0)
    report, delay = policy.exited("a", "second", 1.0)
    assert Report("a", "second", 1.0) == report
    assert isinstance(delay, Delay)
    assert ("a", "b", "c") == delay.wait.ids
    assert 2.0 == delay.wait.due


def test_a_wait_that_only_a_part_of_leaves_goes_on_for_the_rest() -> None:
    """As of a group that another child came to stand in the middle of."""
    policy = of("a", "c", strategy="rest_for_one")
    policy.exited("a", "first", 0.0)
    policy.stopped("c", 0.0)
    first = wait_of(policy, "a")
    policy.add(ChildEntry("b"))
    policy.started("b", 1.0)
    policy.table = {child_id: policy.table[child_id] for child_id in "abc"}
    *_, delay = policy.exited("b", "second", 1.0)
    assert ((), ("b", "c")) == (delay.void, delay.wait.ids)
    assert [StartChild("a")] == policy.due(first, 2.0)
    assert [StartChild("b"), StartChild("c")] == policy.due(delay.wait, 3.0)


def test_a_retry_that_was_under_way_is_void_when_its_group_waits() -> None:
    """What asked for it waits with the others."""
    policy = of("a", strategy="one_for_all")
    policy.add(ChildEntry("b", backoff=None))
    assert [Retry("b", "why")] == policy.start_failed("b", "why", 0.0)
    policy.exited("a", "crash", 0.0)
    assert [] == policy.retry("b", "why", 0.0)
    assert ("a", "b") == wait_of(policy, "a").ids


def test_fault_36_a_child_that_was_well_begins_anew_also_if_its_group_restarted() -> None:
    """It has run for long enough when it is stopped because of another."""
    policy = of("a", "b", strategy="rest_for_one")
    for number in range(3):
        policy.exited("b", "crash", 10.0 * number)
        assert 10.0 * number + 2.0 * 2**number == wait_of(policy, "b").due
        carry_out(policy, policy.due(wait_of(policy, "b"), 10.0 * number + 5))
        policy.started("b", 10.0 * number + 5)
    policy.exited("a", "crash", 1000.0)
    policy.stopped("b", 1000.0)
    for child_id in "ab":
        policy.table[child_id].wait = None
        policy.started(child_id, 1002.0)
    policy.exited("b", "crash", 1003.0)
    assert 1005.0 == wait_of(policy, "b").due


def test_other_flags_leave_what_waits_waiting_and_take_its_delay_on() -> None:
    """After a change of code the wait is over when it would have been."""
    policy = of("a", "b")
    policy.exited("a", "crash", 0.0)
    wait = wait_of(policy, "a")
    other = of("b", "a")
    for entry in other.table.values():
        entry.state = DOWN
    policy.change(other)
    assert ["b", "a"] == list(policy.table)
    assert wait is wait_of(policy, "a")
    assert [StartChild("a")] == policy.due(wait, 2.0)
    policy.started("a", 2.0)
    policy.exited("a", "crash", 3.0)
    assert 7.0 == wait_of(policy, "a").due


@pytest.mark.parametrize(
    ("own", "of_supervisor", "expected"),
    [
        ("supervisor", None, None),
        ("supervisor", BACKOFF, BACKOFF),
        (None, BACKOFF, None),
        (BACKOFF, None, BACKOFF),
        (otp.Backoff(), BACKOFF, otp.Backoff()),
    ],
)
def test_the_back_off_of_a_child_comes_before_that_of_its_supervisor(
    own: Any, of_supervisor: Any, expected: Any
) -> None:
    """None is none, whatever the supervisor has."""
    policy = Policy("one_for_one", Intensity(None, 5), backoff=of_supervisor)
    entry = ChildEntry("a", backoff=own)
    policy.add(entry)
    assert expected == (entry.delays and entry.delays.backoff)


def test_a_temporary_child_has_none_and_needs_no_intensity_for_it() -> None:
    """It is never restarted."""
    policy = Policy("one_for_one", Intensity(0, 5))
    policy.add(ChildEntry("a", "temporary", backoff=BACKOFF))
    assert policy.table["a"].delays is None
    with pytest.raises(otp.SpecError, match="child 'b': backoff=Backoff"):
        policy.add(ChildEntry("b", backoff=BACKOFF))
    assert ["a"] == list(policy.table)


def test_any_number_of_restarts_is_allowed_without_a_limit_and_none_is_remembered() -> None:
    """The memory of a supervisor that never gives up does not grow."""
    intensity = Intensity(None, 10**6)
    assert all(intensity.charge(0.0) for _ in range(10_000))
    assert float("inf") == intensity.left(0.0)
    assert 0 == len(intensity._times)
