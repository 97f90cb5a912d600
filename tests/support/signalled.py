"""A program for tests that send it signals: `python signalled.py NAME` runs one application.

It prints a line for each thing that happens; its exit status is that of `otp.run`.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import trio

import trio_otp as otp


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  (its tests read this)


class Worker(otp.GenServer):
    def __init__(self, name: str) -> None:
        self.name = name

    def init(self) -> None:
        otp.trap_exit()
        say("up", self.name)

    def terminate(self, reason: object) -> None:
        say("down", self.name)


class Tree(otp.Application):
    """Two workers, and whatever a subclass has to show."""

    def child(self) -> Any:
        return otp.child(Worker, f"{self.name}2").having(id=2)

    def start(self) -> Any:
        first = otp.child(Worker, f"{self.name}1").having(id=1)
        return otp.Supervisor.spec([first, self.child()], max_restarts=0)

    def stop(self) -> None:
        say("stop", self.name)


class Base(Tree):
    pass


class Plain(Tree):
    dependencies = (Base,)


class Logged(Tree):
    def child(self) -> Any:
        return otp.child(Logging, f"{self.name}2").having(id=2)


class Logging(Worker):
    """Writes to the log, and so to stderr, at its end."""

    def terminate(self, reason: object) -> None:
        logging.getLogger(__name__).warning("ends")
        super().terminate(reason)


class HangsInStart(Tree):
    dependencies = (Base,)

    def child(self) -> Any:
        return Hangs


class Hangs(otp.GenServer):
    async def init(self) -> None:
        say("hanging")
        try:
            await trio.sleep_forever()
        finally:
            say("broken off")


class InHandler(Tree):
    def child(self) -> Any:
        return Busy


class Busy(Worker):
    def __init__(self) -> None:
        super().__init__("busy")

    def init(self) -> Any:
        return otp.NoReply(continue_="go")

    async def handle_continue(self, token: Any) -> None:
        say("busy")
        await trio.sleep_forever()


class SlowEnd(Tree):
    dependencies = (Base,)

    def child(self) -> Any:
        return otp.child(Slow, "slow").having(shutdown=None)


class Slow(Worker):
    async def terminate(self, reason: object) -> None:
        say("ending")
        try:
            await trio.sleep_forever()
        finally:
            say("cut")


class BlocksTheLoop(Tree):
    def child(self) -> Any:
        return Blocks


class Blocks(Busy):
    async def handle_continue(self, token: Any) -> None:
        say("blocking")
        time.sleep(60)  # noqa: ASYNC251  (the mistake that is shown)


class SlowStop(Tree):
    async def stop(self) -> None:
        say("stopping")
        try:
            await trio.sleep_forever()
        finally:
            say("cut")


class Fails(Tree):
    dependencies = (Base,)

    def child(self) -> Any:
        return Failing


class Failing(otp.GenServer):
    def init(self) -> None:
        raise OSError("address in use")


class GivesUp(Tree):
    dependencies = (Base,)

    def child(self) -> Any:
        return Crashes


class Crashes(otp.GenServer):
    def init(self) -> Any:
        return otp.NoReply(timeout=0)

    def handle_info(self, message: Any) -> Any:
        raise RuntimeError("boom")


class Exits(GivesUp):
    def child(self) -> Any:
        return Exiting


class Exiting(Crashes):
    def handle_info(self, message: Any) -> Any:
        raise SystemExit(7)


class Batch(Tree):
    def start(self) -> Any:
        job = otp.child(trio.sleep, 0.01).having(significant=True, restart="transient")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")


class ClumsyStop(Batch):
    def stop(self) -> None:
        raise KeyError("not flushed")


if __name__ == "__main__":
    sys.exit(otp.run(globals()[sys.argv[1]]))
