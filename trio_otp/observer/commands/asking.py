"""What the commands that look into a program share: which one, what it says first, errors."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._util.bounded import bounded
from ..socket.client import Client, Refused, Silent, Unreachable
from ..socket.discovery import NotChosen, choose, programs
from .terminal import complain, write, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..socket.client import Answer
    from ..socket.discovery import Program

SAID_NO: Final = 1  # exit status: the program answers with an error, or has problems
FAILED: Final = 2  # exit status: the command could not be carried out
WHY_SILENT: Final = "; it may be stopped, or code in C may hold the interpreter"
INTERRUPTED: Final = 130  # exit status, as that of a program that Ctrl-C ends


def carry_out(command: Callable[[], int]) -> int:
    """Carry out a command, and say what is wrong in a line instead of a traceback."""
    _replace_closed()
    with suppress(AttributeError):  # a stream that somebody has put in the place of stdout
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # see above
    try:
        status = command()
        sys.stdout.flush()
    except Refused as exc:
        write(stuck_lines(exc.loop))
        complain([str(exc)])
        return SAID_NO
    except (NotChosen, Unreachable) as exc:
        complain(exc.args)
        return FAILED
    except BrokenPipeError:  # as with `| head`: who reads has had enough
        _give_up_stdout()
        return 0
    except OSError as exc:  # no room where the output goes
        _give_up_stdout()
        complain([f"the output cannot be written: {exc.strerror or exc}"])
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _replace_closed() -> None:
    """Put something in the place of streams that are closed, as by `>&-`; Python has None there."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.StringIO())


def _give_up_stdout() -> None:
    """Have nothing that is left be written at the end, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def chosen(given: argparse.Namespace) -> Program:
    """Return the program that a command line means.

    Raises:
        NotChosen: none, or more than one.
        Unreachable: it does not answer.
    """
    program = choose(programs(), pid=given.pid, name=given.name)
    if program.silent is not None:
        why = WHY_SILENT if isinstance(program.silent, Silent) else ""
        raise Unreachable(f"program {program.pid} does not answer: {program.silent}{why}")
    return program


def connected(given: argparse.Namespace, patience: float = 30.0) -> Client:
    """Connect to the program that a command line means.

    Raises:
        NotChosen: as `chosen`.
        Unreachable: it cannot be reached.
    """
    program = chosen(given)
    try:
        return Client(program.path, program.owner, patience)
    except OSError as exc:
        raise Unreachable(f"program {program.pid}: {exc.strerror or exc}") from None


def shown(
    given: argparse.Namespace,
    client: Client,
    answer: Answer,
    lines: Callable[[dict[str, Any]], list[str]],
) -> int:
    """Write an answer, as text or as JSON; that the loop is stuck comes first in both."""
    if given.json:
        names = {name: client.hello.get(name) for name in ("program", "pid")}
        write_json({"loop": answer.loop, **names, "result": answer.result})
    else:
        write([*stuck_lines(answer.loop), *_readable(lines, answer.result)])
    return 0


def _readable(lines: Callable[[dict[str, Any]], list[str]], result: dict[str, Any]) -> list[str]:
    try:
        return lines(result)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as exc:
        raise Unreachable(f"its answer cannot be read: {bounded(exc)}") from None


def stuck_lines(loop: dict[str, Any] | None) -> list[str]:
    """Return the line that tells where the loop is stuck; none if it is not."""
    if loop is None:
        return []
    who = "" if loop.get("pid") is None else f", {loop['pid']} {loop.get('name')}"
    return [f"the loop has not answered for {loop.get('stuck')} s: {loop.get('where')}{who}"]
