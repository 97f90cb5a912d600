"""Show a value in a cell, as `display` of IPython does: drawn in a notebook, else as text."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .shell import Shell


class Output:
    """An output of a cell.

    Args:
        shell: whose cell it stands in.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._shown: dict[str, Any] | None = None
        self._id = uuid.uuid4().hex

    def show(self, value: object) -> None:
        """Show a value: below the cell that runs, and from then on in the place of the one before.

        An equal one is not sent again.
        """
        data, metadata = self._shell.display_formatter.format(value)
        if data == self._shown:
            return
        update = self._shown is not None
        self._shown = data
        transient = {"display_id": self._id}
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)
