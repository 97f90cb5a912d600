"""A program for tests that send it signals: `python tree_program.py WHERE` runs one tree.

It prints a line for each thing that happens. WHERE says what it does when the signal comes: it is
idle, or busy without a checkpoint in a handler, an init, a terminate, or a function child.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import trio

import trio_otp as otp

WHERE = sys.argv[1]


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  (its tests read this)


def spin(where: str) -> None:
    """Be busy for ever, without a checkpoint, if this is where it is to happen."""
    if where == WHERE:
        say("busy")
        while True:
            pass


class Worker(otp.GenServer):
    def __init__(self, tag: str) -> None:
        self.tag = tag

    def init(self) -> None:
        say(f"+{self.tag}")
        if self.tag == "x":
            spin("init")

    def handle_cast(self, message: object) -> None:
        spin("handler")

    async def terminate(self, reason: object) -> None:
        say(f"-{self.tag}")
        if self.tag == "x":
            spin("terminate")
        await trio.sleep(0.02)
        say(f"={self.tag}")


async def function() -> None:
    spin("function")
    await trio.sleep_forever()


async def act(sup: otp.OpenSupervisor) -> None:
    """Bring the tree to the point at which the signal is to strike."""
    if WHERE == "handler":
        otp.cast("x", "go")
    elif WHERE == "terminate":
        await otp.terminate_child("inner", "x")
    else:
        say("busy")
    await sup.wait()


async def main() -> None:
    inner = otp.child(
        otp.Supervisor, [worker("b"), worker("x"), worker("c")], strategy="one_for_all"
    )
    children: list[Any] = [
        worker("a"),
        inner.having(name="inner"),
        otp.child(function),
        worker("d"),
    ]
    if WHERE != "function":
        del children[2]
    with trio.CancelScope() as scope, trio.open_signal_receiver(signal.SIGTERM) as signals:
        trio.lowlevel.spawn_system_task(cancel_when_told, scope, signals)
        async with otp.open_supervisor(children) as sup:
            await act(sup)


def worker(tag: str) -> otp.Child[Worker]:
    return otp.child(Worker, tag).having(name=tag)


async def cancel_when_told(scope: trio.CancelScope, signals: Any) -> None:
    """Cancel the program when it is told to end, as many Trio programs do."""
    async for _ in signals:
        say("told to end")
        scope.cancel()


if __name__ == "__main__":
    try:
        trio.run(main)
    except BaseException as error:
        say(f"raised {error!r}")
    else:
        say("ended")
