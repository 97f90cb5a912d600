"""The observer: a thread that takes a snapshot now and then and draws it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import trio

from ..._port.worker_thread import WorkerThread
from ..._process.runtime import Runtime, runtime
from ..._util.bounded import bounded
from ..._util.checks import is_seconds
from ..reading.watchdog import Watchdog
from .pictures import plain
from .snapshot import take

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator
    from typing import TextIO


LOOK: Final = 0.1  # seconds between two looks at the loop
SIZE: Final = (120, 40)  # columns and lines, where no terminal tells
_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # another screen, no cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"


class Observer(WorkerThread, restart="temporary", shutdown=1.0):
    """Shows the processes of its run; `otp.observer.start` starts it.

    Args:
        stream: where to draw; stdout if left out.
        interval: seconds between two pictures.
        width: columns; those of the terminal if left out.
        height: lines; those of the terminal if left out.
    """

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        interval: float = 1.0,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        super().__init__(self._draw_on, abandon_on_cancel=True)
        if not is_seconds(interval) or interval <= 0:
            raise ValueError(f"interval={bounded(interval)}: expected a number of seconds > 0")
        if stream is not None and not hasattr(stream, "isatty"):
            raise TypeError(f"stream={bounded(stream)}: expected a text stream, or None")
        self._interval = interval
        self._screen = Screen(sys.stdout if stream is None else stream, width, height)
        self._tables = runtime()
        self._clock = trio.lowlevel.current_clock()
        self._watchdog = Watchdog(self._tables)

    def _draw_on(self) -> None:
        stop = self.stop_event()
        with self._screen.open():
            while not stop.is_set():
                self._draw()
                self._watch_until(time.monotonic() + self._interval, stop)

    def _watch_until(self, end: float, stop: threading.Event) -> None:
        while (left := end - time.monotonic()) > 0 and not stop.wait(min(left, LOOK)):
            self._watchdog.look(time.monotonic())

    def _draw(self) -> None:
        tables: Runtime = self._tables
        stuck = self._watchdog.stuck(time.monotonic())
        snapshot = take(tables, self._clock.current_time(), stuck)
        self._screen.show(plain(snapshot, *self._screen.size))


class Screen:
    """A terminal, which is drawn anew, or another stream, which gets a picture after another."""

    def __init__(self, stream: TextIO, width: int | None, height: int | None) -> None:
        self._stream = stream
        self._given = (width, height)
        self.terminal: bool = stream.isatty()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines at this moment."""
        columns, lines = SIZE
        if self.terminal:
            with suppress(OSError, ValueError):
                columns, lines = os.get_terminal_size(self._stream.fileno())
        width, height = self._given
        return width or columns or SIZE[0], height or lines or SIZE[1]

    @contextmanager
    def open(self) -> Generator[None]:
        """Take the screen, and give it back."""
        self._write(_ENTER if self.terminal else "")
        try:
            yield
        finally:
            self._write(_LEAVE if self.terminal else "")

    def show(self, lines: list[str]) -> None:
        """Draw a picture over the last one, or below it."""
        if self.terminal:
            self._write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in lines)[:-2] + "\x1b[J")
        else:
            self._write("\n".join(lines) + "\n\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
