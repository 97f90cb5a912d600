"""The magics of the extension: `%otp_tree` and `%otp_time`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from ..tree import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop
    from .shell import Shell


def otp_tree(shell: Shell, _: Loop, line: str) -> None:
    """Show the processes as a tree: `%otp_tree`, or from one on: `%otp_tree shop`, `"shop"`."""
    print(tree(shell.ev(line) if line.strip() else None))


def otp_time(_: Shell, loop: Loop, line: str) -> None:
    """Show the time in seconds; `%otp_time virtual` lets waiting take none, `real` ends that."""
    wanted = line.strip()
    if wanted not in ("", "real", "virtual"):
        raise ValueError(f"%otp_time takes real, virtual or nothing, not {wanted!r}")
    if wanted:
        loop.set_virtual(wanted == "virtual")
    print(f"{'virtual' if loop.virtual else 'real'} time, {trio.current_time():.3f} s")


MAGICS: Final[dict[str, Callable[[Shell, Loop, str], None]]] = {
    "otp_tree": otp_tree,
    "otp_time": otp_time,
}
