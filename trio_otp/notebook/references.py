"""What stands behind a magic: a name without quotes, a variable, an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._gen_server.client import Client
from .._process.pid import Pid
from .._process.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._process.names import Ref
    from .loop import Loop
    from .shell import Shell


def reference(shell: Shell, text: str) -> Ref:
    """Return what a text means: a variable that leads to a process, a name, or an expression.

    What is none of these is taken for a name, so that the error tells of names.

    Args:
        shell: it has the variables.
        text: as it was written behind a magic.
    """
    value = shell.user_ns.get(text)
    if (found := _of_variable(value)) is not None:
        return found
    if text in runtime().names:
        return text
    try:
        value = shell.ev(text)
    except Exception:  # whatever it is, it is no expression
        return text
    return _of_variable(value) or value


def _of_variable(value: Any) -> Ref | None:
    """Return the reference that a variable is, or that of a client."""
    ref: Ref | None = value.ref if isinstance(value, Client) else None
    return value if type(value) is Pid else ref


def known_names(shell: Shell, loop: Loop) -> list[str]:
    """Return the names that processes have, and the variables that lead to one; from any thread."""
    names = {name for name in list(loop.names) if type(name) is str}
    for name, value in list(shell.user_ns.items()):
        if isinstance(value, Pid | Client) and not name.startswith("_"):
            names.add(name)
    return sorted(names)


def completions(
    written: str, symbol: str, options: Iterable[str], names: Iterable[str]
) -> list[str]:
    """Return how a line of a magic can go on, from its last word on.

    Args:
        written: what stands behind the magic.
        symbol: its last word, as the shell takes words apart; a name may have several.
        options: those of the magic.
        names: those that it takes.

    >>> completions(" --watch tea s", "s", ["--watch"], ["tea", "tea shop", "tea stall"])
    ['shop', 'stall']
    >>> completions(" --w", "--w", ["--stop", "--watch"], ["tea"])
    ['--watch']
    """
    begun = written.lstrip()
    while begun.startswith("--") and " " in begun:
        begun = begun.partition(" ")[2].lstrip()
    before = len(begun) - len(symbol) if begun.endswith(symbol) else 0
    return [each[before:] for each in (*options, *names) if each.startswith(begun)]
