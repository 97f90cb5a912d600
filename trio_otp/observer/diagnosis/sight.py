"""Gather what the rules of `problems` look at, from the samples and the tables of a run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..._inspect.introspect import loop_of
from ..._process.crash_facts import waiting_place
from ..._process.doing import place_line
from ..._process.runtime import current_process
from ..._util.bounded import shown_text
from ..reading.budget import budget_of, ends_of_children
from ..reading.texts import kind_of, who
from .rules import Problem, Sight, Supervised, problems_in

if TYPE_CHECKING:
    from ..._process.pid import Pid
    from ..._process.process import Process
    from ..hub import Hub


async def problems(
    hub: Hub, memory: dict[Any, Any], arguments: dict[str, Any], *, once: bool
) -> dict[str, Any]:
    """Answer `problems`."""
    found = await look(hub, 3 if once else 1)
    return {"problems": [as_dict(problem) for problem in found]}


async def look(hub: Hub, rounds: int) -> list[Problem]:
    """Return what is wrong with a run."""
    await hub.sample(rounds)
    return problems_in(_sight(hub))


def as_dict(problem: Problem) -> dict[str, Any]:
    """Return a problem as a client gets it."""
    seconds = None if problem.seconds is None else round(problem.seconds, 1)
    subject = problem.pids[0]._number if problem.pids else problem.text
    return {
        "key": f"{problem.kind} {subject}",
        "kind": problem.kind,
        "severity": problem.severity,
        "text": shown_text(problem.text, 1000),
        "pids": [_link(pid) for pid in problem.pids],
        "seconds": seconds,
        "count": problem.count,
        "where": problem.where,
    }


def _link(pid: Pid) -> dict[str, Any]:
    process = pid._process
    return {"pid": pid._number, "name": repr(pid)} if process is None else who(process)


def _sight(hub: Hub) -> Sight:
    tables, now = hub.tables, hub.tables.now()
    supervisors: list[Supervised] = []
    deferred: dict[int, int] = {}
    for process in list(tables.processes.values()):
        with suppress(Exception):  # it has ended meanwhile
            if process.requests:
                deferred.update(_put_off(process))
            loop = loop_of(process)
            if loop is not None:
                has_ends = bool(loop.reports.history)
                ends = ends_of_children(loop, now, restarted=True) if has_ends else []
                number = process.pid._number
                supervisors.append(Supervised(number, budget_of(loop, now), ends))

    def place(number: int) -> str | None:
        with suppress(Exception):
            found = waiting_place(tables.processes[number].task)
            return None if found is None else shown_text(place_line(found), 300)
        return None

    def doing(number: int) -> str:
        with suppress(Exception):
            return kind_of(tables.processes[number].current)
        return "a message"

    drops = list(hub.records.drops.values())
    late = list(tables.timed_out)
    return Sight(
        hub.sampler.table, now, hub.loop(), deferred, supervisors, drops, late, place, doing
    )


def _put_off(process: Process) -> dict[int, int]:
    """Return the processes whose own tasks wait for this one to answer."""
    found: dict[int, int] = {}
    for request in list(process.requests or ()):
        task = request._task
        caller = None if task is None else task.context.get(current_process)
        if caller is not None and caller.task is task and caller is not process:
            found[caller.pid._number] = process.pid._number
    return found
