"""Shared state in a server instead of a global dict.

Between two awaits a Trio task runs alone, so a dict looks safe. It is not: whoever reads, awaits
and then writes may overwrite what others wrote in the meantime. A server handles one message at a
time, awaits included, so a whole read-and-write is one step for everybody else, without a lock.
"""

from __future__ import annotations

import trio

import trio_otp as otp

TAKERS = 10

stock = {"apples": TAKERS}  # bad: global, and everybody's to change


async def ask_the_warehouse() -> None:
    """Stands for whatever has to be awaited: a database, a socket."""
    await trio.lowlevel.checkpoint()


async def take_from_dict() -> None:
    left = stock["apples"]
    await ask_the_warehouse()  # the others read the same number meanwhile
    stock["apples"] = left - 1


class Stock(otp.GenServer):
    """Good: one owner, and changes that are messages."""

    def __init__(self, apples: int) -> None:
        self.apples = apples

    @otp.on_call
    async def take(self) -> None:
        left = self.apples
        await ask_the_warehouse()  # the next message waits until this one is done
        self.apples = left - 1

    @otp.on_call
    async def left(self) -> int:
        return self.apples


async def main() -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(TAKERS):
            nursery.start_soon(take_from_dict)
    print(f"dict: {TAKERS} took one each, {stock['apples']} left")

    async with otp.open_supervisor([otp.child(Stock, TAKERS).having(name=Stock)]):
        server = Stock.at()
        async with trio.open_nursery() as nursery:
            for _ in range(TAKERS):
                nursery.start_soon(server.take)
        print(f"server: {TAKERS} took one each, {await server.left()} left")


if __name__ == "__main__":
    trio.run(main)
