"""How commands end that are interrupted, that nobody reads, and that a program does not answer."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from played_program import Line, played

from trio_otp import cli
from trio_otp.observer.commands import asking
from trio_otp.observer.commands import shell as shell_command
from trio_otp.observer.socket import discovery
from trio_otp.observer.socket.client import Answer
from trio_otp.observer.socket.unix_socket import listen

if TYPE_CHECKING:
    from collections.abc import Callable


def looked_at(line: Line) -> None:
    """Answer whoever lists programs."""
    line.say(id=line.hear()["id"], result={})


# -- the end of a command --------------------------------------------------------------------------


def test_a_reader_may_have_had_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `head`: that is no error, there is no traceback, and none at the end of Python."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert 0 == cli.main(["list", "--json"])
        pipe.write("what was left")
        pipe.flush()  # as Python does at its end
    assert "" == capsys.readouterr().err


def test_output_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk: one line instead of a traceback, and none at the end of Python."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert 2 == cli.main(["list", "--json"])
        full.write("what was left")
        full.flush()
    why = os.strerror(errno.ENOSPC)
    assert f"trio-otp: error: the output cannot be written: {why}\n" == capsys.readouterr().err


def test_streams_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `<&- >&- 2>&-`: a command does what it can, and its exit status says the rest."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    def answer(line: Line) -> None:
        none = {"keys": [], "rows": {}, "matching": 0, "total": 0}
        line.say(id=line.hear()["id"], result=none)

    def allow(line: Line) -> None:
        line.say(id=line.hear()["id"], result={})

    for word, play, status in (("ps", answer, 0), ("shell", allow, 0)):
        with played(looked_at, play):
            assert status == cli.main([word])
    assert 2 == cli.main(["ps"])  # there is none


def test_a_command_that_is_interrupted_ends_as_others_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the status that shells give to Ctrl-C, and without a traceback."""
    monkeypatch.setattr(asking, "choose", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert 130 == cli.main(["ps"])
    assert ("", "") == capsys.readouterr()


def test_a_program_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what may be the matter with it."""
    monkeypatch.setattr(discovery, "PATIENCE", 0.01)
    made = listen()
    assert 2 == cli.main(["ps"])
    made.close()
    said = capsys.readouterr()
    assert "" == said.out
    assert f"program {os.getpid()} does not answer: it says nothing for 0.01 s" in said.err
    assert "it may be stopped" in said.err


def test_only_a_silent_program_may_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """One that says something of no use is not."""
    with played(lambda line: line.say(id=line.hear()["id"])):
        assert 2 == cli.main(["ps"])
    assert capsys.readouterr().err.endswith("does not answer: it answers without a result\n")


def test_a_program_that_ends_before_it_is_asked_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was there when programs were looked for."""

    def end(line: Line) -> None:
        question = line.hear()
        made.listener.close()
        line.say(id=question["id"], result={})

    with played(end) as made:
        assert 2 == cli.main(["ps"])
    said = capsys.readouterr()
    assert ("", "trio-otp: error: program 7: Connection refused\n") == (said.out, said.err)


# -- a shell ---------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Somebody who types, and presses Ctrl-C at some prompts."""

    def isatty(self) -> bool:
        return True


class Program:
    """Answers a shell, and takes down what it is to run."""

    def __init__(self, during: Callable[[], object] = int) -> None:
        self.hello = {"program": "shop.app:Shop", "pid": 7}
        self.ran: list[str] = []
        self._during = during

    def ask(self, what: str, *, source: str, interrupt: bool = False) -> Answer:
        if source:
            self.ran.append(source)
            self._during()
        return Answer({"output": "", "running": False}, None)


def shell(program: Program, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(shell_command, "connected", lambda _: nullcontext(program))
    return cli.main(["shell"])


def test_empty_lines_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a part of an input lost that ends with the file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n   \n1 + 1\n\nfor i in 'ab':\n    i"))
    program = Program()
    assert 0 == shell(program, monkeypatch)
    assert ["1 + 1", "for i in 'ab':\n    i"] == program.ran


def test_ctrl_c_at_a_prompt_forgets_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is run, and there is a new prompt on a new line."""
    typed = iter(["for i in 'ab':", signal.SIGINT, "1 + 1", "exit()"])
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        line = next(typed)
        if isinstance(line, signal.Signals):
            signal.raise_signal(line)
        return str(line)

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", read)
    program = Program()
    assert 0 == shell(program, monkeypatch)
    assert [">>> ", "... ", ">>> ", ">>> "] == prompts
    assert ["1 + 1"] == program.ran
    assert capsys.readouterr().out.endswith("\n\n")


def test_a_second_ctrl_c_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first waits for what the program says to it, which may be nothing."""

    def press_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "stdin", io.StringIO("1 + 1\n2 + 2\n"))
    before = signal.getsignal(signal.SIGINT)
    program = Program(press_twice)
    assert 130 == shell(program, monkeypatch)
    assert ["1 + 1"] == program.ran
    assert before == signal.getsignal(signal.SIGINT)


# -- a terminal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", ["-1", "x", ""])
def test_rows_are_counted_from_0(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no number of rows is a wrong command line."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(["ps", "-n", count])
    assert (
        f"argument -n/--count: {count!r}: expected a whole number >= 0" in capsys.readouterr().err
    )


def test_as_many_rows_are_asked_for_as_a_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heading and the prompt after it fit as well; a small one is scrolled."""
    asked: list[dict[str, Any]] = []

    def answer(line: Line) -> None:
        asked.append(line.hear())
        none = {"keys": [], "rows": {}, "matching": 0, "total": 0}
        line.say(id=asked[-1]["id"], result=none)

    monkeypatch.setattr(sys, "stdout", Terminal())
    for lines in (40, 12):
        size = SimpleNamespace(columns=80, lines=lines)
        monkeypatch.setattr("shutil.get_terminal_size", lambda size=size: size)
        with played(looked_at, answer):
            assert 0 == cli.main(["ps"])
    assert [35, 10] == [question["count"] for question in asked]
