"""How a person names a process: by number, name or label, in one word of text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..._util.bounded import bounded, shown_text
from ..._util.checks import ends_of, nearest
from ..session.protocol import Refused

if TYPE_CHECKING:
    from ..._process.process import Process
    from ..._process.runtime import Runtime

_PID: Final = re.compile(r"<Pid (\d{1,18})\b.*>|(\d{1,18})", re.DOTALL)
QUOTE: Final = "'"  # around a name that is a str
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
    named = tables.names.get(text)
    if named is not None:
        return named
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
    some = ends_of({process.name or process.label: None for process in processes})
    known = {typed for name in some for typed in names_of(name)}
    close = nearest(text, known)
    meant = "" if close is None else f"; did you mean {close.strip(QUOTE)}?"
    raise Refused("NoProcess", f"no process {bounded(text)}{meant}")
