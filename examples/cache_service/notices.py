"""Warnings that clients can cause at any rate: at most one line a minute, with the count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    import logging

EVERY: Final = 60.0  # seconds between two lines


class Notice:
    """A warning that is logged at once the first time, then at most once a minute.

    Args:
        log: where to.
        text: has `%d` for how often it was told since the last line.
    """

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log = log
        self._text = text
        self._untold = 0
        self._quiet_until = -math.inf

    def tell(self) -> None:
        """Count one more, and log if a minute has passed."""
        self._untold += 1
        now = trio.current_time()
        if now >= self._quiet_until:
            self._log.warning(self._text, self._untold)
            self._untold, self._quiet_until = 0, now + EVERY
