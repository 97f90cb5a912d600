"""The commands that look into a program, on real programs, from where another terminal is."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from observed_kit import LIMIT, Observed, observed

from trio_otp import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKING = ["list", "ps", "tree", "info holder", "stacks", "crashes", "problems"]
LONG = "'a name with spaces, and rather long'"


@pytest.fixture
def shop() -> Iterator[Observed]:
    """Run a program that allows actions."""
    with observed("--set", "observed=actions") as program:
        yield program


class Said:
    """What a command said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], status: int) -> None:
        self.status = status
        captured = capsys.readouterr()
        self.out = captured.out
        self.err = captured.err
        self.lines = self.out.splitlines()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Carry out a command line."""

    def carry_out(*words: str) -> Said:
        capsys.readouterr()
        return Said(capsys, cli.main(words))

    return carry_out


# -- which program ---------------------------------------------------------------------------------


def test_without_a_program_they_say_how_to_start_one(say: Any) -> None:
    """On standard error, with the line to type; `list --json` has an empty list."""
    for words in (["list"], ["ps"], ["url"], ["shell"], ["kill", "x", "--confirm", "x"]):
        said = say(*words)
        assert (2, "") == (said.status, said.out)
        assert "trio-otp run shop.app:Shop --observe" in said.err
    assert [] == json.loads(say("list", "--json").out)


def test_one_program_is_used_and_of_several_one_is_picked(say: Any, shop: Observed) -> None:
    """By its number or its name."""
    assert "'holder'" in say("ps").out
    with observed("--set", "observed=yes") as other:
        said = say("ps")
        assert (2, "") == (said.status, said.out)
        assert f"{shop.pid}  observed_app:App" in said.err
        assert f"{other.pid}  observed_app:App" in said.err
        assert 2 == say("ps", "--name", "observed_app").status
        assert other.pid == json.loads(say("ps", "--pid", str(other.pid), "--json").out)["pid"]
        heading, *rows = say("list").lines
        assert ["PID", "PROGRAM", "UP", "ACTIONS", "USER", "SAYS"] == heading.split()
        shown = [(row.split()[0], row.split()[-2]) for row in rows]
        assert sorted([(str(shop.pid), "yes"), (str(other.pid), "no")]) == sorted(shown)
    assert "'holder'" in say("ps", "--name", "observed_app").out


def test_a_program_that_ends_is_not_there_any_more(say: Any) -> None:
    """Whether it ends in order or is killed."""
    with observed("--set", "observed=yes") as program:
        assert 0 == say("ps").status
        program.end()
        assert 2 == say("ps").status
    with observed("--set", "observed=yes") as program:
        program.process.kill()
        program.process.wait()
        assert 2 == say("ps").status


# -- ps --------------------------------------------------------------------------------------------


def test_ps(say: Any, shop: Observed) -> None:
    """It shows all processes in a table, those that a filter wants, and as JSON."""
    heading, *rows = say("ps").lines
    assert heading.startswith("PID  NAME")
    assert ["1", "2", "3"] == [row.split()[0] for row in rows][:3]
    assert LONG in rows[2]
    assert ["2"] == [line.split()[0] for line in say("ps", "name:holder").lines[1:-1]]
    assert "1 of 1 that match, of 5" == say("ps", "name:holder").lines[-1]
    result = json.loads(say("ps", "--json", "--sort", "name", "-n", "2").out)
    assert (shop.pid, None) == (result["pid"], result["loop"])
    assert ["3", "2"] == result["result"]["keys"]
    said = say("ps", "q>many")
    assert (1, "") == (said.status, said.out)
    assert "expected a number after >" in said.err


def test_ps_at_80_columns(say: Any, shop: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Number, name, status and queue stay whole, the rest gives way; lines fit."""
    monkeypatch.setenv("COLUMNS", "80")
    shop.tell("wait")
    shop.wait_for("waiting")
    for _ in range(3):
        shop.tell("count")
    lines = queued(say)
    assert all(len(line) <= 80 for line in lines)
    assert ["PID", "NAME", "STATUS", "QUEUE"] == lines[0].split()[:4]
    assert ["2", "'holder'", "handling", "3"] == lines[1].split()[:4]
    assert any(LONG in line for line in lines)
    monkeypatch.setenv("COLUMNS", "30")
    assert ["2", "'holder'", "handling", "3"] == queued(say)[1].split()


def queued(say: Any) -> list[str]:
    """Return the table when three messages wait in it."""
    while True:
        lines: list[str] = say("ps").lines
        if lines[1].split()[3] == "3":
            return lines


# -- tree, info, stacks, crashes -----------------------------------------------------------------


def test_tree(say: Any, shop: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn from the top, or from one process on; lines fit and begin with what matters."""
    shop.tell("fail")
    shop.tell("wait")
    shop.wait_for("waiting")
    drawn = say("tree").lines
    assert drawn[0].startswith("1 Supervisor ")
    assert drawn[1].startswith("├─ 7 'holder' ")
    assert ", 1 restart, Holder worker" in drawn[1]
    assert f"├─ 3 {LONG} idle, Holder worker" == drawn[2]
    assert "└─ 5 'observer' running, Server worker" == drawn[-1]
    assert [f"3 {LONG} idle, Holder linked"] == say("tree", "3").lines
    nodes = json.loads(say("tree", "--json").out)["result"]["nodes"]
    assert ["1", "7", "3", "4", "5"] == [str(node["pid"]) for node in nodes]
    monkeypatch.setenv("COLUMNS", "40")
    assert all(len(line) <= 40 for line in say("tree").lines)
    assert "did you mean holder?" in say("tree", "holdr").err


def test_info(say: Any, shop: Observed) -> None:
    """It tells what a process does and where it waits, whoever asks by name or number."""
    shop.tell("wait")
    shop.wait_for("waiting")
    lines = say("info", "holder").lines
    assert "2 'holder'" == lines[0]
    assert "  status        handling" in lines
    assert "  behaviour     observed_app.Holder" in lines
    assert "  supervisor    1 Supervisor" in lines
    assert any("> " in line and "observed_app.py:35 in wait" in line for line in lines)
    assert any("handler busy" in line for line in lines)  # so there is no state
    info = json.loads(say("info", "2", "--json").out)["result"]["info"]
    assert (2, "'holder'") == (info["pid"], info["name"])
    state = say("info", "3").out
    assert "counts" in state
    assert "hunter2" not in state
    assert 1 == say("info", "99").status


def test_stacks(say: Any, shop: Observed) -> None:
    """Those who wait at one place stand above its stack; a filter leaves others out."""
    together = f"2 'holder', 3 {LONG}:"
    assert together in say("stacks").lines
    lines = say("stacks", "obey").lines
    assert "4 obey:" == lines[0]
    assert any(line.startswith("  > ") and "observed_app.py" in line for line in lines)
    assert together not in lines
    groups = json.loads(say("stacks", "--json").out)["result"]["groups"]
    assert 2 in [group["count"] for group in groups]


def test_crashes(say: Any, shop: Observed) -> None:
    """They stand together by error and line, with the traceback of the last one."""
    assert "no crashes" == say("crashes").out.strip()
    for _ in range(2):
        shop.tell("fail")
        shop.tell("count")
        shop.wait_for("counted 1")
    lines = say("crashes").lines
    assert lines[0].startswith("2 crashes of 'holder': RuntimeError: told to fail at ")
    assert lines[0].endswith("observed_app.py:44 in fail")
    assert "  message: cast fail()" in lines
    assert "    RuntimeError: told to fail" == lines[-1]
    result = json.loads(say("crashes", "--json").out)["result"]
    assert [2] == [group["count"] for group in result["groups"]]


def test_problems(say: Any, shop: Observed) -> None:
    """The exit status says whether there are any; each is a line, with where that is."""
    said = say("problems")
    assert (0, "no problems\n") == (said.status, said.out)
    shop.tell("wait")
    shop.wait_for("waiting")
    while not (said := say("problems")).status:
        pass  # a second has to go by
    [line] = said.lines
    assert line.startswith(("warning: ", "error: "))
    assert "'holder'" in line
    assert "observed_app.py:35 in wait" in line
    [problem] = json.loads(say("problems", "--json").out)["result"]["problems"]
    assert ("handler_stuck", 2) == (problem["kind"], problem["pids"][0]["pid"])


# -- while the loop is stuck -----------------------------------------------------------------------


def test_they_answer_while_the_loop_is_stuck(
    say: Any, shop: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And say so first, with the line where it sits, also where a table would not fit it in."""
    monkeypatch.setenv("COLUMNS", "80")
    shop.tell("hold")
    shop.wait_for("holding")
    place = "observed_app.py:29 in hold"
    for word in LOOKING:
        said = say(*word.split())
        assert (1 if word == "problems" else 0) == said.status
        assert "the loop has not answered for" in said.out
        assert place in said.out
        if word == "list":
            assert said.lines[0].startswith(f"{shop.pid}: the loop has not answered")
            assert said.lines[-1].endswith("loop stuck")
        else:
            assert said.lines[0].startswith("the loop has not answered")
            answer = json.loads(say(*word.split(), "--json").out)
            assert place in answer["loop"]["where"]
            assert "loop" == next(iter(answer))
    [program] = json.loads(say("list", "--json").out)
    assert place in program["loop"]["where"]
    said = say("kill", "holder", "--confirm", "holder")
    assert 1 == said.status
    assert place in said.lines[0]
    assert "did not answer within 0.2 s" in said.err
    shop.tell("")
    shop.wait_for("free")
    assert "not answered" not in say("ps").out
    assert "kill" not in shop.end()


# -- actions ---------------------------------------------------------------------------------------


def test_actions(say: Any, shop: Observed) -> None:
    """Each is confirmed by the name, does what it says, and is logged with who did it."""
    assert "suspended" == say("suspend", "holder", "--confirm", "holder").out.strip()
    assert ["suspended"] == [line.split()[2] for line in say("ps", "name:holder").lines[1:-1]]
    assert "resumed" == say("resume", "2", "--confirm", "'holder'").out.strip()
    shop.tell("count")
    shop.wait_for("counted 1")
    source = "lambda state: (setattr(state, 'counts', 41), state)[1]"
    assert "replaced" == say("replace-state", "holder", source, "--confirm", "holder").out.strip()
    shop.tell("count")
    shop.wait_for("counted 42")
    assert "restarted as" in say("restart", "holder", "--confirm", "holder").out
    shop.tell("count")
    shop.wait_for("counted 1")
    assert "killed" == say("kill", "holder", "--confirm", "holder").out.strip()
    log = shop.end()
    for word in ("suspend", "resume", "replace_state", "restart", "kill"):
        peer = f"user {os.geteuid()}, pid {os.getpid()}"
        assert f"Holder 'holder'>: {word} by the observer, for {peer}" in log
    assert "hunter2" not in log


REFUSED = [
    ("kill holder", "Holder", "expected the name 'holder'"),
    ("kill holder", "", "expected the name 'holder'"),
    ("kill holdr", "holdr", "did you mean holder?"),
    ("kill Holder", "Holder", "2 are called Holder: 2, 3"),
    ("kill 99", "99", "no process 99; it may have ended"),
    ("suspend obey", "obey", "obey"),
    ("restart Supervisor", "Supervisor", "is no child of a supervisor"),
    ("restart obey", "obey", "temporary"),
    ("replace-state holder print(1)", "holder", "expected a lambda"),
    ("replace-state holder 1+", "holder", "invalid syntax"),
    ("replace-state holder 1/0", "holder", "expected a lambda"),
    ("replace-state holder lambda:1/0", "holder", "TypeError"),
]


def test_actions_that_are_refused(say: Any, shop: Observed) -> None:
    """Nothing is done then, and the status is 1."""
    for words, typed, text in REFUSED:
        said = say(*words.split(), "--confirm", typed)
        assert (1, "") == (said.status, said.out)
        assert text in said.err
    shop.tell("count")
    shop.wait_for("counted 1")


def test_a_busy_server_is_not_waited_for(say: Any, shop: Observed) -> None:
    """After 200 ms a suspension is given up, and never happens; a kill needs nobody's consent."""
    shop.tell("wait")
    shop.wait_for("waiting")
    said = say("suspend", "holder", "--confirm", "holder")
    assert (1, "") == (said.status, said.out)
    assert "handler busy" in said.err
    assert "it is given up" in said.err
    assert 0 == say("kill", "holder", "--confirm", "holder").status
    shop.tell("count")
    shop.wait_for("counted 1")


def test_a_program_that_only_shows_refuses_actions(say: Any) -> None:
    """So it does a shell; it says what to start it with."""
    with observed("--set", "observed=yes") as program:
        for words in (["kill", "holder", "--confirm", "holder"], ["shell"]):
            said = say(*words)
            assert (1, "") == (said.status, said.out)
            assert "start it with --observe=actions" in said.err
        program.tell("count")
        program.wait_for("counted 1")


def test_a_name_is_asked_for_where_somebody_can_type(
    say: Any, shop: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere `--confirm` is needed."""
    assert "expected --confirm NAME" in say("kill", "holder").err
    terminal = io.StringIO("holder\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    said = say("kill", "holder")
    assert "killed\n" == said.out
    assert f"kill holder in observed_app:App, pid {shop.pid}; type its name" in said.err


# -- shell -----------------------------------------------------------------------------------------


def shell(*lines: str) -> subprocess.CompletedProcess[str]:
    """Pipe lines into a shell."""
    return subprocess.run(
        [sys.executable, "-m", "trio_otp", "shell"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def test_a_shell(shop: Observed) -> None:
    """It runs in the program: it awaits, calls, keeps its names, shows values and tracebacks."""
    lines = ["1 + 1", "state = await otp.sys.get_state('holder')", "state.counts += 4"]
    lines += [
        "def twice(number):",
        "    return 2 * number",
        "",
        "twice(_)",
        "print('seen', end='!')",
    ]
    lines += ["await trio.sleep(0)", "pid(2)", "otp.self()", "otp.send(otp.self(), 5)"]
    lines += ["await otp.receive()"]
    done = shell(*lines)
    shown = "2\n4\nseen!<Pid 2 Holder 'holder'>\n<Pid 7 shell>\n<sent>\n5\n"
    assert ("", shown, 0) == (done.stderr, done.stdout, done.returncode)
    shop.tell("count")
    shop.wait_for("counted 5")


def test_a_shell_and_errors(shop: Observed) -> None:
    """They are shown from the line that was typed on, change nothing, and give status 1."""
    lines = ["def f():", "    1 / 0", "", "f()", "1 +", "raise SystemExit(3)", "'still here'"]
    done = shell(*lines)
    assert 1 == done.returncode
    assert "    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n" in done.stdout
    assert "trio_otp" not in done.stdout
    assert "SyntaxError" in done.stdout
    assert "SystemExit: 3" in done.stdout
    assert done.stdout.endswith("'still here'\n")
    shop.tell("count")
    shop.wait_for("counted 1")


def test_the_process_of_a_shell_is_its_own(shop: Observed) -> None:
    """An exit ends that alone, and with its end it is gone from the program."""
    done = shell("otp.exit('enough')", "otp.self()")
    assert "the process of this shell has ended" in done.stdout
    assert "<Pid 8 shell>" in done.stdout.splitlines()[-1]
    done = shell("[pid for pid in otp.processes() if 'shell' in str(pid)]")
    assert "[<Pid 9 shell>]\n" == done.stdout
    log = shop.end()
    assert "Traceback" not in log
    assert f"<Pid 9 shell> of the observer is opened by user {os.geteuid()}, pid" in log


# -- shell, at a terminal --------------------------------------------------------------------------


class Terminal:
    """A shell at a terminal of its own, and what that shows."""

    def __init__(self) -> None:
        self.ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "trio_otp", "shell"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb"},
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self.ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until a text comes, after those before."""
        while text not in self.shown:
            assert select.select([self.ours], [], [], LIMIT)[0], f"{text!r} after {self.shown!r}"
            self.shown += os.read(self.ours, 10_000).decode()
        self.shown = self.shown.partition(text)[2]

    def close(self) -> int:
        """Wait for its end, and return its exit status."""
        with suppress(OSError):  # of a terminal whose other side is closed
            while select.select([self.ours], [], [], LIMIT)[0] and os.read(self.ours, 10_000):
                pass
        os.close(self.ours)
        return self.process.wait(LIMIT)


def test_a_shell_at_a_terminal(shop: Observed) -> None:
    """It has prompts, goes on after Ctrl-C in the middle of an await, and ends with Ctrl-D."""
    terminal = Terminal()
    terminal.wait_for(f"Python in observed_app:App, pid {shop.pid}")
    terminal.wait_for(">>> ")
    terminal.type("def f():\n")
    terminal.wait_for("... ")
    terminal.type("  return 6 * 7\n\n")
    terminal.wait_for(">>> ")
    terminal.type("print('asleep'); await trio.sleep_forever()\n")
    terminal.wait_for("asleep\r\n")  # not its echo
    terminal.type("\x03")
    terminal.wait_for("interrupted")
    terminal.wait_for(">>> ")
    terminal.type("f()\n")
    terminal.wait_for("42\r\n")
    terminal.wait_for(">>> ")
    terminal.type("exit()\n")
    assert 0 == terminal.close()


def test_a_shell_while_the_loop_is_stuck(shop: Observed) -> None:
    """It says so before its first prompt, and what is typed then is not run, also not later."""
    shop.tell("hold")
    shop.wait_for("holding")
    terminal = Terminal()
    terminal.wait_for("the loop has not answered for")
    terminal.wait_for("in hold")
    terminal.wait_for(">>> ")
    terminal.type("otp.exit(pid(3), otp.KILL)\n")
    terminal.wait_for("the loop did not answer within 1 s")
    terminal.wait_for(">>> ")
    shop.tell("")
    shop.wait_for("free")
    terminal.type("otp.whereis('a name with spaces, and rather long')\n")
    terminal.wait_for("<Pid 3 ")
    terminal.wait_for(">>> ")
    terminal.type("\x04")
    assert 0 == terminal.close()


def test_the_process_of_a_shell_ends_with_its_client(shop: Observed) -> None:
    """Also with one that is killed while something runs in it."""
    terminal = Terminal()
    terminal.wait_for(">>> ")
    terminal.type("print('asleep'); await trio.sleep_forever()\n")
    terminal.wait_for("asleep\r\n")
    terminal.process.kill()
    terminal.close()
    ask = "[str(pid) for pid in otp.processes() if 'shell' in str(pid) and pid != otp.self()]"
    while shell(ask).stdout != "[]\n":
        pass
    assert "Traceback" not in shop.end()
