"""A callback that waits, and two cures: a helper process, or a task, that replies later.

A server handles one message at a time. While a callback waits for something slow, every other
caller waits too, though their answers are at hand. The cure is to hand the slow part, with the
caller it is for, to another process: `otp.reply_from_task(from_, fn, *args)` returns at once, and
what `fn` returns is the answer. If the helper or the server dies, the caller is told. Elixir's way
is a task under a supervisor that calls `otp.reply`: it outlives the server, and can be limited.

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


class Server(otp.GenServer):
    @otp.on_call
    async def ping(self) -> str:
        return "pong"


class Blocking(Server):
    @otp.on_call
    async def report(self, year: int) -> str:
        return await make_report(year)  # bad: for two seconds nobody else is served


class Cured(Server):
    @otp.on_call_deferred
    async def report(self, from_: otp.From[str], year: int) -> None:
        otp.reply_from_task(from_, make_report, year)  # good: the helper waits, the server does not


class Supervised(Server):
    @otp.on_call_deferred
    async def report(self, from_: otp.From[str], year: int) -> None:
        await otp.TaskSupervisor.start_child("tasks", self.answer, from_, year)  # good as well

    async def answer(self, from_: otp.From[str], year: int) -> None:
        otp.reply(from_, await make_report(year))


async def measure(waits: dict[str, float], answer: Awaitable[str]) -> None:
    began = trio.current_time()
    text = await answer
    waits[text] = trio.current_time() - began


async def three_callers(what: str, server: Blocking | Cured | Supervised) -> None:
    waits: dict[str, float] = {}
    async with trio.open_nursery() as nursery:
        for answer in (server.report(2024), server.report(2025), server.ping()):
            nursery.start_soon(measure, waits, answer)
            await trio.testing.wait_all_tasks_blocked()  # it has been asked for
    print(f"{what}:", *(f"  {text} after {waits[text]:g} s" for text in sorted(waits)), sep="\n")


async def main() -> None:
    tasks = otp.child(otp.TaskSupervisor).having(name="tasks")
    servers = (otp.child(server).having(name=server) for server in (Blocking, Cured, Supervised))
    async with otp.open_supervisor([tasks, *servers]):
        await three_callers("blocking", Blocking.at())
        await three_callers("cured", Cured.at())
        await three_callers("by a supervised task", Supervised.at())


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
