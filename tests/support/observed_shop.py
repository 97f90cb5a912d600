"""A program to look at in a browser. It does what it reads from stdin, a word in each line.

Its first line says where: the address of the page, the number of the program, the path of the
socket, as JSON. `EVIL` is what would become an element if a page made markup of it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

COUNT = 12 if "pictures" in sys.argv else 60  # carts
EVIL = "<img src=x onerror=document.title='taken-over'>"


@cache
def opened() -> trio.Event:
    """Return what the callers of `hold` wait for."""
    return trio.Event()


class Stock(otp.GenServer):
    """Answers many calls, each a little later."""

    def __init__(self) -> None:
        self.items = {f"item-{number}": number for number in range(5)}

    @otp.on_call(timeout=30)
    async def take(self, item: str) -> int | None:
        await trio.sleep(0.001)
        return self.items.get(item)


class Cart(otp.GenServer):
    """Takes things from the stock, each cart at its own speed, which changes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines = 0

    def init(self) -> None:
        otp.set_label(f"cart {self.number}")
        otp.send(otp.self(), "tick")

    @otp.on_info(str)
    async def tick(self, _message: str) -> None:
        await Stock.at("stock").take(f"item-{self.number % 7}")
        self.lines += 1
        otp.send_after(otp.self(), "tick", random.choice([0.05, 0.1, 0.3, 0.6]))


class Feed(otp.GenServer):
    """Can be made to hold the loop, or its callers."""

    @otp.on_cast
    def hog(self) -> None:
        time.sleep(3)  # the line that holds the loop

    @otp.on_call(timeout=None)
    async def hold(self) -> None:
        await opened().wait()  # the line that holds its callers

    @otp.on_cast
    def crash(self, text: str) -> None:
        raise ValueError(text)


class Evil(otp.GenServer):
    """All that can be seen of it is `EVIL`."""

    def __init__(self) -> None:
        self.state = EVIL

    def init(self) -> None:
        otp.set_label(f"label {EVIL}")

    @otp.on_cast
    async def eat(self, _text: str) -> None:
        await trio.sleep_forever()

    def handle_info(self, message: object) -> None:
        raise ValueError(EVIL)


class Carts(otp.Supervisor):
    """Enough of them to fill a screen."""

    def init(self) -> object:
        carts = [otp.child(Cart, number).having(id=f"cart {number}") for number in range(COUNT)]
        return otp.Supervisor.spec(carts)


class Feeds(otp.Supervisor):
    """A part of the tree that has trouble."""

    def init(self) -> object:
        names = ("feed", "other feed")
        evil = [] if "pictures" in sys.argv else [otp.child(Evil).having(name=EVIL)]
        children = [*(otp.child(Feed).having(name=name) for name in names), *evil]
        return otp.Supervisor.spec(children, max_restarts=5, max_seconds=60)


def hold_twelve() -> None:
    """Let twelve callers wait for the feed."""
    for number in range(12):
        otp.spawn(hold, label=f"caller {number}")


def eat_twice() -> None:
    """Give one message to handle, and one that waits."""
    for _ in range(2):
        Evil.at(EVIL).eat(EVIL)


COMMANDS: dict[str, Callable[[], object]] = {
    "hog": lambda: Feed.at("feed").hog(),
    "hold": hold_twelve,
    "release": lambda: opened().set(),
    "crash": lambda: Feed.at("other feed").crash("a feed is wrong"),
    "evil": lambda: otp.send(EVIL, EVIL),
    "eat": eat_twice,
    "kill the observer": lambda: otp.exit(otp.whereis("observer"), otp.KILL),
}


async def words(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    """Yield the lines of a stream, whose reading can be broken off."""
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()


async def obey(lines: AsyncIterator[str]) -> None:
    """Do what comes in each line, and say when it is done; what is no command ends all."""
    async for word in lines:
        if word == "end":
            return
        COMMANDS[word]()
        await Stock.at("stock").take("item-1")  # the loop goes on
        say("done")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def hold() -> None:
    """Call the feed that does not answer."""
    await Feed.at("feed").hold()


async def end_on_sigterm(scope: trio.CancelScope) -> None:
    """End everything in order when the system asks for it."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def main() -> None:
    """Run the shop until it is told to end."""
    logging.basicConfig(level=logging.CRITICAL)
    children = [
        otp.child(Stock).having(name="stock"),
        otp.child(Carts).having(name="carts"),
        otp.child(Feeds).having(name="feeds"),
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_on_sigterm, nursery.cancel_scope)
        async with otp.open_supervisor(children, name="shop"):
            server = otp.child(otp.observer.Server, actions="actions" in sys.argv)
            pid = await otp.start(server.having(name="observer"), nursery=nursery)
            seen = otp.process_info(pid).started
            where = {"url": seen.url, "pid": os.getpid(), "socket": str(seen.socket)}
            say(json.dumps(where))
            async with otp.open_process(), trio.lowlevel.FdStream(os.dup(0)) as stdin:
                await obey(words(stdin))
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
