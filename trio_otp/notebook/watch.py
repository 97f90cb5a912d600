"""An output that changes while cells run.

The time of the run may be virtual, and a timer in it would then drive it. So a thread of its own
says when to look, and the loop looks, between two steps of what runs: what is shown is of one
moment. While a cell keeps the loop busy nothing can change, and nothing is looked at.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Final

from .display import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop
    from .shell import Shell

INTERVAL: Final = 0.25  # seconds, of the real world


class Watch:
    """Shows again and again what a function returns.

    Args:
        shell: in whose present cell it is shown.
        loop: where the function is called.
        draw: returns what is to be shown.
    """

    def __init__(self, shell: Shell, loop: Loop, draw: Callable[[], object]) -> None:
        self._output = Output(shell)
        self._loop = loop
        self._draw = draw
        self._looked = True  # the loop has done what it was last asked for
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="trio_otp watch", daemon=True)

    def start(self) -> None:
        """Show it, in the loop, and begin to look."""
        self._output.show(self._draw())
        self._thread.start()

    def stop(self) -> None:
        """Leave what is shown as it is."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(INTERVAL) and self._loop.ended is None:
            if self._looked:
                self._looked = False
                self._loop.soon(self._look)

    def _look(self) -> None:
        """Look, in the loop, where no error may leave it: it would be the end of the run."""
        try:
            if not self._over.is_set():
                self._output.show(self._draw())
        except Exception as exc:  # of a shell that cannot show it any more
            self.stop()
            sys.stderr.write(f"the output is not kept up to date any more: {exc!r}\n")
        self._looked = True
