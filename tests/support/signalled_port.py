"""A program for tests that end it in every way: it has a port, and says nothing."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio
from port_kit import python

import trio_otp as otp

HOW, CODE, PATH = sys.argv[1:]


class App(otp.Application):
    """One port."""

    def start(self) -> Any:
        child = otp.child(otp.Port, python(CODE, PATH)).having(shutdown=0.2)
        return otp.Supervisor.spec([child])


async def plain() -> None:
    """Have a port in plain Trio code, and wait, or raise what is to end the program."""
    child = otp.child(otp.Port, python(CODE, PATH)).having(shutdown=0.2)
    async with trio.open_nursery() as nursery:
        await otp.start(child, nursery=nursery)
        if HOW == "error":
            raise ZeroDivisionError
        if HOW == "exit":
            raise SystemExit(7)
        await trio.sleep_forever()


async def killed_in_start() -> None:
    """Be killed when the program runs, and nothing of ours has heard of it."""
    lowlevel: Any = trio.lowlevel
    really_open = lowlevel.open_process

    async def open_process(command: Any, **options: Any) -> Any:
        process = await really_open(command, **options)
        if command[0] == sys.executable:
            await trio.sleep(0.2)  # so that it can go where it wants to
            os.kill(os.getpid(), signal.SIGKILL)
        return process

    lowlevel.open_process = open_process
    async with otp.open_process():
        await otp.start(otp.child(otp.Port, python(CODE), stdout="inherit", stderr="inherit"))


async def clean() -> None:
    """Have ports that end in every way, and say what is left."""
    await end_in_every_way()  # some files are opened once for all
    files = open_files()
    await end_in_every_way()
    try:
        print("left:", os.waitpid(-1, os.WNOHANG))  # noqa: T201, ASYNC222  (its test reads this)
    except ChildProcessError:
        print("left:", open_files() - files)  # noqa: T201  (the same)


async def end_in_every_way() -> None:
    async with otp.open_process(trap_exit=True):
        for code in ("", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"):
            await otp.start_monitor(otp.child(otp.Port, python(code), stdout="discard"))
            await otp.receive(otp.Down)
        for reason in (otp.KILL, "bye"):
            pid, _ = await otp.start_monitor(otp.child(otp.Port, ["cat"]))
            otp.exit(pid, reason)
            await otp.receive(otp.Down)
        with suppress(otp.StartError):
            await otp.start_link(otp.child(otp.Port, ["no-such-program"]))
        await otp.start_link(otp.child(otp.Port, ["cat"]))


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def forked() -> None:
    """Have a port, and a fork of ours that lives on when we are killed; say its number."""
    async with otp.open_process():
        await otp.start_link(otp.child(otp.Port, python(CODE, PATH)))
        with warnings.catch_warnings(action="ignore"):  # we have threads; the fork uses none
            fork = os.fork()
        while fork == 0:
            signal.pause()
        print(fork, flush=True)  # noqa: T201  (its test reads this)
        await trio.sleep_forever()


if HOW == "app":
    otp.run(App)
elif HOW in ("killed_in_start", "clean", "forked"):
    trio.run(globals()[HOW])
else:
    trio.run(plain)
