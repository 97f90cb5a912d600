"""A program for tests of what an operator sees: `python operated.py NAME [CONFIG]`.

It prints a line for each thing that happens; its exit status is that of `otp.run`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  (its tests read this)


class Idle(otp.GenServer):
    """A server that waits."""

    def init(self) -> None:
        say("up")

    def terminate(self, reason: object) -> None:
        say("down")


class Desk(otp.Application):
    """One server, and settings."""

    environment = {"greeting": "hello", "port": 80}  # noqa: RUF012

    def start(self) -> Any:
        return otp.Supervisor.spec([otp.child(Idle).having(name="idle")])

    def config_change(
        self, changed: Mapping[str, Any], new: Mapping[str, Any], removed: Sequence[str]
    ) -> None:
        say("changed", dict(changed))
        if "bad" in changed.values():
            raise ValueError("I do not like it")

    def stop(self) -> None:
        say("stop")


class Block(otp.GenServer):
    """A server that holds the loop, in its own way."""

    def __init__(self, how: str) -> None:
        self.how = how

    @otp.on_cast
    def work(self, secret: str) -> None:
        say("blocking")
        getattr(self, self.how)()

    def in_python(self) -> None:
        while True:
            time.sleep(0.01)

    def in_c(self) -> None:
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 10**9)  # minutes, and no signals

    def for_a_while(self) -> None:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        say("over")
        sys.stdin.readline()

    def on_stderr(self) -> None:
        while True:
            sys.stderr.write("x")
            sys.stderr.flush()


class Blocked(Desk):
    """An application whose loop is stuck."""

    how = "in_python"

    def start(self) -> Any:
        block = otp.child(Block, self.how).having(name="block")
        return otp.Supervisor.spec([otp.child(Idle).having(name="idle"), block, self.ask])

    async def ask(self) -> None:
        Block.at("block").work("hunter2")
        await trio.sleep_forever()


class BlockedInC(Blocked):
    """It ignores signals."""

    how = "in_c"


class BlockedForAWhile(Blocked):
    """For 0.3 s, and then until a line comes on standard input."""

    how = "for_a_while"


class SlowStart(Desk):
    """It has started once a line has come on standard input."""

    name = "desk"

    async def start(self) -> Any:
        say("starting")
        await trio.to_thread.run_sync(sys.stdin.readline)
        return super().start()


class Importer(Desk):
    """It tries to import something when it starts."""

    def start(self) -> Any:
        for name in ("one_that_there_is_not", "another"):
            with suppress(ImportError):
                import_module(name)
        return super().start()


class GivesUp(Desk):
    """It crashes when a line comes on standard input."""

    def start(self) -> Any:
        children = [otp.child(Idle).having(name="idle"), self.crash]
        return otp.Supervisor.spec(children, max_restarts=0)

    async def crash(self) -> None:
        await trio.to_thread.run_sync(sys.stdin.readline)
        raise ValueError("boom")


if __name__ == "__main__":
    config = sys.argv[2] if len(sys.argv) > 2 else None
    level: Any = os.environ.get("OPERATED_LOG_LEVEL")
    form: Any = os.environ.get("OPERATED_LOG_FORMAT")
    sys.exit(otp.run(globals()[sys.argv[1]], config=config, log_level=level, log_format=form))
