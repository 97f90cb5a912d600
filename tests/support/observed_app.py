"""An application to look into: what its processes do is told by lines on standard input.

`hold` blocks the event loop until another line comes; `wait` has a handler wait for ever.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import trio

import trio_otp as otp


class Holder(otp.GenServer):
    """Does what makes a program look bad."""

    def __init__(self) -> None:
        self.password = "hunter2"
        self.counts = 0

    def format_status(self, status: Any) -> Any:
        return status | {"state": {"counts": self.counts}}

    @otp.on_call
    def hold(self) -> None:
        say("holding")
        sys.stdin.readline()
        say("free")

    @otp.on_cast
    async def wait(self) -> None:
        say("waiting")
        await trio.sleep_forever()

    @otp.on_cast
    def count(self) -> None:
        self.counts += 1
        say(f"counted {self.counts}")

    @otp.on_cast
    def fail(self) -> None:
        raise RuntimeError("told to fail")


async def obey() -> None:
    """Do what each line says: the name of a method, and of a process if it is not `holder`."""
    holder = Holder.at("holder", timeout=None)
    while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        pid = await otp.wait_for_name("holder")  # its supervisor may be about to restart it
        if line == "hold\n":
            await holder.hold()
            continue
        getattr(holder, line.strip())()
        if line == "fail\n":
            await otp.wait_down(pid)
            await otp.wait_for_name("holder")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class App(otp.Application):
    """Two servers of one class, and what reads the lines."""

    name = "observed"
    environment: ClassVar = {"observed": "no"}  # or `yes`, or `actions`

    def start(self) -> Any:
        children: list[Any] = [
            otp.child(Holder).having(name="holder"),
            otp.child(Holder).having(name="a name with spaces, and rather long"),
            otp.child(obey).having(id="obey", restart="temporary"),
        ]
        observed = self.environment["observed"]
        if observed != "no":
            server = otp.child(otp.observer.Server, port=None, actions=observed == "actions")
            children.append(server.having(name="observer"))
        children.append(otp.child(say_that_it_is_up).having(restart="temporary"))
        return otp.Supervisor.spec(children, max_restarts=100)


class Slow(otp.Application):
    """Does not come to the end of its start."""

    name = "slow"

    def start(self) -> Any:
        return otp.Supervisor.spec([otp.child(hang_in_init)])


async def hang_in_init(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    say("up")
    await trio.sleep_forever()


async def say_that_it_is_up() -> None:
    say("up")
    await trio.lowlevel.checkpoint()
