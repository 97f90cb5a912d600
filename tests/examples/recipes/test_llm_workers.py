"""A worker answers within a budget, survives its tools, and stops when its caller is gone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.recipes import llm_workers
from examples.recipes.llm_workers import WORKERS, Budget, OverBudget, Turn, Worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PLENTY = Budget()


class Model:
    """Repeats a script, a second per turn, and records what it is told."""

    def __init__(self, *script: Turn) -> None:
        self.script = script
        self.heard: list[str] = []

    async def __call__(self, said: list[str]) -> Turn:
        self.heard.append(said[-1])
        await trio.sleep(1)
        return self.script[len(said) // 2 % len(self.script)]


async def shout(text: str) -> str:
    return text.upper()


async def crash(text: str) -> str:
    raise OSError(text)


async def hang(text: str) -> str:
    await trio.sleep_forever()
    return text


TOOLS = {"shout": shout, "crash": crash, "hang": hang}


async def ask(question: str, budget: Budget) -> str:
    async with WORKERS.checkout(timeout=None) as worker:
        return await worker.answer(question, budget)


@asynccontextmanager
async def workers(model: Any, *, size: int = 1) -> AsyncGenerator[None]:
    worker = otp.child(Worker, model, TOOLS)
    pool = otp.child(otp.Pool, worker, size=size, busy_timeout=0).having(name="workers")
    with trio.fail_after(1000):
        async with otp.open_supervisor([pool]):
            yield


async def test_tools_are_used_and_may_fail(autojump_clock: Any) -> None:
    """The model hears what came of each, and the worker lives."""
    model = Model(
        Turn("a", "shout"), Turn("b", "crash"), Turn("c", "hang"), Turn("d", "?"), Turn("e")
    )
    async with workers(model):
        began = trio.current_time()
        assert "e" == await ask("q", PLENTY)
        assert 5 + 5 == trio.current_time() - began
        assert [
            "q",
            "A",
            "error: OSError('b')",
            "error: TooSlowError()",
            "error: KeyError('?')",
        ] == model.heard
        assert (1, 0) == (WORKERS.status().idle, WORKERS.status().failures)


@pytest.mark.parametrize(
    ("budget", "what", "turns"),
    [
        (Budget(steps=3), "steps", 3),
        (Budget(tokens=40), "tokens", 4),
        (Budget(seconds=5.5), "seconds", 6),
    ],
)
async def test_no_budget_is_exceeded(
    autojump_clock: Any, budget: Budget, what: str, turns: int
) -> None:
    """A model that never finishes gets a limited number of turns; the next caller is served."""
    model = Model(Turn("a", "shout"))
    async with workers(model):
        for _ in range(2):
            model.heard.clear()
            with pytest.raises(OverBudget, match=what):
                await ask("q", budget)
            assert turns == len(model.heard)
        assert (1, 0) == (WORKERS.status().idle, WORKERS.status().failures)


async def test_seconds_end_a_tool_and_a_model_that_hang(autojump_clock: Any) -> None:
    """To the second, and not as an error of the tool."""

    async def deaf(said: list[str]) -> Turn:
        await trio.sleep_forever()
        raise AssertionError

    for model in (Model(Turn("a", "hang")), deaf):
        async with workers(model):
            began = trio.current_time()
            with pytest.raises(OverBudget, match="seconds"):
                await ask("q", Budget(seconds=3))
            assert 3 == trio.current_time() - began


async def test_an_answer_that_uses_up_the_budget_is_given(autojump_clock: Any) -> None:
    """It has been paid for."""
    async with workers(Model(Turn("a", tokens=1_000_000))):
        assert "a" == await ask("q", Budget(tokens=10))


async def test_a_caller_that_gives_up_spends_nothing_more(autojump_clock: Any) -> None:
    """By a cancel scope or as a process that is killed; the next one is served."""
    model = Model(Turn("a", "shout"))
    async with workers(model), otp.open_process():
        with trio.move_on_after(3.5):
            await ask("q", PLENTY)
        await trio.sleep(100)
        assert 4 == len(model.heard)
        pid = otp.spawn(ask, "q", PLENTY)
        otp.exit_after(3.5, pid, otp.KILL)
        await trio.sleep(100)
        assert 8 == len(model.heard)
        model.script = (Turn("b"),)
        assert "b" == await ask("q", PLENTY)


async def test_so_many_at_a_time_in_order(autojump_clock: Any) -> None:
    """The others wait, and one that gives up leaves the line."""
    answered: list[tuple[int, float]] = []

    async def client(number: int) -> None:
        with trio.move_on_after(0.5 if number == 2 else 100):
            await ask(str(number), PLENTY)
            answered.append((number, trio.current_time()))

    async with workers(Model(Turn("a")), size=2), trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(client, number)
            await trio.testing.wait_all_tasks_blocked()
    assert [1, 1, 2, 2, 3] == [time for _, time in answered]
    assert [{0, 1}, {3, 4}, {5}] == [
        {number for number, time in answered if time == turn} for turn in (1, 2, 3)
    ]


async def test_a_model_that_fails_costs_one_question(autojump_clock: Any) -> None:
    """Its worker crashes and is replaced; another one is not disturbed."""

    async def model(said: list[str]) -> Turn:
        await trio.sleep(1)
        if said[0] == "bad":
            raise OSError("no such model")
        return Turn("fine")

    async with workers(model, size=2), trio.open_nursery() as nursery:
        nursery.start_soon(ask, "good", PLENTY)
        with pytest.raises(otp.ServerExited, match="no such model"):
            await ask("bad", PLENTY)
        assert "fine" == await ask("good", PLENTY)


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What the model is told, and its answer."""
    await llm_workers.main()
    assert [
        "What is the answer?",
        "error: TooSlowError()",
        "error: ZeroDivisionError('division by zero')",
        "42",
    ] == capsys.readouterr().out.splitlines()
