"""Workers that ask a language model: tools, timeouts, a budget, and no work for absent callers.

The model is told if a tool hangs or crashes; a budget of steps, tokens and seconds limits the rest.
If a caller gives up or dies its worker stops, so nothing more is spent. When not: one question at a
time needs no pool, and a tool that blocks its thread needs an `otp.Port`, which can be killed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock

Tools: TypeAlias = dict[str, Callable[[str], Any]]


class Turn(NamedTuple):  # what a model replies
    text: str  # the answer
    tool: str | None = None  # or the tool to call with the text
    tokens: int = 10


class Budget(NamedTuple):
    steps: int = 10
    tokens: int = 1000
    seconds: float = 60.0


class OverBudget(Exception): ...


class Worker(otp.GenServer):
    def __init__(self, model: Any, tools: Tools) -> None:
        self.model, self.tools = model, tools

    @otp.on_call(timeout=None, raises=(OverBudget,))
    async def answer(self, question: str, budget: Budget) -> str:
        said, tokens = [question], 0
        with trio.move_on_after(budget.seconds):
            for _ in range(budget.steps):
                turn: Turn = await self.model(said)
                tokens += turn.tokens
                if turn.tool is None:
                    return turn.text
                if tokens >= budget.tokens:
                    raise OverBudget("tokens")
                said += [turn.text, await self.use(turn.tool, turn.text)]
            raise OverBudget("steps")
        raise OverBudget("seconds")

    async def use(self, tool: str, text: str) -> str:
        try:
            with trio.fail_after(5.0):
                return str(await self.tools[tool](text))
        except Exception as exc:
            return f"error: {exc!r}"


WORKERS = otp.pool("workers", Worker)


async def main() -> None:
    async def model(said: list[str]) -> Turn:  # a script in place of a real one
        print(said[-1])
        return [Turn("tea", "search"), Turn("1 / 0", "reckon"), Turn("42")][len(said) // 2]

    tools: Tools = {"search": lambda _: trio.Event().wait(), "reckon": lambda _: 1 / 0}
    worker = otp.child(Worker, model, tools)
    pool = otp.child(otp.Pool, worker, size=2, busy_timeout=0).having(name="workers")
    async with otp.open_supervisor([pool]), WORKERS.checkout(timeout=None) as client:
        print(await client.answer("What is the answer?", Budget()))


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
