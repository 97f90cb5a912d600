"""The demonstration: what it prints, and that it fails when something is wrong."""

from __future__ import annotations

import doctest
import io
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp
from examples.cache_service import figures
from examples.cache_service.client import connect
from examples.cache_service.data import records
from examples.cache_service.demo import free_port
from examples.cache_service.faults import FAULTS, recovery
from examples.cache_service.folding import folded_logs
from examples.cache_service.keyspaces import KEYSPACES
from examples.cache_service.screen import Screen
from examples.cache_service.show import demonstrate
from examples.cache_service.stage import Stage
from trio_otp import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def running_demo(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process of its own, which puts its files into the directory."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-m", "trio_otp", "demo", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read lines up to the first that has the text in it."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"no line with {text!r} in {lines}")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; give the exit status and the last line."""
    out, err = process.communicate(timeout=20)
    assert "" == err
    return process.returncode, out.splitlines()[-1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of a short demonstration that went well."""
    with running_demo(tmp_path_factory.mktemp("demo"), "--seconds", "2") as process:
        out, err = process.communicate(timeout=40)
    assert (0, "") == (process.returncode, err), out + err
    return out.splitlines()


def position(lines: list[str], pattern: str, start: int = 0) -> int:
    """Return the index of the first line that a pattern is found in."""
    found = [i for i, line in enumerate(lines) if i >= start and re.search(pattern, line)]
    assert found, f"no line matches {pattern!r}: {lines}"
    return found[0]


def test_each_fault_is_announced_before_its_crash(shown: list[str]) -> None:
    """First comes the announcement, then a line for the crash, then the recovery."""
    for number, crash in enumerate(
        ("CacheWorker", "Repo", "CacheWorker", "ConnectionSupervisor"), 1
    ):
        announced = position(shown, f"^FAULT {number} of 4: ")
        crashed = position(shown, rf"^   expected: <Pid \d+ {crash}\b.*>: ", announced)
        recovered = position(shown, "^   recovered: writes .* after", announced)

        assert announced < crashed < recovered
        assert number == 4 or recovered < position(shown, f"^FAULT {number + 1} of 4: ")


def test_a_fault_hits_a_pending_commit(shown: list[str]) -> None:
    """The Repo is killed with commits pending, and workers end because they cannot know."""
    pending = position(shown, r"^   pending: \d commits?; \d+ clients? wait for an answer: killed")

    assert pending < position(shown, "expected: .* OutcomeUnknown: the Repo ended: KILLED")


def test_the_tree_is_shown_before_and_after_with_restarts(shown: list[str]) -> None:
    """Both trees show the parts of the service; the later one counts restarts."""
    before = shown[: position(shown, "clients stored")]
    after = shown[position(shown, "^The same tree") :]

    for part in ("Repo", "Keyspaces", "WorkerSupervisor", "Endpoint"):
        position(before, part)
        position(after, part)
    assert not [line for line in before if "restart" in line]
    for part in ("Repo", "CacheWorker", "Endpoint"):
        position(after, rf"{part}.* restarts?\b")


def test_rates_latencies_and_the_sum_are_shown(shown: list[str]) -> None:
    """The figures, what a commit is shared by, what was read again, and a line that sums it up."""
    position(shown, r"per second +p50 +p90 +p99 +max$")
    for row in ("writes", "reads"):
        position(shown, rf"^   {row} +[\d,]+( +[\d.,]+ ms){{4}}$")
    position(shown, r"[\d,]+ commands? had to be sent again, \d+ connections? to be opened anew")
    position(shown, r"[\d,]+ writes took [\d,]+ commits")
    position(shown, "^were read over the socket: none wrong")
    assert re.fullmatch(r"OK: 4 faults, [\d,]+ acknowledged writes, none lost\.", shown[-1])


def test_lines_are_plain_and_fit_80_columns(shown: list[str]) -> None:
    """In a pipe nothing is written over, nothing coloured, nothing wider than a terminal."""
    assert [] == [line for line in shown if len(line) > 80 or not line.isprintable()]
    assert position(shown, r"\d s +[\d,]+ writes acknowledged +[\d,]+ reads")


async def perform(
    tmp_path: Path, clients: int = 8, port: int = 0, **options: Any
) -> tuple[int, str]:
    """Return exit status and output of a very short demonstration with few records."""
    screen = Screen(file := io.StringIO())
    with folded_logs(screen) as folder, trio.fail_after(20):
        stage = Stage(
            port=port or free_port(),
            database=tmp_path / "cache.db",
            folder=folder,
            screen=screen,
            seconds=0.2,
            clients=clients,
            records=list(islice(records(), 100)),
        )
        return await demonstrate(stage, **options), file.getvalue()


async def test_it_fails_if_acknowledged_writes_are_missing(tmp_path: Path) -> None:
    """A key that is gone and one with an older value are named, and the exit status is 1."""

    async def spoil(port: int) -> None:
        async with await connect(port) as redis:
            assert ["OK", 1, "OK"] == await redis.ask_all(
                [("SELECT", 0), ("DEL", "airport:AAA"), ("SET", "airport:AAE", "old")]
            )

    status, shown = await perform(tmp_path, faults=FAULTS[1:2], before_check=spoil)

    assert 1 == status
    assert "were read over the socket: 2 wrong" in shown
    assert "\nWRONG: airport:AAA in keyspace 0 was acknowledged and is missing\n" in shown
    assert "\nWRONG: airport:AAE in keyspace 0 is not what was acknowledged last, but" in shown
    assert shown.endswith("\nFAILED: 2 things wrong.\n")


@pytest.mark.slow
async def test_it_fails_if_no_fault_hits_a_pending_commit(tmp_path: Path) -> None:
    """A Repo without work is not killed, and that is not good enough."""
    status, shown = await perform(tmp_path, clients=0, faults=FAULTS[1:2])

    assert 1 == status
    assert "WRONG: no commit was pending for 2 s, so the Repo was not killed\n" in shown
    assert "WRONG: no fault hit a pending commit\n" in shown


async def test_it_fails_if_there_is_a_crash_that_it_did_not_cause(tmp_path: Path) -> None:
    """A crash that was not announced is shown whole, and the exit status is 1."""

    async def crash(stage: Stage) -> None:
        otp.cast(KEYSPACES.via(1), "compact yourself")
        await recovery(stage, [1])

    status, shown = await perform(tmp_path, faults=[("a bug", crash)])

    assert 1 == status
    assert "compact yourself" in shown
    assert "NoCallback" in shown
    assert "WRONG: unexpected log: " in shown


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "--seconds SECONDS"),
        (["--seconds", "0"], 2, "argument --seconds: 0: expected more than 0"),
        (["--port", "65536"], 2, "argument --port: 65536: expected 0 to 65535"),
        (["--port", "http"], 2, "argument --port: invalid port value: 'http'"),
    ],
)
def test_its_options_are_explained(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help names them, and a wrong one is answered by what is accepted."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", *arguments])

    assert status == ended.value.code
    assert said in "".join(capsys.readouterr())


def test_a_port_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(SystemExit):
        cli.main(["demo", "--port", str(listener.getsockname()[1])])

    assert "Address already in use" in capsys.readouterr().err


async def test_it_fails_if_the_service_does_not_start(tmp_path: Path) -> None:
    """If somebody took the port in the meantime it says why, and the exit status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        status, shown = await perform(tmp_path, port=listener.getsockname()[1])

    assert 1 == status
    assert re.search("WRONG: .*cache_service.*Address already in use", shown)


@pytest.mark.slow
def test_serve_stays_up_for_other_clients(tmp_path: Path) -> None:
    """It tells its address, answers with the records, and ends well at Ctrl-C."""

    async def ask(port: int) -> object:
        async with await connect(port) as redis:
            return await redis.ask("GET", "airport:JFK")

    with running_demo(tmp_path, "--serve") as process:
        listens = lines_until(process, "It listens on")[-1]
        address = re.search(r"127\.0\.0\.1:(\d+)", listens)
        assert address is not None
        hint = lines_until(process, "redis-cli")[-1]
        found = trio.run(ask, int(address[1]))
        process.send_signal(signal.SIGINT)

        assert f"   redis-cli -p {address[1]} get airport:JFK\n" == hint
        assert b"John F Kennedy" in bytes(str(found), "utf-8")
        assert (0, "Stopped in order.") == finish(process)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_ctrl_c_ends_it_in_order(tmp_path: Path, signum: signal.Signals) -> None:
    """Such a signal under load stops the service, leaves no file, and says so in one line."""
    with running_demo(tmp_path) as process:
        lines_until(process, "clients stored")
        process.send_signal(signum)

        assert (130, "Interrupted, and stopped in order.") == finish(process)
    assert [] == list(tmp_path.iterdir())


@contextmanager
def terminal() -> Iterator[tuple[Any, Any]]:
    """A terminal: the end that a program writes to, the end that shows it."""
    shows, writes = os.openpty()
    with os.fdopen(writes, "w") as file, os.fdopen(shows, "rb") as reader:
        yield file, reader


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_need_a_terminal_that_has_them(environ: dict[str, str], coloured: bool) -> None:
    """On a terminal there are colours, unless NO_COLOR is set or it is a dumb one."""
    with terminal() as (file, reader):
        Screen.of(file, environ).line("FAULT", "alarm")

        expected = b"\x1b[1;33mFAULT\x1b[0m\r\n" if coloured else b"FAULT\r\n"
        assert expected == reader.read(len(expected))


def test_progress_stays_in_its_place_on_a_terminal() -> None:
    """The progress line is written over, cut to the width, and gives way to other lines."""
    with terminal() as (file, reader):
        screen = Screen.of(file, {"TERM": "xterm", "NO_COLOR": "1"})
        screen.progress("12 writes")
        screen.progress("9 writes")
        screen.line("FAULT")
        screen.progress("x" * 1000)

        shown = b"12 writes\r         \r9 writes\r        \rFAULT\r\n" + b"x" * 79
        assert shown == reader.read(len(shown))


def test_progress_is_a_line_elsewhere() -> None:
    """In a file each progress line is one of its own, and they are rarer than on a terminal."""
    screen = Screen(file := io.StringIO())
    screen.progress("12 writes")
    screen.progress("9 writes")

    assert "12 writes\n9 writes\n" == file.getvalue()
    assert screen.pace > Screen(file, terminal=True).pace


def test_it_goes_on_when_nobody_reads() -> None:
    """As under `head`, a closed pipe is no error."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as file:
        screen = Screen.of(file)
        screen.line("FAULT")
        screen.line("OK")


def test_docstrings_of_figures_show_what_happens() -> None:
    """Each example gives what it says."""
    assert (0, True) == ((result := doctest.testmod(figures)).failed, result.attempted > 0)
