"""The group of a program: it does not outlive us, and nothing of it is left after a usual end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from inside import os_group
from paths import SUPPORT
from port_kit import CLEANS_UP, FORKS, FREEZES, IGNORES, OBEYS, READY, open_line, port, python

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PACKAGE = Path(otp.__file__).parents[1]
LEADS = READY + "os.setpgid(0, 0); line.write('up\\n'); signal.pause()"
HAS_NO_TERMINAL = READY + "os.setsid(); line.write('up\\n'); signal.pause()"
TELLS_GROUP = (  # everybody in its group gets all that can be ignored; it ignores that as well
    READY + "all = [signal.Signals['SIG' + n] for n in"
    " 'HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU'.split()];"
    "[signal.signal(n, signal.SIG_IGN) for n in all]; [os.killpg(0, n) for n in all];"
    "line.write('up\\n'); time.sleep(60)"
)


@asynccontextmanager
async def our_program(how: str, code: str = "", path: str = "-") -> AsyncGenerator[trio.Process]:
    """Run a program of ours that has ports."""
    ours = await trio.lowlevel.open_process(
        [sys.executable, str(SUPPORT / "signalled_port.py"), how, code, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(PACKAGE), str(SUPPORT)))},
    )
    try:
        with trio.fail_after(120):
            yield ours
    finally:
        ours.kill()
        with trio.CancelScope(shield=True):
            await ours.wait()


async def read_all(process: trio.Process) -> str:
    """Read what a program writes, until nobody has its output open any more."""
    assert process.stdout is not None
    return b"".join([bytes(chunk) async for chunk in process.stdout]).decode()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "code", [OBEYS, IGNORES, FORKS, FREEZES, LEADS, HAS_NO_TERMINAL, TELLS_GROUP]
)
async def test_a_program_is_killed_with_us(tmp_path: Path, code: str) -> None:
    """By SIGKILL of our program, whatever the other one ignores and wherever it has gone."""
    async with open_line(tmp_path) as line, our_program("plain", code, line.path) as ours:
        await line.wait_up()
        ours.kill()
        await line.wait_gone()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("leaves", ["", "os.setpgid(0, 0); ", "os.fork() or os.setsid(); "])
async def test_a_program_is_killed_with_us_while_it_is_started(leaves: str) -> None:
    """Also if nothing of ours has heard that it runs, wherever it goes; it has our output open."""
    code = f"import os, time; {leaves}print('up', flush=True); time.sleep(60)"
    async with our_program("killed_in_start", code) as ours:
        assert "" == (await read_all(ours)).replace("up", "").strip()  # a fork may say it as well
        assert -signal.SIGKILL == await ours.wait()


async def test_a_fork_of_us_does_not_keep_a_program_alive(tmp_path: Path) -> None:
    """It has nothing to do with our programs."""
    async with open_line(tmp_path) as line, our_program("forked", OBEYS, line.path) as ours:
        assert ours.stdout is not None
        fork = int(await ours.stdout.receive_some())
        try:
            await line.wait_up()
            ours.kill()
            await line.wait_gone()
        finally:
            os.kill(fork, signal.SIGKILL)


async def test_nothing_is_left_after_a_usual_end() -> None:
    """No process, no zombie, no file that is open: however the port ended."""
    async with our_program("clean") as ours:
        said = (await read_all(ours)).split("\n")
    assert "left: 0" == said[-2]


async def test_programs_inherit_nothing_of_it() -> None:
    """Neither a port nor a program of the user that inherits what it may."""
    code = "import os; print(sorted(map(int, os.listdir('/dev/fd')))[:-1])"
    before = open_files()
    async with otp.open_process() as me:
        await otp.start_link(otp.child(otp.Port, ["cat"]))
        await otp.start_link(otp.child(otp.Port, python(code), stdout="send", owner=me))
        assert "[0, 1, 2]" == (await otp.receive(otp.PortLine)).text
        assert not any(os.get_inheritable(fd) for fd in open_files() - before)


def open_files() -> set[int]:
    """Return the numbers of the files that are open."""
    found: set[int] = set()
    for fd in range(256):
        with suppress(OSError):
            os.fstat(fd)
            found.add(fd)
    return found


async def test_one_that_leads_a_group_of_its_own_is_asked_to_end(tmp_path: Path) -> None:
    """SIGTERM reaches a program also after it has left the group that it was started in."""
    leaves = "os.setpgid(0, 0); "  # no handler: it could not write while `up` is being written
    code = CLEANS_UP.replace(READY, READY + leaves)
    async with open_line(tmp_path) as line:
        async with otp.open_supervisor([port(line, code, shutdown=20)]):
            await line.wait_up()
        assert "bye" in await line.wait_gone()


async def test_without_a_shell_nothing_is_left_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start fails with the error, and no pipe stays open."""
    monkeypatch.setattr(os_group, "SHELL", "/nowhere/sh")
    before = open_files()
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(otp.child(otp.Port, python("")))
        assert isinstance(caught.value.reason, FileNotFoundError)
    assert before == open_files()


async def test_a_start_that_is_cancelled_while_its_guard_is_told_leaves_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed before the caller goes on."""
    told = trio.Event()

    async def guard(*_: object) -> None:
        told.set()
        await trio.sleep_forever()

    monkeypatch.setattr(os_group.OsGroup, "guard", guard)
    async with open_line(tmp_path) as line:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(otp.start, port(line, IGNORES), nursery=nursery))
            await told.wait()
            nursery.cancel_scope.cancel()
        await line.wait_gone()
