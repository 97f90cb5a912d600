"""Find out, from another thread, whether a Trio loop is stuck, without waking it when it sleeps.

A look at the frames of the loop's thread tells whether it waits for events; then all is well. Only
one that is found busy twice in a row gets a heartbeat, and is stuck when that is not answered.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from .._process.stack import frames_of_thread

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN: Final = 12  # frames, the innermost


class Watchdog:
    """Looks at one loop; only its owner's thread uses it.

    Args:
        thread: the ident of the thread that runs the loop.
        soon: lets a function be called in the loop, `TrioToken.run_sync_soon`.
        patience: seconds without an answer after which the loop is stuck.
    """

    def __init__(
        self, thread: int, soon: Callable[[Callable[[], object]], object], patience: float = 0.5
    ) -> None:
        self._thread = thread
        self._soon = soon
        self._patience = patience
        self._busy = 0  # looks in a row
        self._asked: float | None = None  # when the heartbeat went out that is not yet answered

    def look(self, now: float) -> None:
        """Look at the loop; call it a few times in a second."""
        if self._asked is not None:
            return
        if self._waits():
            self._busy = 0
            return
        self._busy += 1
        if self._busy >= 2:
            self._busy = 0
            self._asked = now
            self._soon(self._answered)

    def stuck(self, now: float) -> tuple[float, tuple[str, ...]] | None:
        """Return for how many seconds it has been stuck, and its stack; None if it is not."""
        asked = self._asked
        if asked is None or now - asked < self._patience:
            return None
        frames = frames_of_thread(self._thread)[-SHOWN:]
        return now - asked, tuple(
            f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in frames
        )

    def _answered(self) -> None:
        self._asked = None

    def _waits(self) -> bool:
        frame = sys._current_frames().get(self._thread)
        return frame is None or frame.f_code.co_name == "get_events"
