"""What holds of every trace of trio_otp, whatever OTP would do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Trace = dict[str, Any]
Scenario = dict[str, Any]
TOLD = ["exit", "shutdown"]


def broken(scenario: Scenario, trace: Trace) -> list[str]:
    """Say which invariants a trace breaks."""
    return [
        *orphans(trace),
        *open_calls(scenario, trace),
        *changed_answers(scenario, trace),
        *too_many_restarts(scenario, trace),
        *wrong_orders(scenario, trace),
    ]


def base_of(instance: str) -> str:
    """Return the definition's name of an instance."""
    return instance.partition("#")[0]


# -- nothing is orphaned -------------------------------------------------------------------------


def parents(trace: Trace) -> dict[str, str]:
    """Return the supervisor of each child that one started."""
    return {
        entry[1]: supervisor
        for supervisor, log in trace.get("sups", {}).items()
        for entry in log
        if entry[0] == "start"
    }


def orphans(trace: Trace) -> Iterator[str]:
    """Nobody lives whose supervisor is dead, unless it was killed: a child may clean up then."""
    above = parents(trace)
    for instance in trace["alive"]:
        supervisor = above.get(instance)
        if supervisor is not None and supervisor not in trace["alive"]:
            reason = trace["procs"][supervisor][-1]
            if reason != ["exit", "killed"]:
                yield f"{instance} lives, {supervisor} does not: {reason}"


# -- every call is answered once -----------------------------------------------------------------


def polls(scenario: Scenario, trace: Trace) -> dict[str, list[Any]]:
    """Return what each call's polls found, in order."""
    found: dict[str, list[Any]] = {}
    for number, op, result in trace["driver"]:
        if op == "call_poll":
            found.setdefault(scenario["steps"][number][1], []).append(result)
    return found


def open_calls(scenario: Scenario, trace: Trace) -> Iterator[str]:
    """At the end, when the tree is stopped, no caller waits, but of one that still lives."""
    living = {base_of(instance) for instance in trace["alive"]}
    unmade = {number for number, _, result in trace["driver"] if result == "never_started"}
    target_of = {
        step[1]: step[2]
        for number, step in enumerate(scenario["steps"])
        if step[0] == "call_start" and number not in unmade
    }
    for key, results in polls(scenario, trace).items():
        target = target_of.get(key)
        if results[-1] is None and target is not None and target not in living:
            yield f"{key} was never answered; {target} is dead"


def changed_answers(scenario: Scenario, trace: Trace) -> Iterator[str]:
    """A call that has its answer keeps it."""
    for key, results in polls(scenario, trace).items():
        answers = [result for result in results if result is not None]
        if any(answer != answers[0] for answer in answers):
            yield f"{key} was answered more than once: {answers}"


# -- the intensity is never exceeded -------------------------------------------------------------


def too_many_restarts(scenario: Scenario, trace: Trace) -> Iterator[str]:
    """No child is started more often than the supervisor may restart, and was told to start it.

    A restart, be it of one child or of all, starts a child once at most; one that fails counts.
    """
    told = Counter(
        step[1] for step in scenario["steps"] if step[0] in ("start_child", "restart_child")
    )
    for supervisor, log in trace.get("sups", {}).items():
        definition = scenario["defs"][base_of(supervisor)]
        dynamic = definition["kind"] == "dynamic_supervisor"
        limit = definition["max_restarts"] + told[base_of(supervisor)] + (not dynamic)
        starts = Counter(base_of(entry[1]) for entry in log if entry[0] == "start")
        for child, count in starts.items():
            if count > limit:
                yield f"{supervisor} started {child} {count} times, at most {limit} are allowed"


# -- children stop in reverse order --------------------------------------------------------------


def wrong_orders(scenario: Scenario, trace: Trace) -> Iterator[str]:
    """A supervisor that was told to end stopped its children in reverse order of their places."""
    lived = living_at_last(trace)
    for supervisor, log in trace.get("sups", {}).items():
        definition = scenario["defs"][base_of(supervisor)]
        if definition["kind"] != "supervisor" or trace["procs"][supervisor][-1] != TOLD:
            continue
        places = [spec["start"] for spec in definition["children"]]
        ended = [base_of(entry[1]) for entry in log if entry[0] == "exit" and entry[1] in lived]
        stopped = [places.index(name) for name in ended if name in places]
        if stopped != sorted(stopped, reverse=True):
            yield f"{supervisor} stopped its children in the order {ended}"


def living_at_last(trace: Trace) -> set[str]:
    """Return the processes that the last look at the tree found."""
    looks = [result for _, op, result in trace["driver"] if op == "tree"]
    return set(found_in(looks[-1])) if looks else set()


def found_in(value: Any) -> Iterator[str]:
    """Return the instances that a look at a tree shows."""
    for part in value if isinstance(value, list) else []:
        yield from [part] if isinstance(part, str) and "#" in part else found_in(part)
