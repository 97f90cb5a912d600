"""What a shell of IPython, or a notebook, shows of a value in place of a long repr.

`Shown` is the base of what can be a few lines or a table. It is imported by every program, what
draws is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blocks import Block, Table


class Shown:
    """The base of values that are shown as a block of lines or as a table; before `Printable`."""

    __slots__ = ()

    def _shown(self) -> Block | Table:
        """Return what is shown."""
        raise NotImplementedError

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Write it as text, as IPython asks for it."""
        printer.text("..." if cycle else self._shown().text())

    def _repr_html_(self) -> str:
        """Return it as HTML, as notebooks ask for it."""
        return self._shown().html()
