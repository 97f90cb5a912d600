"""Running one scenario: its driver on a virtual clock, and the trace it leaves."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

from .children import TARGETS
from .features import CONDITIONS, features
from .programs import OPERATIONS, RETURNS, drive
from .world import Env, World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .rules import Applied

for _module in (
    "machines",
    "agents",
    "ops_process",
    "ops_supervisor",
    "ops_registry",
    "ops_application",
    "ops_task",
    "ops_event",
):
    importlib.import_module(f"{__package__}.{_module}")  # they enter their kinds and operations

VIRTUAL_LIMIT: Final = 10_000.0  # seconds of virtual time after which a scenario is broken
STEP_LIMIT: Final = 30_000  # steps of tasks, and messages handled, after which it is


class Unsupported(Exception):
    """A scenario needs what the adaptor does not have; the text names it."""


class Broken(Exception):
    """A scenario did not come to its end."""


@dataclass
class Result:
    """What a run gave."""

    trace: dict[str, Any]
    rules: Applied


class Ground(otp.Application):
    """What the block is opened with in which the applications of a scenario live."""


class StepLimit(trio.abc.Instrument):
    """Cancels a scope when too much has happened: something runs round in circles."""

    def __init__(self) -> None:
        self.steps = 0
        self.scope = trio.CancelScope()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a step of a task."""
        self.count()

    def count(self, *_: object) -> None:
        """Count a step, or a message that is handled: the listener of `handle_start`."""
        self.steps += 1
        if self.steps == STEP_LIMIT:
            self.scope.cancel()


def missing(scenario: dict[str, Any]) -> list[str]:
    """Name what a scenario needs and the adaptor does not have."""
    known = (
        {f"kind {kind}" for kind in (*TARGETS, "app", "handler")}
        | set(OPERATIONS)
        | RETURNS
        | set(CONDITIONS)
    )
    return sorted(set(features(scenario)) - known)


def run_scenario(
    scenario: dict[str, Any], instruments: Iterable[trio.abc.Instrument] = ()
) -> Result:
    """Run a scenario and give its trace.

    Args:
        scenario: what to run.
        instruments: what watches the run besides the limit of steps.

    Raises:
        Unsupported: it needs what the adaptor does not have.
        Broken: it did not come to its end.
    """
    if lacking := missing(scenario):
        raise Unsupported(", ".join(lacking))
    limit = StepLimit()
    clock = MockClock(autojump_threshold=0)
    result: Result | None = trio.run(
        _play, scenario, limit, clock=clock, instruments=[limit, *instruments]
    )
    if result is None:
        raise Broken(f"no end after {limit.steps} steps or {VIRTUAL_LIMIT:g} s")
    return result


async def _play(scenario: dict[str, Any], limit: StepLimit) -> Result | None:
    result = None
    async with trio.open_nursery() as nursery, otp.open_application(Ground):
        world = World(scenario, nursery)
        otp.events.attach("process_exit", world.record.died)
        otp.events.attach("handle_start", limit.count)
        async with otp.open_process(trap_exit=True) as driver:
            world.record.bind("driver", driver)
            with limit.scope, trio.move_on_after(VIRTUAL_LIMIT):
                await drive(scenario["steps"], Env(world, "driver"))
                await wait_all_tasks_blocked()
                result = Result(world.record.trace(scenario), world.rules)
            otp.events.detach("process_exit", world.record.died)
            _kill_all(world)
    return result


def _kill_all(world: World) -> None:
    """Kill what the scenario started, oldest first, supervisors before what they would restart."""
    for instance, pid in world.record.pids.items():
        if instance != "driver":
            otp.exit(pid, otp.KILL)
