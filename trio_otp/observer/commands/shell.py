"""`trio-otp shell`: a prompt whose lines run in the program."""

from __future__ import annotations

import ast
import codeop
import signal
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..._util.bounded import visible_lines
from ..socket.client import Refused
from .asking import SAID_NO, connected, stuck_lines
from .terminal import complain, write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator
    from types import FrameType

    from ..socket.client import Answer, Client

ENDS: Final = {"exit", "quit", "exit()", "quit()"}
BANNER: Final = """\
Python in {}, pid {}; `await` works. pid(7) is a process, otp and trio are imported.
Ctrl-C interrupts what runs, Ctrl-D ends."""


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        return _Prompt(client).run()


class _Prompt:
    """Reads inputs and shows what becomes of them; without prompts where nobody types."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._is_typed = sys.stdin.isatty()
        self._stuck: str | None = None  # where the loop is, if that has been told
        self._failed = False
        self._compiler = codeop.CommandCompiler()
        self._compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def run(self) -> int:
        """Go on until the end of the input."""
        self._tell(self._client.ask("eval", source=""))  # refused where actions are not allowed
        if self._is_typed:
            with suppress(ImportError):
                import_module("readline")  # `input` uses it from now on
            hello = self._client.hello
            write(BANNER.format(hello.get("program"), hello["pid"]).splitlines())
        while (source := self._read()) is not None:
            if source.strip() in ENDS:
                break
            if source.strip():
                self._carry_out(source)
        return SAID_NO if self._failed and not self._is_typed else 0

    def _read(self) -> str | None:
        """Read lines until they are a whole input; None at the end."""
        lines: list[str] = []
        while True:
            try:
                lines.append(self._line("... " if lines else ">>> "))
            except EOFError:
                return "\n".join(lines) if lines else None
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                return ""
            source = "\n".join(lines)
            if self._is_whole(source):
                return source

    def _line(self, prompt: str) -> str:
        if self._is_typed:
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def _is_whole(self, source: str) -> bool:
        try:
            return self._compiler(source, "<shell>", "single") is not None
        except (SyntaxError, ValueError, OverflowError):
            return True  # the program says what is wrong

    def _carry_out(self, source: str) -> None:
        """Have it run, and show its output until it is over."""
        options: dict[str, Any] = {"source": source}
        try:
            with _noted_interrupt() as interrupted:
                while self._tell(self._client.ask("eval", **options)):
                    options = {"source": "", "interrupt": bool(interrupted)}
                    interrupted.clear()
        except Refused as exc:
            self._refused(exc)

    def _refused(self, refused: Refused) -> None:
        self._failed = True
        self._tell_stuck(refused.loop)
        complain([str(refused)])

    def _tell_stuck(self, loop: dict[str, Any] | None) -> None:
        where = None if loop is None else str(loop.get("where"))
        if where != self._stuck and where is not None:
            write(stuck_lines(loop))
        self._stuck = where

    def _tell(self, answer: Answer) -> bool:
        """Show what there is, and once for each place that the loop is stuck.

        Returns:
            Whether the input still runs.
        """
        self._tell_stuck(answer.loop)
        sys.stdout.write(visible_lines(str(answer.result.get("output", ""))))
        sys.stdout.flush()
        self._failed |= bool(answer.result.get("failed"))
        return bool(answer.result.get("running"))


@contextmanager
def _noted_interrupt() -> Generator[list[int]]:
    """Note the first Ctrl-C, so that no answer is lost by it; a second one ends the command."""
    noted: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if noted:
            signal.default_int_handler(signum, frame)
        noted.append(signum)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
