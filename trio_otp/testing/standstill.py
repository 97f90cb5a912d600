"""A run in which everybody waits, and nothing is left that could wake anybody: the test fails.

A virtual clock is asked to jump when no task can run, no input has come, and nobody waits for just
that moment. If there is no deadline to jump to, only what is outside of the run can wake a task: a
file, a socket or a program, which Trio counts, or who has the `TrioToken` of the run: a thread, a
handler of signals, a server that `otp.watch` follows, which another thread may change. Where there
is one of these nothing is said, and the test waits as before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakKeyDictionary

import trio

from .._exits.log_text import USERS, nearness
from .._inspect.dump import all_tasks, names_text, tasks_below
from .._process.crash_facts import waiting_place
from .._process.doing import place_text, state_text
from .._process.runtime import runtime
from .._util.bounded import visible
from .._util.copies import PortableError
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY: Final = 20  # lines that tell who waits
TIMES: Final = 3  # that one task is told
RESTING: Final = ("idle", "asleep")
OWN_INPUT: Final = 1  # what Trio itself waits for: the socket by which a thread wakes it
ALL_WAIT: Final = (
    "everybody waits for ever: no task can run, no time-out or timer is left to jump to, and no "
    "file, socket, program or thread can wake anybody"
)


@public_in("testing")
class Standstill(PortableError, AssertionError):
    """Everybody in a run with virtual time waits, and nothing will ever wake anybody.

    It is raised where the test waits. The text says what each process and each task waits for.
    """


class Lookout:
    """Looks, for a clock, whether its run has come to a standstill, and ends the test that has."""

    def __init__(self) -> None:
        self._told: WeakKeyDictionary[trio.lowlevel.Task, int] = WeakKeyDictionary()  # how often

    def look(self) -> None:
        """Raise an error where the test waits, if it waits for ever.

        The test may not end of it, as it waits again in a `finally`, or for others in a nursery. So
        it is told more than once, and if it cannot be told, others are. If nobody is left the run
        is broken off.
        """
        root: Any = trio.lowlevel.current_root_task()
        if root is None or _can_be_woken(root._runner):
            return
        error = Standstill("\n  ".join([ALL_WAIT, *_who_waits()]))
        for task in _tasks_of_test(root._runner.main_task):
            told = self._told.get(task, 0)
            if told < TIMES and task._abort_func is not None:
                self._told[task] = told + 1
                _raise_in(task, error)
                return
        raise trio.TrioInternalError(f"the run does not end: {error}") from error


def _can_be_woken(runner: Any) -> bool:
    """Check whether anything from outside of the run may wake one of its tasks."""
    # The token first: a thread may wake a task and let go of the token at any moment.
    if runner.is_guest or _others_have_token():  # the other loop of a guest may wake tasks
        return True
    waits = trio.lowlevel.current_statistics()
    io = waits.io_statistics
    counts = [getattr(io, name) for name in dir(io) if not name.startswith("_")]
    inputs = sum(count for count in counts if isinstance(count, int))
    return inputs > OWN_INPUT or waits.run_sync_soon_queue_size > 0


def _others_have_token() -> bool:
    """Check whether anybody but the run itself has its token."""
    token = trio.lowlevel.current_trio_token()
    holder = [object()]
    other = holder[0]  # held as the token is: by its owner, and by a variable here
    return sys.getrefcount(token) > sys.getrefcount(other)


def _tasks_of_test(main: trio.lowlevel.Task) -> Iterator[Any]:
    """Return whom to tell: first the task of a test of pytest-trio, then the main task."""
    below = [*tasks_below(main)]
    yield from (task for task in below if task.name.startswith("<test "))
    yield from below


def _who_waits() -> list[str]:
    """Describe what each process and each task of a user waits for, those that rest last."""
    processes = [each for each in runtime().processes.values() if not each.is_remote]
    states = {process: state_text(process) for process in processes}
    known = {process.task for process in processes}
    lines = [
        *(f"{each.pid!r}: {text}" for each, text in states.items() if text not in RESTING),
        *(text for task in all_tasks() if task not in known and (text := _waiting(task))),
    ]
    if len(lines) > MANY:
        lines[MANY:] = [f"and {len(lines) - MANY} more"]
    resting = [repr(each.pid) for each, text in states.items() if text in RESTING]
    if resting:
        lines.append(f"at rest: {names_text(resting)}")
    return lines


def _waiting(task: trio.lowlevel.Task) -> str | None:
    """Describe where a task waits in code of a user; None if it waits elsewhere."""
    place = waiting_place(task)
    if place is None or nearness(place) < USERS:
        return None
    return f"task {visible(task.name)}: at {place_text(place)}"


def _raise_in(task: Any, error: Standstill) -> None:
    """Raise an error in a task that waits, as Trio does with a Ctrl-C."""

    def raise_error() -> NoReturn:
        raise error

    task._attempt_abort(raise_error)
