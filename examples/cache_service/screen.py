"""What the demonstration prints: lines, and a progress line that stays in its place on a terminal.

On a terminal the progress line is written over and over, and other lines push it down. Elsewhere,
in a file or a pipe, it is an ordinary line now and then. Colours appear on a terminal only, and
not if NO_COLOR is set.
"""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING, Final, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

Style = Literal["plain", "title", "dim", "alarm", "good", "bad"]
CODES: Final[Mapping[Style, str]] = {
    "title": "1",
    "dim": "2",
    "alarm": "1;33",
    "good": "1;32",
    "bad": "1;31",
}
WIDTH: Final = 80  # columns, unless the terminal says otherwise


class Screen:
    """A place to print.

    Args:
        file: where to.
        terminal: whether lines can be written over.
        colour: whether it understands colours.
    """

    def __init__(self, file: TextIO, *, terminal: bool = False, colour: bool = False) -> None:
        self.pace = 0.1 if terminal else 1.0  # seconds from one progress line to the next
        self._file = file
        self._terminal = terminal
        self._colour = colour
        self._shown = 0  # columns of the progress line that is on the screen

    @classmethod
    def of(cls, file: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
        """Find out what a file can show.

        Args:
            file: characters that it cannot encode are replaced from now on.
            environ: NO_COLOR, if not empty, asks for no colours; TERM=dumb says there are none.
        """
        _replace_what_cannot_be_shown(file)
        terminal = file.isatty() and environ.get("TERM") != "dumb"
        return cls(file, terminal=terminal, colour=terminal and not environ.get("NO_COLOR"))

    def line(self, text: str = "", style: Style = "plain") -> None:
        """Print a line, or several, in place of the progress line."""
        self._write(self._erasure() + self._styled(text, style) + "\n")

    def progress(self, text: str) -> None:
        """Tell how far things are."""
        if self._terminal:
            text = text[: shutil.get_terminal_size((WIDTH, 24)).columns - 1]
            self._write(self._erasure() + text)
            self._shown = len(text)
        else:
            self._write(f"{text}\n")

    def clear(self) -> None:
        """Take the progress line away."""
        self._write(self._erasure())

    def _erasure(self) -> str:
        shown, self._shown = self._shown, 0
        return f"\r{' ' * shown}\r" if shown else ""

    def _styled(self, text: str, style: Style) -> str:
        if not self._colour or style not in CODES:
            return text
        return f"\x1b[{CODES[style]}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:  # nobody reads any more, as under `head`: go on without
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)


def _replace_what_cannot_be_shown(file: TextIO) -> None:
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")
