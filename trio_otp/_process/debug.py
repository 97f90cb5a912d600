"""What watches a server from inside: trace, log, statistics, and functions of the user's.

`Process.debug` is None while nothing of this is on, so that a message costs one attribute test. The
functions of `otp.sys` switch it; `.having(debug=...)` does so from the start.

Follows: Erlang's `sys`, section "Process implementation functions".
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeAlias

import trio

from .._exits.bare import reason_of
from .._exits.errors import SpecError
from .._exits.reasons import ProcessExit
from .._util.bounded import Printable, bounded
from .._util.public import public_in
from .._util.shown import Shown
from ..events import NoticeReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from .._util.blocks import Block
    from .pid import Pid
    from .process import Process

Kind: TypeAlias = Literal[
    "in",  # content: what arrived, client: who waits for an answer to it
    "out",  # content: the answer, client: who gets it
    "noreply",  # a callback is over and has answered nobody; content: None
    "continue",  # content: the token
    "enter",  # state machines: an enter call; content: the state before
    "consume",  # state machines: an event is over; content: the event
    "postpone",  # state machines: an event is kept; content: the event
    "start_timer",  # state machines; content: which time-out, and its seconds
    "insert_timeout",  # state machines: a time-out of zero seconds; content: which
    "module",  # state machines: another class handles what comes; content: the class
    "terminate",  # content: the exit reason
]
Target: TypeAlias = "TextIO | logging.Logger | bool"
# Gets its own state and the event, and returns its next state, or DONE.
DebugFunction: TypeAlias = "Callable[[Any, DebugEvent], Any]"
# Gets a message before its callback does, and gives what is handled in its place.
Gate: TypeAlias = "Callable[[Any], Awaitable[Any]]"
DEFAULT_LOG: Final = 10  # events
DONE: Final = "done"  # what a debug function returns to be removed
_ACCEPTED: Final = (
    "'trace', 'statistics', 'log', ('trace', target), ('log', count), ('log_to_file', path), "
    "('install', function), ('install', function, state) or ('install', function, state, id)"
)


@public_in("sys")
@dataclass(frozen=True, slots=True, repr=False)
class DebugEvent(Printable):
    """Something that a watched process has done.

    Args:
        kind: `in`, `out`, `noreply`, `continue`, `terminate`, and of state machines `enter`,
            `consume`, `postpone`, `start_timer`, `insert_timeout`, `module`.
        pid: the process.
        content: the message, answer, token, event, time-out, class or exit reason.
        client: the `From` of the call, of `in` and `out`.
        state: the state of a state machine, before the event; None for others.
        next_state: the one after it.
    """

    kind: Kind
    pid: Pid
    content: Any = None
    client: Any = None
    state: Any = None
    next_state: Any = None

    def __str__(self) -> str:
        """Return the line of a trace."""
        about = "" if self.content is None else f" {bounded(self.content)}"
        if self.client is not None:
            about += f" {'from' if self.kind == 'in' else 'to'} {self.client!r}"
        if self.state is not None:
            about += f" in state {bounded(self.state)}"
        if self.next_state is not None:
            about += f" => {bounded(self.next_state)}"
        return f"*DBG* {self.pid!r} {self.kind}{about}"


@public_in("sys")
@dataclass(frozen=True, slots=True, repr=False)
class Statistics(Shown, Printable):
    """What `otp.sys.statistics(ref, "get")` gives.

    Args:
        start_time: when counting began, on the clock of the run.
        current_time: when this was taken.
        messages_in: messages handled since.
        messages_out: calls answered since by what a callback returned.
    """

    start_time: float
    current_time: float
    messages_in: int
    messages_out: int

    def _shown(self) -> Block:
        from .._util.blocks import Block  # noqa: PLC0415 - shells of IPython need it

        seconds = self.current_time - self.start_time
        said = f"{self.messages_in} messages in, {self.messages_out} answers out"
        return Block(f"{said}, in {seconds:.3g} s", [])


class Debug:
    """What is switched on for one process."""

    __slots__ = ("_counts", "_file", "_functions", "_log", "_process", "_since", "_target", "gates")

    def __init__(self, process: Process) -> None:
        self._process = process
        self.gates: list[Gate] = []  # of tests; `clear` leaves them alone
        self._target: Target = False
        self._file: TextIO | None = None
        self._log: deque[DebugEvent] | None = None
        self._since: float | None = None
        self._counts = {"in": 0, "out": 0}
        # {id: (function, its state)}
        self._functions: dict[object, tuple[DebugFunction, object]] = {}

    # -- what happens ------------------------------------------------------------------------

    def event(self, kind: Kind, content: object = None, **more: object) -> None:
        """Report an event to all watchers; none of them can hurt the process."""
        event = DebugEvent(kind, self._process.pid, content, **more)
        if kind in self._counts:
            self._counts[kind] += 1
        if self._log is not None:
            self._log.append(event)
        try:
            self._write(event)
        except Exception as exc:
            self._target = False
            self._close_quietly()
            self._notice(f"a trace of {self._process.pid!r} could not be written: {bounded(exc)}")
        for name, (function, state) in list(self._functions.items()):
            self._apply(name, function, state, event)

    def _write(self, event: DebugEvent) -> None:
        if self._file is not None:
            self._file.write(f"{event}\n")
        if isinstance(self._target, logging.Logger):
            self._target.info("%s", event)
        elif self._target is True:
            print_events([event])
        elif self._target is not False:
            self._target.write(f"{event}\n")

    def _apply(
        self, name: object, function: DebugFunction, state: object, event: DebugEvent
    ) -> None:
        try:
            state = function(state, event)
        except (Exception, ProcessExit) as exc:
            state = DONE
            shown = f"{bounded(function)} of {self._process.pid!r}"
            self._notice(f"the debug function {shown} is removed: {bounded(reason_of(exc))}")
        self._functions[name] = (function, state)
        if isinstance(state, str) and state == DONE:
            self.remove(name)

    async def admit(self, message: object) -> object:
        """Hold a message at the gates; return what is handled in its place."""
        process = self._process
        for gate in list(self.gates):
            process.take_up(message)
            message = await gate(message)
        process.put_down()
        return message

    def _notice(self, text: str) -> None:
        self._process.runtime.events.emit("notice", NoticeReport(self._process.pid, text))

    # -- what is on --------------------------------------------------------------------------

    def settle(self) -> None:
        """Take effect: a process that nobody watches has no Debug."""
        self._process.debug = self if self.options or self.gates else None

    @property
    def options(self) -> tuple[str, ...]:
        """List what is on."""
        is_on = {
            "trace": self._target is not False,
            "log": self._log is not None,
            "statistics": self._since is not None,
            "log_to_file": self._file is not None,
        }
        functions = [f"install {bounded(name)}" for name in self._functions]
        return (*(name for name, on in is_on.items() if on), *functions)

    @property
    def events(self) -> tuple[DebugEvent, ...]:
        """Return the log, oldest first."""
        return tuple(self._log or ())

    @property
    def statistics(self) -> Statistics | None:
        """Return what has been counted; None if nothing is."""
        if self._since is None:
            return None
        counts = self._counts
        return Statistics(self._since, trio.current_time(), counts["in"], counts["out"])

    # -- switches ----------------------------------------------------------------------------

    def trace(self, target: Target) -> None:
        """Write every event to standard output (True), a stream or a logger; or stop (False)."""
        self._target = target

    def count(self, on: bool) -> None:
        """Begin to count, at 0, or stop."""
        self._since = trio.current_time() if on else None
        self._counts = {"in": 0, "out": 0}

    def keep(self, count: int | None) -> None:
        """Keep the last events, or none any more."""
        self._log = None if count is None else deque(self._log or (), maxlen=count)

    def write_to(self, path: Any) -> None:
        """Write every event to a new file, or close the present one."""
        file = None if path is None else _open(Path(path))
        self.close()
        self._file = file
        if file is not None:
            self._process.add_watcher(self._died)

    def try_to_write_to(self, path: object) -> None:
        """As `write_to`; a file that cannot be opened is reported."""
        try:
            self.write_to(path)
        except OSError as exc:
            self._notice(f"the log file of {self._process.pid!r} cannot be opened: {exc}")

    def install(self, name: object, function: DebugFunction, state: object) -> None:
        """Show a function every event; one of the same id stays as it is."""
        self._functions.setdefault(name, (function, state))

    def remove(self, name: object) -> None:
        """Take a function away, by its id."""
        self._functions.pop(name, None)
        self.settle()

    def clear(self) -> None:
        """Switch everything off."""
        self.close()
        self._target, self._log, self._since = False, None, None
        self._functions.clear()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._process.remove_watcher(self._died)
            file, self._file = self._file, None
            file.close()

    def _died(self, _: Process) -> None:
        self._close_quietly()

    def _close_quietly(self) -> None:
        with suppress(OSError, ValueError):  # of a disk that is full
            self.close()


def _open(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", buffering=1)  # each line is there at once


def debug_of(process: Process) -> Debug:
    """Return what watches a process, or something new that does not yet."""
    return Debug(process) if process.debug is None else process.debug


def print_events(events: Iterable[DebugEvent]) -> None:
    """Print events to standard output, one a line."""
    for event in events:
        sys.stdout.write(f"{event}\n")


def is_target(target: object) -> bool:
    """Check whether a trace can be written there."""
    return isinstance(target, bool) or hasattr(target, "write") or hasattr(target, "info")


def check_debug(options: Any) -> None:
    """Refuse debug options that are none.

    Raises:
        SpecError: the text says what is accepted.
    """
    if options.__class__ not in (tuple, list) or not all(map(_is_option, options)):
        raise SpecError(f"debug={bounded(options)}: expected a list of {_ACCEPTED}")


def _is_option(option: Any) -> bool:
    match option:
        case "trace" | "statistics" | "log" | ("log_to_file", str() | os.PathLike()):
            return True
        case ("trace", target):
            return is_target(target)
        case ("log", int() as count):
            return count > 0 and count is not True
        case ("install", function) | ("install", function, _) | ("install", function, _, _):
            return callable(function)
        case _:
            return False


def switch_on(process: Process, options: Iterable[Any]) -> None:
    """Switch on what `.having(debug=...)` says."""
    debug = Debug(process)
    for option in options:
        match option:
            case "trace":
                debug.trace(True)
            case "statistics":
                debug.count(True)
            case "log":
                debug.keep(DEFAULT_LOG)
            case ("log", count):
                debug.keep(count)
            case ("trace", target):
                debug.trace(target)
            case ("log_to_file", path):
                debug.try_to_write_to(path)
            case _:
                _, function, *more = option
                state, name = (*more, None, None)[:2]
                debug.install(function if name is None else name, function, state)
    debug.settle()
