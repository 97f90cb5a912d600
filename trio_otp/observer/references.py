"""How a person names a process: by number, name or label, in one word of text."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from .._util.bounded import bounded, shown_text
from .protocol import Refused

if TYPE_CHECKING:
    from .._process.process import Process
    from .._process.runtime import Runtime

_PID: Final = re.compile(r"<Pid (\d+)\b.*>|(\d+)", re.DOTALL)
_LISTED: Final = 5  # pids, where several have one label


def find(tables: Runtime, ref: str | int) -> Process:
    """Return the process that is meant; another thread may ask.

    Args:
        tables: those of the run.
        ref: its number, its name, or its label if no other has that; a name may have quotes.

    Raises:
        Refused: there is none, as `NoProcess`, or more than one, as `Ambiguous`.
    """
    text = str(ref).strip()
    found = _PID.fullmatch(text)
    if found is not None:
        process = tables.processes.get(int(found[1] or found[2]))
        if process is not None:
            return process
    for name, process in list(tables.names.items()):
        if text in names_of(name):
            return process
    return _by_label(list(tables.processes.values()), text)


def names_of(name: object) -> set[str]:
    """Return how a name may be typed: as it is shown, and without its quotes."""
    return {bounded(name), *([shown_text(name)] if isinstance(name, str) else [])}


def _by_label(processes: list[Process], text: str) -> Process:
    fits = [process for process in processes if shown_text(process.label) == text]
    if len(fits) > 1:
        numbers = [str(process.pid._number) for process in fits[:_LISTED]]
        more = ", ..." if len(fits) > _LISTED else ""
        raise Refused("Ambiguous", f"{len(fits)} are called {text}: {', '.join(numbers)}{more}")
    if fits:
        return fits[0]
    if _PID.fullmatch(text):
        raise Refused("NoProcess", f"no process {shown_text(text)}; it may have ended")
    known = {typed for process in processes for typed in names_of(process.name or process.label)}
    close = get_close_matches(text, known, n=1)
    raise Refused("NoProcess", f"no process {bounded(text)}{_meant(close)}")


def _meant(close: list[str]) -> str:
    return f"; did you mean {close[0].strip(chr(39))}?" if close else ""
