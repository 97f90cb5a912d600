"""A callback that waits, and two cures: a helper process, or a task, that replies later.

While a callback waits for something slow, every other caller of the server waits too. The cure is
to hand the slow part, with the caller it is for, to another process. What the function given to
`otp.reply_from_task` returns is the answer; if it or the server dies, the caller is told. Elixir's
way is a task under a supervisor that calls `otp.reply`: it outlives the server, and can be limited.
(What blocks the thread as well is work for `trio.to_thread.run_sync`.) The clock is virtual.
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
            await trio.testing.wait_all_tasks_blocked()  # it has been asked
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
