"""A shell of IPython in this process, to run cells in."""

from __future__ import annotations

import atexit
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EXTENSION = "trio_otp.notebook"


class Cells:
    """Run cells, and look at what they leave."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys
        self.printed = ""  # by the last cell, errors included, without colours

    def run(self, source: str) -> Any:
        """Run a cell that succeeds, and give the value of its last expression."""
        result = self._run(source)
        assert result.success, self.printed
        return result.result

    def error(self, source: str) -> BaseException:
        """Run a cell that fails, and give its error."""
        result = self._run(source)
        error = result.error_in_exec or result.error_before_exec
        assert error is not None, self.printed
        return error

    def _run(self, source: str) -> Any:
        self.take_printed()
        result = self.shell.run_cell(source)
        self.printed = self.take_printed()
        return result

    def take_printed(self) -> str:
        """Return what was printed since this was last asked."""
        return COLOUR.sub("", "".join(self._capsys.readouterr()))


@contextmanager
def new_shell(capsys: pytest.CaptureFixture[str]) -> Iterator[Cells]:
    """Return a fresh shell; at the end the extension is unloaded and this process as it was."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        yield Cells(shell, capsys)
    finally:
        if EXTENSION in shell.extension_manager.loaded:
            shell.extension_manager.unload_extension(EXTENSION)
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        shell.cleanup()
