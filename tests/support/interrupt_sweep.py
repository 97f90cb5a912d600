"""Ctrl-C before each line that the library runs without protection, one run for each line.

A run stands for a whole program. It has to end by the Ctrl-C, with nothing left: what hangs is
found by the virtual clock, which has nothing to jump to, and named by the line.

To watch each line takes ten times as long as to run them. So one run counts and notes the lines,
and how many come before each step of a task; the runs for one of them, which go the same way, are
watched from the step on that has it, and have to press Ctrl-C at the very line that was noted.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from inside import runtime
from trio._core import _run as trio_run
from trio._core._ki import ki_protection_enabled

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import CodeType, FrameType

    from inside import Runtime

    Scenario = Callable[[], Awaitable[object]]

LIBRARY = str(Path(otp.__file__).parent)
# What the library calls that is Python too: an interrupt there comes out in the library.
HELPERS = (str(Path(trio.__file__).parent), contextlib.__file__)
NOBODYS, HELPERS_OWN, OURS = range(3)  # whose code a frame may run
PATIENCE = 10_000.0  # virtual seconds; no scenario takes as long
STEPS = 1_000_000  # lines of one run at which Ctrl-C can get in
REAL_PATIENCE = 20.0  # seconds; a run takes some 20 ms


class Hang(BaseException):
    """A run does not end."""


class Interrupt(trio.abc.Instrument):
    """Presses Ctrl-C before the n-th unprotected line, and keeps where that was.

    Args:
        number: which line, from 1.
        second: how many such lines later it is pressed again, if it comes to that.
        like: a run that went the same way and counted; without it each line is watched.
    """

    def __init__(self, number: int, second: int = 0, like: Counting | None = None) -> None:
        self.number = number
        self.second = second
        self.count = 0
        self.places: list[str] = []
        self.active = False
        self._unwatched = 0 if like is None else like.step_of(number)  # steps before we look
        self._skipped = 0 if like is None else like.steps[self._unwatched]  # lines of these
        self._ours: dict[CodeType, int] = {}  # whose code is: most calls are of nobody's

    def begin(self) -> None:
        """Watch each line from here on, unless it is too early."""
        if not self._unwatched:
            sys.settrace(self.trace)

    def trace(self, frame: FrameType, _event: str, _: object) -> Any:
        """Begin with a frame, or go on with one that waited, as `sys.settrace` calls it.

        Whether it is protected is settled by what called or resumed it, so it is asked once.
        """
        ours = self._ours.get(frame.f_code)
        if ours is None:
            ours = self._ours[frame.f_code] = self._owner(frame.f_code.co_filename)
        if ours == NOBODYS or (ours == HELPERS_OWN and not self._watches(frame.f_back)):
            return None
        frame.f_trace_lines = not ki_protection_enabled(frame)
        return self._line

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and self.active:
            self.count += 1
            if self.count > STEPS:
                raise Hang("it runs in a circle")
            self.at(frame)
        return self._line

    def at(self, frame: FrameType) -> None:
        """Press Ctrl-C before a line, if it is the one."""
        if self.count in (self.number, self.number + self.second):
            self.places.append(place(frame))
            signal.raise_signal(signal.SIGINT)

    def before_task_step(self, _: trio.lowlevel.Task) -> None:
        """Begin to watch; and go on: Python traces no more after a trace function has raised."""
        if self._unwatched:
            self._unwatched -= 1
            if not self._unwatched:
                self.count = self._skipped
                sys.settrace(self.trace)
        elif self.second and self.active:
            sys.settrace(self.trace)

    def _watches(self, frame: FrameType | None) -> bool:
        """Check whether a frame is watched, and not by what measures coverage."""
        return frame is not None and frame.f_trace == self._line

    def _owner(self, file: str) -> int:
        if file.startswith(LIBRARY):
            return OURS
        return HELPERS_OWN if file.startswith(HELPERS) else NOBODYS


class Counting(Interrupt):
    """Counts the lines, and notes what they are and how many come before each step of a task."""

    def __init__(self) -> None:
        super().__init__(0)
        self.steps = [0]

    def at(self, frame: FrameType) -> None:
        """Note a line."""
        self.places.append(place(frame))

    def before_task_step(self, _: trio.lowlevel.Task) -> None:
        """Note how many lines there were before."""
        self.steps.append(self.count)

    def step_of(self, number: int) -> int:
        """Return which step has a line: the first is 1, and 0 is what comes before."""
        return bisect_left(self.steps, number) - 1


def place(frame: FrameType) -> str:
    """Say which line it is."""
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}"


class Ended:
    """How a run ended."""

    def __init__(self, interrupt: Interrupt, error: BaseException | None) -> None:
        self.count = interrupt.count
        self.places = interrupt.places
        self.error = error

    @property
    def pressed(self) -> bool:
        """Check whether Ctrl-C was pressed."""
        return bool(self.places)

    def __repr__(self) -> str:
        return f"{self.error!r} after Ctrl-C at {', '.join(self.places)}"


def run(
    scenario: Scenario, interrupt: Interrupt, *, real: bool = False, prepares: bool = False
) -> Ended:
    """Run a program with Ctrl-C at one line, always the same way.

    Args:
        scenario: the program.
        interrupt: where Ctrl-C is pressed.
        real: it waits for threads or other programs, which no virtual clock knows of.
        prepares: it sets `interrupt.active` itself, when its preparations are over.
    """
    time = None if real else clock(interrupt)
    seen: list[Runtime] = []
    tasks: list[trio.lowlevel.Task] = []

    async def main() -> None:
        seen.append(runtime())
        tasks.append(trio.lowlevel.current_task())
        interrupt.active = not prepares
        try:
            await scenario()
        finally:
            interrupt.active = False

    error: BaseException | None = None
    with ordered(), limited(interrupt):
        before = sys.gettrace()
        interrupt.begin()
        try:
            trio.run(main, clock=time, instruments=[interrupt])
        except BaseException as exc:
            error = exc
        finally:
            sys.settrace(before)
    hang = error
    while hang is not None and not isinstance(hang, Hang):
        hang = hang.__cause__ or hang.__context__
    if hang is not None:
        raise AssertionError(str(hang)) from None
    assert not seen[0].processes, (seen[0].processes, interrupt.places)
    assert not seen[0].names, (seen[0].names, interrupt.places)
    return Ended(interrupt, error)


def clock(interrupt: Interrupt) -> trio.testing.MockClock:
    """Make a virtual clock that raises `Hang` when nothing can happen any more."""
    made = trio.testing.MockClock(autojump_threshold=0)
    jump = made._autojump

    def autojump() -> None:
        left = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if left == float("inf") or made.current_time() > PATIENCE:
            raise Hang(f"hangs after Ctrl-C at {interrupt.places}:\n{stacks()}")
        jump()

    vars(made)["_autojump"] = autojump  # Trio's own cannot be extended
    return made


def stacks() -> str:
    """Show where each task waits."""
    shown = []
    for task in sorted(trio_run.GLOBAL_RUN_CONTEXT.runner.tasks, key=lambda task: task._counter):
        frames = task.iter_await_frames()
        where = " ".join(f"{Path(f.f_code.co_filename).name}:{line}" for f, line in frames)
        shown.append(f"  {task.name}: {where}")
    return "\n".join(shown)


@contextlib.contextmanager
def ordered() -> Iterator[None]:
    """Let the tasks of each run be woken in the same order."""
    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True
    trio_run._r = random.Random(1)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = before
        trio_run._r = random.Random()


@contextlib.contextmanager
def limited(interrupt: Interrupt) -> Iterator[None]:
    """Break a run off that takes long in real time, and name the line."""

    def too_long(_: int, __: object) -> None:
        raise Hang(f"does not end after Ctrl-C at {interrupt.places}")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, REAL_PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
