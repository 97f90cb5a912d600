"""A callback that waits, and its cure: a helper process and a deferred reply.

A server handles one message at a time. While a callback waits for something slow, every other
caller waits too, though their answers are at hand. The cure is to hand the slow part, with the
caller it is for, to a helper process: `otp.reply_from_task(from_, fn, *args)` returns at once, and
what `fn` returns is the answer. If the helper or the server dies, the caller is told.

The clock is virtual: a report takes two seconds of it and no real time. (For work that blocks the
thread, not only the task, `fn` would be `trio.to_thread.run_sync`.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def make_report(year: int) -> str:
    await trio.sleep(2)
    return f"report of {year}"


class Blocking(otp.GenServer):
    @otp.on_call
    async def report(self, year: int) -> str:
        return await make_report(year)  # bad: for two seconds nobody else is served

    @otp.on_call
    async def ping(self) -> str:
        return "pong"


class Cured(otp.GenServer):
    @otp.on_call_deferred
    async def report(self, from_: otp.From[str], year: int) -> None:
        otp.reply_from_task(from_, make_report, year)  # good: the helper waits, the server does not

    @otp.on_call
    async def ping(self) -> str:
        return "pong"


async def measure(waits: dict[str, float], answer: Awaitable[str]) -> None:
    began = trio.current_time()
    text = await answer
    waits[text] = trio.current_time() - began


async def three_callers(server: Blocking | Cured) -> None:
    """Ask for two reports, and then for an answer that needs no time."""
    waits: dict[str, float] = {}
    async with trio.open_nursery() as nursery:
        for answer in (server.report(2024), server.report(2025), server.ping()):
            nursery.start_soon(measure, waits, answer)
            await trio.testing.wait_all_tasks_blocked()  # it has been asked for
    for text in sorted(waits):
        print(f"  {text} after {waits[text]:g} s")


async def main() -> None:
    children = [otp.child(server).having(name=server) for server in (Blocking, Cured)]
    async with otp.open_supervisor(children):
        print("blocking:")
        await three_callers(Blocking.at())
        print("cured:")
        await three_callers(Cured.at())


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
