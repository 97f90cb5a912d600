"""The magics of the extension: functions of what follows their name on the line."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from .._exits.errors import OtpError, WrongServer
from .._inspect.tree import tree
from .._process.debug import debug_of
from .._process.names import class_name, need_living, takes_messages
from .._process.runtime import runtime
from .._util.bounded import shown_text
from .display import Output
from .references import reference
from .top import ROWS, Top
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .crash_lines import CrashLines
    from .loop import Loop
    from .shell import Shell


@dataclass
class Loaded:
    """What a magic works with."""

    shell: Shell
    loop: Loop
    crashes: CrashLines
    top: Top = field(default_factory=Top)
    watches: dict[str, Watch] = field(default_factory=dict[str, Watch])  # {magic: its output}

    def watch(self, name: str, draw: Callable[[], object]) -> None:
        """Show what a function returns, now and later, in an output of the present cell."""
        if getattr(self.shell, "kernel", None) is None:
            raise ValueError(
                f"{name} --watch: a terminal cannot change what it has shown; "
                "`await otp.observer.start()` draws there"
            )
        self.unwatch(name)
        watch = self.watches[name] = Watch(self.shell, self.loop, draw)
        watch.start()

    def unwatch(self, *names: str) -> None:
        """Leave outputs as they are."""
        for name in names or tuple(self.watches):
            if (watch := self.watches.pop(name, None)) is not None:
                watch.stop()


def otp_tree(loaded: Loaded, line: str) -> None:
    """Draw the processes as a tree, or those under one: `%otp_tree`, `%otp_tree shop`.

    `--watch` keeps the drawing up to date while cells run, until `--stop`.
    """
    options, text = _options("%otp_tree", line, "--watch", "--stop")
    if "--stop" in options:
        loaded.unwatch("%otp_tree")
        return

    ref = reference(loaded.shell, text) if text else None  # once: what a watch is of stays the same

    def draw() -> str:
        return tree(ref)

    if "--watch" in options:
        draw()  # a wrong reference is an error of this cell
        loaded.watch("%otp_tree", lambda: _drawn_or_said(draw))
    else:
        Output(loaded.shell).show(draw())


def _drawn_or_said(draw: Callable[[], str]) -> object:
    try:
        return draw()
    except OtpError as exc:  # it has ended; a name may come back
        return _Said(str(exc))


class _Said:
    """A text that is shown without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return shown_text(self._text)


def otp_top(loaded: Loaded, line: str) -> None:
    """Show the processes with the most to do, or so many of them: `%otp_top`, `%otp_top 30`.

    `--watch` keeps the table up to date while cells run, until `--stop`.
    """
    options, text = _options("%otp_top", line, "--watch", "--stop")
    if text and not text.isdecimal():
        raise ValueError(f"%otp_top {text!r}: expected how many processes to show, or nothing")
    if "--stop" in options:
        loaded.unwatch("%otp_top")
        return
    rows = int(text) if text else ROWS
    if "--watch" in options:
        loaded.watch("%otp_top", partial(Top().look, rows))
    else:
        Output(loaded.shell).show(loaded.top.look(rows))


def otp_trace(loaded: Loaded, line: str) -> None:
    """Print what a process gets and answers, below the cell that runs: `%otp_trace shop`.

    `%otp_trace --stop shop` ends it, `%otp_trace --stop` ends all.
    """
    options, text = _options("%otp_trace", line, "--stop")
    if not options and not text:
        raise ValueError("%otp_trace: expected a name, or --stop")
    if text:
        processes = [need_living(reference(loaded.shell, text))]
    else:
        processes = [each for each in runtime().processes.values() if each.debug is not None]
    for process in processes:
        _trace(process, "--stop" not in options)


def _trace(process: Process, on: bool) -> None:
    """Switch the trace of a process, between two of its steps; its mailbox may be full."""
    if not takes_messages(process):
        raise WrongServer("%otp_trace", process.pid, class_name(process))
    debug = debug_of(process)
    debug.trace(on)
    debug.settle()


def otp_time(loaded: Loaded, line: str) -> None:
    """Show the time in seconds; `%otp_time virtual` lets waiting take none, `real` ends that."""
    loop, wanted = loaded.loop, line.strip()
    if wanted not in ("", "real", "virtual"):
        raise ValueError(f"%otp_time {wanted!r}: expected real, virtual or nothing")
    if wanted:
        loop.set_virtual(wanted == "virtual")
    print(f"{'virtual' if loop.virtual else 'real'} time, {trio.current_time():.3f} s")


def otp_crashes(loaded: Loaded, line: str) -> None:
    """List the crashes, with the report of the last one; `%otp_crashes 3` shows that of the third.

    A report begins with the lines of your code.
    """
    wanted = line.strip()
    if wanted and not wanted.isdecimal():
        raise ValueError(f"%otp_crashes {wanted!r}: expected the number of a crash or nothing")
    print(loaded.crashes.report(int(wanted)) if wanted else loaded.crashes.overview())


def _options(magic: str, line: str, *known: str) -> tuple[set[str], str]:
    """Return the options at the beginning or the end of a line, and what is left of it."""
    options: set[str] = set()
    text = line.strip()
    while (words := text.rsplit(maxsplit=1))[1:] and words[1] in known:
        text = words[0]
        options.add(words[1])
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        text = text.strip()
        if option not in known:
            raise ValueError(f"{magic} {option}: expected {' or '.join(known)}, or a name")
        options.add(option)
    return options, text


MAGICS: Final[dict[str, Callable[[Loaded, str], None]]] = {
    "otp_tree": otp_tree,
    "otp_top": otp_top,
    "otp_trace": otp_trace,
    "otp_time": otp_time,
    "otp_crashes": otp_crashes,
}

# How a line goes on: {magic: (its options, whether it takes the name of a process)}.
COMPLETED: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "otp_tree": (("--stop", "--watch"), True),
    "otp_top": (("--stop", "--watch"), False),
    "otp_trace": (("--stop",), True),
}
