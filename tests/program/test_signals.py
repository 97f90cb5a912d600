"""What signals do to a program besides ending it: its report, and its configuration read again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import Notifier, Reloads
from paths import SUPPORT
from program_kit import Running, program

if TYPE_CHECKING:
    from pathlib import Path

operated = partial(program, script=SUPPORT / "operated.py")
OTHER_THREAD = ("<no Python frame>", "in _bootstrap\n")  # the system may choose one for a signal
END = "SIGUSR1: end of the report\n"  # whatever was running when the signal came


async def reported(run: Running, text: str, *ends: str) -> str:
    """Request reports until one has a text: the program may not be that far yet."""
    report = ""
    while text not in report:
        run.process.send_signal(signal.SIGUSR1)
        report = await run.read_errors_until(END, *ends)
    return report


async def test_sigusr1_tells_what_the_program_does() -> None:
    """The processes and their stacks, on standard error; the program goes on."""
    async with operated("Desk") as run:
        await run.read_until("up")
        await run.read_errors_until("application desk started")
        report = await reported(run, "the loop carries out no task\n")
        assert f"SIGUSR1: what program {run.process.pid} is doing at 20" in report
        assert "processes: 2\n" in report
        assert "idle             0         0  <Pid 2 Idle 'idle'>" in report
        assert "stacks of processes\n<Pid 1 Supervisor>\n  " in report
        assert END in report
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines


async def test_sigusr1_while_the_loop_is_stuck() -> None:
    """The signal handler writes which task holds the loop, at which line, and what waits."""
    async with operated("Blocked") as run:
        await run.read_until("blocking")
        report = await reported(run, "in in_python\nprocesses: ")
        assert "the loop is held by <Pid 3 Block 'block'>, handling cast work for " in report
        assert re.search(r" s, at \S+operated.py:\d+\n", report)
        assert "hunter2" not in report


async def test_sigusr1_while_the_loop_is_stuck_in_c() -> None:
    """No code of Python can run; the stack of the main thread is told all the same."""
    async with operated("BlockedInC") as run:
        await run.read_until("blocking")
        report = await reported(run, "in in_c\n", "in in_c\n", *OTHER_THREAD)
        assert "SIGUSR1: what" not in report


async def test_sigquit_tells_that_and_ends_in_order() -> None:
    """As Java programs do, but in order; status 0."""
    async with operated("Desk") as run:
        await run.read_until("up")
        await run.read_errors_until("application desk started")
        run.process.send_signal(signal.SIGQUIT)
        assert 0 == await run.end()
    assert "SIGQUIT: what program" in run.errors
    assert "<Pid 2 Idle 'idle'>" in run.errors
    assert "SIGQUIT: stopping" in run.errors
    assert ["up", "down", "stop"] == run.lines


async def test_a_report_that_nobody_reads_hurts_nothing() -> None:
    """Standard error is a pipe without a reader."""
    reader, writer = os.pipe()
    async with operated("Desk", stderr=writer) as run:
        os.close(writer)
        await run.read_until("up")
        os.close(reader)
        run.process.send_signal(signal.SIGUSR1)
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines


async def test_nohup() -> None:
    """Under `nohup` a closed terminal means nothing: SIGHUP stays ignored, also with a file."""
    async with operated("Desk", "nohup", start_new_session=True) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGHUP)
        run.process.send_signal(signal.SIGUSR1)
        await run.read_errors_until("processes: 2")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert "SIGHUP" not in run.errors
    assert "SIGTERM: stopping" in run.errors


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGQUIT"])
async def test_a_report_that_was_ignored_at_the_start_stays_ignored(name: str) -> None:
    """The signal was ignored when the program was started."""
    ignore = f"trap '' {name.removeprefix('SIG')}; exec \"$@\""
    async with operated("Desk", "sh", "-c", ignore, "sh") as run:
        await run.read_until("up")
        run.process.send_signal(signal.Signals[name])
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert name not in run.errors


IN_IMPORTS = """
import runpy, signal, sys

class Signals:
    sending = False

    def find_spec(self, name, path=None, target=None):
        if self.sending:
            print("the report imports", name, flush=True)
        elif signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL:
            self.sending = True
            signal.raise_signal(signal.SIGUSR1)
            self.sending = False
            print("signal", flush=True)

for name in [each for each in sys.modules if each.partition(".")[0] == "json"]:
    del sys.modules[name]
sys.meta_path.insert(0, Signals())
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("form", ["text", "json"])
async def test_sigusr1_in_the_middle_of_an_import(tmp_path: Path, form: str) -> None:
    """The report imports nothing, as it would find a module that has nothing in it yet."""
    script = tmp_path / "in_imports.py"
    write_text(script, IN_IMPORTS)
    arguments = [str(SUPPORT / "operated.py"), "Importer"]
    env = {"OPERATED_LOG_FORMAT": form}
    async with program("-", script=script, arguments=arguments, env=env) as run:
        await run.read_until("up")
        await run.read_errors_until("application importer started")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert run.lines.count("signal") >= 2  # the imports of the application
    assert run.lines.count("signal") == run.errors.count("SIGUSR1: what program")
    assert [] == [line for line in run.lines if line.startswith("the report imports")]
    assert "cannot be read" not in run.errors


BROKEN = """
import os, runpy, sys
from trio_otp._program import program

def broken(*_):
    raise LookupError("no\\nway")

setattr(program, os.environ["BROKEN"], broken)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def broken(tmp_path: Path, what: str, form: str) -> str:
    """Ask for a report while a part of the library raises; return what is written."""
    script = tmp_path / "broken.py"
    write_text(script, BROKEN)
    arguments = [str(SUPPORT / "operated.py"), "Desk"]
    env = {"OPERATED_LOG_FORMAT": form, "BROKEN": what}
    async with program("-", script=script, arguments=arguments, env=env) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGUSR1)
        await run.read_errors_until("LookupError at ")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines
    return run.errors


async def test_a_report_that_fails_says_so(tmp_path: Path) -> None:
    """In one line, with the place of the error; the program goes on."""
    said = await broken(tmp_path, "dump", "text")
    assert re.search(r"^SIGUSR1: the report failed: LookupError at \S+broken\.py:6$", said, re.M)
    said = await broken(tmp_path, "dump", "json")
    [line] = [each for each in said.splitlines() if "the report failed" in each]
    record = json.loads(line)
    assert record["message"].startswith("SIGUSR1: the report failed: LookupError at ")
    assert "ERROR" == record["level"]


async def test_a_report_that_cannot_be_made_json_is_text(tmp_path: Path) -> None:
    """Behind a line with the error."""
    said = await broken(tmp_path, "as_line", "json")
    assert re.search(
        r"^this should have been JSON, but: LookupError at \S+:6\nSIGUSR1: ", said, re.M
    )
    assert "\nprocesses: 2\n" in said


async def test_a_report_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    """What the log does with it may still work."""
    said = await broken(tmp_path, "write_now", "text")
    assert "ERROR trio_otp.program: SIGUSR1: the report cannot be written: LookupError at " in said


# -- SIGHUP ----------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "desk.toml"
    write(path, 'greeting = "good morning"')
    return path


def write(path: Path, setting: str) -> None:
    write_text(path, f"[desk]\n{setting}\n")


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


async def test_sighup_reads_the_configuration_again(config: Path) -> None:
    """If there is a file and no terminal; a mistake in it is logged and changes nothing."""
    async with operated("Desk", arguments=[str(config)], start_new_session=True) as run:
        await run.read_until("up")
        await run.read_errors_until("application desk started")

        write(config, 'greeting = "good evening"')
        run.process.send_signal(signal.SIGHUP)
        await run.read_until("changed {'greeting': 'good evening'}")
        await run.read_errors_until("SIGHUP: read the configuration again: changed for desk")

        write(config, "greting = 5")
        run.process.send_signal(signal.SIGHUP)
        said = await run.read_errors_until("did you mean 'greeting'?")
        assert "SIGHUP: the configuration stays as it was: " in said
        assert "Traceback" not in said

        write(config, 'greeting = "bad"')
        run.process.send_signal(signal.SIGHUP)
        said = await run.read_errors_until("I do not like it\n")
        assert "is in force, but not everybody took it" in said

        run.process.send_signal(signal.SIGHUP)
        await run.read_errors_until("SIGHUP: read the configuration again: as it was")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["down", "stop"] == run.lines[-2:]


async def test_sighup_ends_a_program_at_a_terminal(config: Path) -> None:
    """Though there is a file: the terminal was closed."""
    ours, theirs = os.openpty()
    async with operated(
        "Desk", "setsid", "--ctty", arguments=[str(config)], stdin=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        await run.read_until("up")
        os.close(ours)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines


async def test_sighup_ends_a_program_without_a_file() -> None:
    """In order, with `terminate`."""
    async with operated("Desk", start_new_session=True) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGHUP)
        assert 0 == await run.end()
    assert "SIGHUP: stopping" in run.errors
    assert ["up", "down", "stop"] == run.lines


async def test_sighup_during_the_start(config: Path) -> None:
    """What has changed since the file was read is taken when the start is over."""
    options: Any = {"start_new_session": True, "stdin": subprocess.PIPE}
    async with operated("SlowStart", arguments=[str(config)], **options) as run:
        await run.read_until("starting")
        write(config, 'greeting = "good evening"')
        run.process.send_signal(signal.SIGHUP)
        assert run.process.stdin is not None
        await run.process.stdin.send_all(b"\n")
        await run.read_until("changed {'greeting': 'good evening'}")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["starting", "up"] == run.lines[:2]


async def test_a_reload_that_fails_otherwise_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that comes of it ends the program."""

    async def fail(*_: object) -> list[str]:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("boom")

    monkeypatch.setattr("trio_otp._program.reloading.reload", fail)
    reloads = Reloads(Notifier({}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloads.run)
        for count in (1, 2):
            reloads.ask()
            await trio.testing.wait_all_tasks_blocked()
            assert count == caplog.text.count("SIGHUP: the configuration could not be read again")
        nursery.cancel_scope.cancel()
    assert "RuntimeError: boom" in caplog.text


# -- where there is less ---------------------------------------------------------------------------

WITHOUT = """
import faulthandler, os, runpy, signal, socket, sys

for module, names in (
    (signal, "SIGHUP SIGQUIT SIGUSR1"),
    (faulthandler, "register unregister"),
    (os, "ctermid O_NOCTTY"),
):
    for name in names.split():
        delattr(module, name)
sys.argv = ["operated.py", *sys.argv[2:]]
runpy.run_path(os.environ["OPERATED"], run_name="__main__")
"""


async def test_where_the_system_has_fewer_signals(tmp_path: Path, config: Path) -> None:
    """As on Windows: a program runs, with a file too, and SIGTERM ends it."""
    script = tmp_path / "without.py"
    write_text(script, WITHOUT)
    env = {"OPERATED": str(SUPPORT / "operated.py")}
    arguments = ["Desk", str(config)]
    async with program("-", script=script, arguments=arguments, env=env) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines


async def test_a_program_without_standard_error() -> None:
    """It was closed, so there is nowhere to write, and its number may be that of another file."""
    closed = ("sh", "-c", 'exec "$@" 2>&-', "sh")
    async with operated("Desk", *closed) as run:
        await run.read_until("up")
        run.process.send_signal(signal.SIGUSR1)
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    assert ["up", "down", "stop"] == run.lines
    async with program("Fails", *closed) as run:
        assert 1 == await run.end()
    assert "stop base" == run.lines[-1]


async def test_a_report_into_a_pipe_that_is_full() -> None:
    """One that does not block gives the reader a second, and goes on without the rest."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 1000)
    async with operated("Desk", stderr=writer) as run:
        os.close(writer)
        await run.read_until("up")
        run.process.send_signal(signal.SIGUSR1)
        run.process.send_signal(signal.SIGTERM)
        assert 0 == await run.end()
    os.close(reader)
    assert ["up", "down", "stop"] == run.lines
