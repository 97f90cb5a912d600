"""Show the error of a cell: with the frames of the user, and not those of Trio and this library.

The crash of a server has its own line and its report. The call that it has ended shows its own
error, and not the crash once more. `%tb` and the error itself still have everything.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import outcome

from .._exits.bare import chain_of
from .._exits.call_errors import ServerExited
from .._exits.log_text import LIBRARIES
from .cell import current_cell

if TYPE_CHECKING:
    from collections.abc import Generator

    from .shell import Shell

# Their frames are not shown; outcomes are how a result comes to the task that waits.
_HIDDEN: Final = (*LIBRARIES, f"{Path(outcome.__file__).parent}{os.sep}")


def show_error(
    shell: Shell,
    kind: type[BaseException],
    error: BaseException,
    where: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show an error; the cancellation of an interrupted cell as what it is."""
    cell = current_cell()
    if cell is not None and cell.cancelled_by(error):
        kind, error = KeyboardInterrupt, KeyboardInterrupt()
    with _shortened(error):
        shell.showtraceback((kind, error, without_libraries(where)), tb_offset=tb_offset)


@contextmanager
def _shortened(error: BaseException) -> Generator[None]:
    """Take out of an error and its chain what is not shown, and put it back at the end."""
    whole = [(each, each.__traceback__) for each in chain_of(error)]
    cause, suppressed = error.__cause__, error.__suppress_context__
    for each, where in whole:
        each.__traceback__ = without_libraries(where)
    if isinstance(error, ServerExited):
        error.__cause__ = None
        error.__suppress_context__ = True
    try:
        yield
    finally:
        for each, where in whole:
            each.__traceback__ = where
        error.__cause__, error.__suppress_context__ = cause, suppressed


def without_libraries(where: TracebackType | None) -> TracebackType | None:
    """Return a traceback without frames of Trio and of this library, unless it has no others."""
    kept: list[TracebackType] = []
    each = where
    while each is not None:
        if not each.tb_frame.f_code.co_filename.startswith(_HIDDEN):
            kept.append(each)
        each = each.tb_next
    shown: TracebackType | None = None
    for each in reversed(kept):
        shown = TracebackType(shown, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return where if shown is None else shown
