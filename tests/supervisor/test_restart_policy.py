"""The restart policy, compared case by case with a second statement of OTP's rules.

The statement below is written from the manual of Erlang's `supervisor`, over plain tuples, and
shares nothing with the module but the names of what it has to say.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any, NamedTuple

import pytest
from inside import (
    ChildEntry,
    GiveUp,
    Intensity,
    Policy,
    Report,
    Retry,
    StartChild,
    State,
    StopChild,
    check_flags,
    check_intensity,
)

from trio_otp import KILLED, NORMAL, SHUTDOWN, Shutdown, SpecError

RESTARTS = ("permanent", "transient", "temporary")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
UP, DOWN, RETRYING = State.RUNNING, State.DOWN, State.RESTARTING
QUIET = (NORMAL, SHUTDOWN, Shutdown("deploy"))
CRASHES = (KILLED, ValueError("boom"), ("shutdown", "not ours"))


class Kid(NamedTuple):
    """One row of the table: the rules of a child and what it does at the moment."""

    restart: str
    significant: bool
    state: State


class Case(NamedTuple):
    """Everything the decision depends on; child `who` ends."""

    strategy: str
    auto_shutdown: str
    kids: tuple[Kid, ...]
    who: int
    reason: object
    allowed: bool


# -- OTP's rules, said a second time ---------------------------------------------------------------


def script(case: Case) -> list[tuple[Any, ...]]:
    """Say what the supervisor has to do, in order."""
    kid = case.kids[case.who]
    quiet = any(case.reason is reason for reason in QUIET)
    told = [("report", case.who)] if kid.restart == "permanent" or not quiet else []
    if kid.restart == "permanent" or (kid.restart == "transient" and not quiet):
        return told + (group_restart(case) if case.allowed else [("give up", "intensity")])
    return told + ([("give up", "auto_shutdown")] if ends_the_supervisor(case) else [])


def group_restart(case: Case) -> list[tuple[Any, ...]]:
    """Stop the others of the group, newest first; start the group, oldest first."""
    group = {
        "one_for_one": range(case.who, case.who + 1),
        "rest_for_one": range(case.who, len(case.kids)),
        "one_for_all": range(len(case.kids)),
    }[case.strategy]
    stops = [("stop", n) for n in group if n != case.who and case.kids[n].state is UP]
    starts = [("start", n) for n in group if case.kids[n].restart != "temporary"]
    return stops[::-1] + starts


def ends_the_supervisor(case: Case) -> bool:
    """Check whether this end, which is not followed by a restart, is the last that counts."""
    if not case.kids[case.who].significant:
        return False
    others = [
        kid
        for n, kid in enumerate(case.kids)
        if n != case.who and kid.significant and kid.state is not DOWN
    ]
    return case.auto_shutdown == "any_significant" or not others


# -- all cases -------------------------------------------------------------------------------------


def possible_kids(auto_shutdown: str) -> list[Kid]:
    """List the rows that can exist: a temporary child that is down is forgotten."""
    return [
        Kid(restart, significant, state)
        for restart, significant, state in itertools.product(RESTARTS, (False, True), State)
        if not (restart == "temporary" and state is not UP)
        and not (significant and (restart == "permanent" or auto_shutdown == "never"))
    ]


def tables(size: int, auto_shutdown: str) -> list[tuple[Kid, ...]]:
    """List every table of a size."""
    return list(itertools.product(possible_kids(auto_shutdown), repeat=size))


def cases(
    kids: tuple[Kid, ...], strategy: str, auto_shutdown: str, reasons: tuple[object, ...]
) -> list[Case]:
    """List every event that can happen to a table."""
    running = [n for n, kid in enumerate(kids) if kid.state is UP]
    return [
        Case(strategy, auto_shutdown, kids, who, reason, allowed)
        for who, reason, allowed in itertools.product(running, reasons, (True, False))
    ]


def policy_of(case: Case) -> Policy:
    """Build the policy in the state of a case."""
    flags: Any = (case.strategy, Intensity(int(case.allowed), 5), case.auto_shutdown)
    policy = Policy(*flags)
    for number, kid in enumerate(case.kids):
        policy.add(ChildEntry(number, kid.restart, kid.significant))  # type: ignore[arg-type]
        policy.table[number].state = kid.state
    return policy


def words(actions: list[Any]) -> list[tuple[Any, ...]]:
    """Turn actions into the words of the rules."""
    said: list[tuple[Any, ...]] = []
    for action in actions:
        match action:
            case Report():
                said.append(("report", action.id))
            case StopChild():
                said.append(("stop", action.id))
            case StartChild():
                said.append(("start", action.id))
            case Retry():
                said.append(("retry", action.id))
            case GiveUp():
                said.append(("give up", action.why))
    return said


def differences(case: Case) -> list[Any]:
    """Compare the decision with the rules; an empty list means they agree."""
    actual = words(policy_of(case).exited(case.who, case.reason, 100.0))
    expected = script(case)
    return [] if expected == actual else [case, expected, actual]


def check(all_cases: list[Case]) -> None:
    """Check many cases, and show the first one that differs."""
    wrong = next((found for case in all_cases if (found := differences(case))), [])
    assert [] == wrong


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_end_of_a_child_is_answered_by_the_rules(strategy: str, size: int) -> None:
    """Any child of up to three, in any state of the others, ends for any kind of reason."""
    check(
        [
            case
            for kids in tables(size, "never")
            for case in cases(kids, strategy, "never", QUIET + CRASHES)
        ]
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_rules_hold_for_four_children(strategy: str) -> None:
    """Any child of four, in any state of the others, ends quietly or crashes."""
    check(
        [
            case
            for kids in tables(4, "never")
            for case in cases(kids, strategy, "never", (NORMAL, CRASHES[1]))
        ]
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_significant_children_end_the_supervisor_by_the_rules(
    strategy: str, auto_shutdown: str, size: int
) -> None:
    """The same with every choice of significant children."""
    reasons = (QUIET[2], CRASHES[0])
    check(
        [
            case
            for kids in tables(size, auto_shutdown)
            for case in cases(kids, strategy, auto_shutdown, reasons)
        ]
    )


def test_the_cases_are_all_there() -> None:
    """The tables hold each combination, so that no test above passes for want of cases."""
    assert 7 == len(possible_kids("never"))
    assert 11 == len(possible_kids("any_significant"))
    assert 7**4 == len(tables(4, "never"))
    outcomes = Counter(
        word[0]
        for kids in tables(2, "all_significant")
        for case in cases(kids, "one_for_all", "all_significant", (NORMAL, KILLED))
        for word in script(case)
    )
    assert {"report", "stop", "start", "give up"} == outcomes.keys()


def test_the_reasons_of_reports_and_of_giving_up_are_those_of_the_child() -> None:
    """What is told carries the child's id and its very reason."""
    crash = CRASHES[1]
    case = Case("one_for_one", "never", (Kid("permanent", False, UP),), 0, crash, False)
    report, giving_up = policy_of(case).exited(0, crash, 0.0)
    assert Report(0, crash) == report
    assert GiveUp("intensity", 0, crash) == giving_up


# -- what the table looks like afterwards ----------------------------------------------------------


def carry_out(policy: Policy, actions: list[Any], outcomes: dict[int, str]) -> list[Any]:
    """Play the supervisor: do what the actions say; `outcomes` tells what a start comes to."""
    done = []
    while actions:
        action, *actions = actions
        done.append(action)
        match action:
            case StopChild():
                policy.stopped(action.id, 0.0)
            case StartChild():
                outcome = outcomes.get(action.id, "starts")
                if outcome == "starts":
                    policy.started(action.id, 0.0)
                elif outcome == "ignores":
                    policy.ignored(action.id)
                else:
                    actions = policy.start_failed(action.id, "why", 0.0)
    return done


def states(policy: Policy) -> dict[Any, State]:
    """Return what each child does."""
    return {child_id: entry.state for child_id, entry in policy.table.items()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_after_a_restart_the_whole_group_runs_and_temporaries_are_forgotten(strategy: str) -> None:
    """Children that were down come back with the group; those outside of it stay as they were."""
    for kids in tables(3, "never"):
        for case in cases(kids, strategy, "never", (KILLED,)):
            if kids[case.who].restart == "temporary" or not case.allowed:
                continue
            policy = policy_of(case)
            carry_out(policy, policy.exited(case.who, KILLED, 0.0), {})
            group = {n for word, n in group_restart(case) if word == "start"}
            stopped = {n for word, n in group_restart(case) if word == "stop"}
            expected = {
                n: UP if n in group else kid.state
                for n, kid in enumerate(kids)
                if not (n in stopped and kid.restart == "temporary")
            }
            assert expected == states(policy), case


def failing(case: Case, fails: int) -> Policy:
    """Return the policy of a case after a restart in which the start of a child failed."""
    policy = policy_of(case)
    policy.intensity.limit = 10
    carry_out(policy, policy.exited(case.who, KILLED, 0.0), {fails: "fails"})
    return policy


def restarts_with_a_failure() -> list[tuple[Case, int]]:
    """List each restart of up to three lasting children together with each start that can fail."""
    found = []
    for strategy, size in itertools.product(STRATEGIES, (1, 2, 3)):
        for kids in itertools.product(
            [Kid(r, False, s) for r in RESTARTS[:2] for s in State], repeat=size
        ):
            for case in cases(kids, strategy, "never", (KILLED,)):
                starts = [n for word, n in group_restart(case) if word == "start"]
                found += [(case, n) for n in starts if case.allowed]
    return found


def test_a_failed_start_voids_the_rest_and_asks_for_a_retry() -> None:
    """Those started before it run, it is being restarted, those after it are down."""
    for case, fails in restarts_with_a_failure():
        policy = policy_of(case)
        done = carry_out(policy, policy.exited(case.who, KILLED, 0.0), {fails: "fails"})
        starts = [n for word, n in group_restart(case) if word == "start"]
        started = starts[: starts.index(fails)]
        expected = {
            n: UP
            if n in started
            else RETRYING
            if n == fails
            else DOWN
            if n in starts
            else kid.state
            for n, kid in enumerate(case.kids)
        }
        assert Retry(fails, "why") == done[-1], case
        assert expected == states(policy), case


def test_a_retry_restarts_the_group_of_the_child_that_failed() -> None:
    """rest_for_one goes on from that child; one_for_all stops what was started and begins anew."""
    for case, fails in restarts_with_a_failure():
        policy = failing(case, fails)
        before = tuple(
            Kid(kid.restart, False, state)
            for kid, state in zip(case.kids, states(policy).values(), strict=True)
        )
        again = Case(case.strategy, "never", before, fails, NORMAL, True)
        assert group_restart(again) == words(policy.retry(fails, "why", 0.0)), case


def test_a_retry_that_is_once_too_often_tells_why_the_restart_failed() -> None:
    """The reason of giving up is that of the last start, not of the first end."""
    policy = Policy("one_for_one", Intensity(1, 5))
    policy.add(ChildEntry("a"))
    policy.started("a", 0.0)
    policy.exited("a", KILLED, 0.0)
    (retry,) = policy.start_failed("a", "disk full", 0.0)
    assert Retry("a", "disk full") == retry
    assert [GiveUp("intensity", "a", "disk full")] == policy.retry("a", retry.reason, 0.0)


def test_a_retry_is_charged() -> None:
    """Each retry uses up the intensity; the one that exceeds it gives up."""
    policy = Policy("one_for_one", Intensity(3, 5))
    policy.add(ChildEntry("a"))
    policy.started("a", 0.0)
    actions = policy.exited("a", KILLED, 0.0)
    starts = 0
    while not isinstance(actions[-1], GiveUp):
        starts += 1
        policy.start_failed("a", "why", 0.0)
        actions = policy.retry("a", "why", 0.0)
    assert 3 == starts


@pytest.mark.parametrize("settle", ["stopped", "started", "ignored", "remove"])
def test_a_retry_that_was_settled_in_the_meantime_does_nothing(settle: str) -> None:
    """Whoever stopped, started or deleted the child made the retry void, and nothing is charged."""
    policy = Policy("one_for_one", Intensity(1, 5))
    policy.add(ChildEntry("a"))
    policy.start_failed("a", "why", 0.0)
    now = (0.0,) if settle in ("stopped", "started") else ()
    getattr(policy, settle)("a", *now)
    assert [] == policy.retry("a", "why", 0.0)
    assert 1 == policy.intensity.left(0.0)


def test_a_child_that_waits_for_its_retry_is_started_with_its_group() -> None:
    """When a sibling ends first, the group restart takes it along and the retry is void."""
    policy = Policy("one_for_all", Intensity(5, 5))
    for child_id in "ab":
        policy.add(ChildEntry(child_id))
        policy.started(child_id, 0.0)
    policy.start_failed("b", "why", 0.0)
    actions = policy.exited("a", KILLED, 0.0)
    assert [("report", "a"), ("start", "a"), ("start", "b")] == words(actions)
    carry_out(policy, actions, {})
    assert [] == policy.retry("b", "why", 0.0)


@pytest.mark.parametrize("restart", RESTARTS)
def test_a_child_that_ignores_is_down_and_a_temporary_one_is_forgotten(restart: Any) -> None:
    """The same as for one that was stopped on purpose."""
    for note in ("ignored", "stopped"):
        policy = Policy("one_for_one", Intensity(1, 5))
        policy.add(ChildEntry("a", restart))
        getattr(policy, note)("a", *((0.0,) if note == "stopped" else ()))
        assert ({} if restart == "temporary" else {"a": DOWN}) == states(policy)


def test_running_children_are_listed_newest_first() -> None:
    """That is the order in which they are to be stopped; others are left out."""
    policy = Policy("one_for_one", Intensity(1, 5))
    for child_id, state in zip("abcd", (UP, DOWN, UP, RETRYING), strict=True):
        policy.add(ChildEntry(child_id))
        policy.table[child_id].state = state
    assert ["c", "a"] == policy.running_newest_first()


# -- intensity -------------------------------------------------------------------------------------

# Binary fractions, so that sums of them are exact.
GAPS = (0.0, 0.5, 1 - 1 / 64, 1.0, 1 + 1 / 64, 2 - 1 / 64, 2.0, 2.125)


def survives(times: list[float], limit: int, seconds: float) -> bool:
    """Say OTP's rule: of the restarts so far, those in the window of whole seconds are few."""
    now = math.floor(times[-1])
    return sum(math.floor(time) >= now - seconds for time in times) <= limit


@pytest.mark.parametrize("seconds", [0.5, 1, 2])
@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_the_window_counts_whole_seconds(limit: int, seconds: float) -> None:
    """Any four restarts, at any of the telling distances, from the start or end of a second."""
    for first, gaps in itertools.product((0.0, 0.75), itertools.product(GAPS, repeat=3)):
        times = list(itertools.accumulate(gaps, initial=first))
        intensity = Intensity(limit, seconds)
        for count, now in enumerate(times, 1):
            expected = survives(times[:count], limit, seconds)
            assert expected == intensity.charge(now), (times, count)
            if not expected:
                break


@pytest.mark.parametrize(
    ("gap", "survived"), [(0.5, False), (1.0, False), (1.984375, False), (2.0, True), (2.1, True)]
)
def test_one_restart_a_second_at_the_edges_of_the_window(gap: float, survived: bool) -> None:
    """With 1 restart in 1 s two crashes within the same or the next second are too many."""
    intensity = Intensity(1, 1)
    assert intensity.charge(10.0)
    assert survived == intensity.charge(10.0 + gap)


def test_where_in_a_second_the_first_crash_falls_decides() -> None:
    """The window is longer than its seconds by up to one second, as the clock is cut to seconds."""
    late, early = Intensity(1, 1), Intensity(1, 1)
    late.charge(10.9)
    early.charge(10.0)
    assert late.charge(12.0)
    assert not early.charge(11.9)


def test_the_charge_that_exceeds_the_limit_counts_too() -> None:
    """OTP enters it before it looks."""
    intensity = Intensity(1, 5)
    assert [True, False, False] == [intensity.charge(0.0) for _ in range(3)]


def test_what_is_left_grows_again_as_restarts_leave_the_window() -> None:
    """`left` tells how many restarts there may be now, and charges nothing."""
    intensity = Intensity(2, 2)
    left = [intensity.left(0.0)]
    for now in (0.0, 1.0):
        intensity.charge(now)
        left.append(intensity.left(now))
    assert [2, 1, 0] == left
    assert [0, 0, 1, 2] == [intensity.left(now) for now in (2.0, 2.9, 3.0, 4.0)]


def test_no_restarts_allowed_means_the_first_one_gives_up() -> None:
    """With limit 0 not even one restart is made."""
    assert not Intensity(0, 5).charge(0.0)
    assert 0 == Intensity(0, 5).left(0.0)


def test_the_times_outside_of_the_window_are_forgotten() -> None:
    """A supervisor that restarts for years remembers the last seconds only."""
    intensity = Intensity(3, 5)
    for now in range(10_000):
        intensity.charge(float(now))
    assert 6 == len(intensity._times)


# -- what is not accepted --------------------------------------------------------------------------

FLAGS: dict[str, Any] = {
    "strategy": "one_for_one",
    "max_restarts": 3,
    "max_seconds": 5,
    "auto_shutdown": "never",
}
BAD_FLAGS = [
    ("strategy", "simple_one_for_one", "'one_for_one', 'one_for_all' or 'rest_for_one'"),
    ("strategy", None, "'one_for_one', 'one_for_all' or 'rest_for_one'"),
    ("max_restarts", -1, "a whole number >= 0"),
    ("max_restarts", 1.5, "a whole number >= 0"),
    ("max_restarts", True, "a whole number >= 0"),
    ("max_restarts", "3", "a whole number >= 0, or None to never give up"),
    ("max_seconds", 0, "a whole number of seconds > 0"),
    ("max_seconds", -1, "a whole number of seconds > 0"),
    ("max_seconds", math.inf, "a whole number of seconds > 0"),
    ("max_seconds", math.nan, "a whole number of seconds > 0"),
    ("max_seconds", True, "a whole number of seconds > 0"),
    ("max_seconds", 1.5, "a whole number of seconds > 0"),
    ("max_seconds", "5", "a whole number of seconds > 0"),
    ("auto_shutdown", "always", "'never', 'any_significant' or 'all_significant'"),
]


@pytest.mark.parametrize(("flag", "value", "accepted"), BAD_FLAGS)
def test_a_wrong_flag_is_refused_by_name(flag: str, value: object, accepted: str) -> None:
    """The error names the flag, the value and what is accepted."""
    with pytest.raises(SpecError) as caught:
        check_flags(**{**FLAGS, flag: value})
    text = str(caught.value)
    assert text.startswith(f"{flag}={value!r}: ")
    assert accepted in text


@pytest.mark.parametrize(("max_restarts", "max_seconds"), [(0, 1), (3, 5), (10**6, 5.0), (None, 5)])
def test_sensible_limits_are_accepted(max_restarts: int | None, max_seconds: float) -> None:
    """No restarts at all, any number of them, and whole seconds, also as a float."""
    check_intensity(max_restarts, max_seconds)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("auto_shutdown", ["never", "any_significant", "all_significant"])
def test_every_documented_flag_is_accepted(strategy: str, auto_shutdown: str) -> None:
    """Each strategy goes with each auto_shutdown."""
    check_flags(**{**FLAGS, "strategy": strategy, "auto_shutdown": auto_shutdown})


def test_two_children_of_one_id_are_refused() -> None:
    """The second one is named, and the table keeps the first."""
    policy = Policy("one_for_one", Intensity(1, 5))
    policy.add(ChildEntry("a", "transient"))
    with pytest.raises(SpecError, match="id='a': two children have this id"):
        policy.add(ChildEntry("a"))
    assert "transient" == policy.table["a"].restart


@pytest.mark.parametrize("restart", RESTARTS)
@pytest.mark.parametrize("auto_shutdown", ["never", "any_significant", "all_significant"])
def test_a_significant_child_must_be_able_to_end_the_supervisor(
    restart: Any, auto_shutdown: Any
) -> None:
    """It needs auto_shutdown, and a restart type that lets it end."""
    policy = Policy("one_for_one", Intensity(1, 5), auto_shutdown)
    entry = ChildEntry("a", restart, significant=True)
    if auto_shutdown != "never" and restart != "permanent":
        policy.add(entry)
        return
    with pytest.raises(SpecError, match="child 'a': significant=True needs"):
        policy.add(entry)
    assert {} == policy.table
