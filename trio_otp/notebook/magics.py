"""The magics of the extension: `%otp_tree`, `%otp_time` and `%otp_report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from .._inspect.tree import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from .crash_lines import CrashLines
    from .loop import Loop
    from .shell import Shell


class Loaded(NamedTuple):
    """What a magic works with."""

    shell: Shell
    loop: Loop
    crashes: CrashLines


def otp_tree(loaded: Loaded, line: str) -> None:
    """Show the processes as a tree: `%otp_tree`, or from one on: `%otp_tree shop`, `"shop"`."""
    print(tree(loaded.shell.ev(line) if line.strip() else None))


def otp_time(loaded: Loaded, line: str) -> None:
    """Show the time in seconds; `%otp_time virtual` lets waiting take none, `real` ends that."""
    loop, wanted = loaded.loop, line.strip()
    if wanted not in ("", "real", "virtual"):
        raise ValueError(f"%otp_time {wanted!r}: expected real, virtual or nothing")
    if wanted:
        loop.set_virtual(wanted == "virtual")
    print(f"{'virtual' if loop.virtual else 'real'} time, {trio.current_time():.3f} s")


def otp_report(loaded: Loaded, line: str) -> None:
    """Show the whole report of a crash: the last one, or that of a number, `%otp_report 3`."""
    wanted = line.strip()
    if wanted and not wanted.isdecimal():
        raise ValueError(f"%otp_report {wanted!r}: expected the number of a report or nothing")
    print(loaded.crashes.report(int(wanted) if wanted else None))


MAGICS: Final[dict[str, Callable[[Loaded, str], None]]] = {
    "otp_tree": otp_tree,
    "otp_time": otp_time,
    "otp_report": otp_report,
}
