"""The context of the cells: what one cell sets, as `decimal.getcontext().prec`, the next one finds.

All cells run in one `contextvars.Context`, so a token of one cell fits in another. It is not the
context of the shell, in which the waiting main thread already is; so what is set there, by hooks of
the shell or by Jupyter, which says in this way to which cell an output belongs, is taken over
before each cell. When the extension is unloaded, the shell gets what the cells have set.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from .._process.runtime import current_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._process.process import Process

_MISSING = object()


class Variables:
    """The context of all cells of a notebook; made in the context of the shell."""

    def __init__(self) -> None:
        self._shell = contextvars.copy_context()  # as it was last seen
        self.context: contextvars.Context = self._shell.copy()

    def take_over(self, shell: contextvars.Context, process: Process) -> None:
        """Bring what has changed in the shell into the context of the cells; in the loop."""
        for variable, value in _changes(self._shell, shell):
            self.context.run(variable.set, value)
        self._shell = shell
        self.context.run(current_process.set, process)

    def give_back(self) -> None:
        """Set in the context of the caller, the shell, what cells have set; no cell may run."""
        for variable, value in _changes(self._shell, self.context):
            if variable is not current_process:
                variable.set(value)


def _changes(
    before: contextvars.Context, now: contextvars.Context
) -> Iterator[tuple[contextvars.ContextVar[Any], Any]]:
    for variable, value in now.items():
        if before.get(variable, _MISSING) is not value:
            yield variable, value
