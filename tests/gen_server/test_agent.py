"""Agent: functions applied to a value in a process of its own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import outcome
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import runtime

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

Agent = otp.Agent


def agent_of(value: Any) -> otp.Child[Agent[Any]]:
    return otp.child(Agent, lambda: value)


async def double(value: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return value * 2


def boom(_: Any) -> Any:
    raise ValueError("boom")


async def test_get_update_and_get_and_update() -> None:
    """`get` leaves the value, `update` replaces it, `get_and_update` does both at once (AG-2)."""
    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        assert 101 == await Agent.get(agent, lambda value: value + 100)
        await Agent.update(agent, lambda value: value + 4)
        assert ("was", 5) == await Agent.get_and_update(agent, lambda v: (("was", v), v + 1))
        assert 6 == await Agent.get(agent, lambda value: value)


async def test_functions_may_be_async() -> None:
    """The first one, too; the next function waits until one is over."""
    async with otp.open_process():
        agent = await otp.start_link(otp.child(Agent, double, 4))
        assert 16 == await Agent.get(agent, double)
        Agent.cast(agent, double)
        await Agent.update(agent, double)
        assert 32 == await Agent.get(agent, lambda value: value)


async def test_functions_run_in_the_agent() -> None:
    """Not in the caller: what they learn of themselves is the agent (AG-1)."""
    async with otp.open_process() as me:
        agent = await otp.start_link(agent_of(None))
        assert agent == await Agent.get(agent, lambda _: otp.self())
        assert me != agent


async def test_a_get_after_a_cast_sees_its_effect() -> None:
    """Messages of one caller keep their order (AG-6); a name is as good as a pid."""
    async with otp.open_process():
        await otp.start_link(agent_of([]).having(name="agent"))
        for number in range(3):
            Agent.cast("agent", lambda value, number=number: [*value, number])
        assert [0, 1, 2] == await Agent.get("agent", list)


async def test_an_answer_that_is_an_outcome_is_given_as_it_is() -> None:
    """An `outcome.Error` as a value does not raise in the caller."""
    error = outcome.Error(ValueError("kept"))
    async with otp.open_process():
        agent = await otp.start_link(agent_of(error))
        assert error is await Agent.get(agent, lambda value: value)
        assert error is await Agent.get_and_update(agent, lambda value: (value, None))


@pytest.mark.parametrize("ask", [Agent.get, Agent.update, Agent.get_and_update])
async def test_a_function_that_raises_is_the_agents_crash(ask: Any) -> None:
    """The caller learns the reason, the value is lost, a supervisor starts anew (AG-3)."""
    async with otp.open_supervisor([agent_of(1).having(name="agent")]):
        await Agent.update("agent", lambda _: 2)
        with pytest.raises(otp.ServerExited) as caught:
            await ask("agent", boom)
        assert "ValueError('boom')" == repr(caught.value.reason)
        await trio.testing.wait_all_tasks_blocked()
        assert 1 == await Agent.get("agent", lambda value: value)


async def test_a_cast_that_raises_is_the_agents_crash() -> None:
    """There is no caller to tell, but its links hear of it."""
    async with otp.open_process(trap_exit=True):
        agent = await otp.start_link(agent_of(1))
        Agent.cast(agent, boom)
        assert "ValueError('boom')" == repr((await otp.receive(otp.Exit)).reason)


@pytest.mark.parametrize("bad", [7, (1,), (1, 2, 3), [1, 2], None])
async def test_get_and_update_wants_a_pair(bad: Any) -> None:
    """Anything else is the agent's crash (AG-2)."""
    async with otp.open_process(trap_exit=True):
        agent = await otp.start_link(agent_of(1))
        with pytest.raises(otp.ServerExited, match=r"a tuple \(answer, new_value\)"):
            await Agent.get_and_update(agent, lambda _: bad)


async def test_a_first_function_that_raises_is_a_start_error() -> None:
    """Nothing is left of the agent (AG-3)."""
    async with otp.open_process():
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(otp.child(Agent, boom, 1).having(name="agent"))
        assert isinstance(caught.value.__cause__, ValueError)
        assert None is otp.whereis("agent")


async def test_a_time_out_leaves_the_agent_alive(autojump_clock: trio.testing.MockClock) -> None:
    """The caller gives up, the function runs to its end (AG-5)."""

    async def slow(value: Any) -> Any:
        await trio.sleep(3)
        return value

    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        with pytest.raises(otp.CallTimeout):
            await Agent.get(agent, slow, timeout=1)
        assert 1 == await Agent.get(agent, lambda value: value)
        assert 3 == trio.current_time()


async def test_a_cancelled_caller_hurts_nobody() -> None:
    """Its update is done all the same, as a queued call of a GenServer is."""
    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        with trio.move_on_after(0) as scope:
            await trio.lowlevel.cancel_shielded_checkpoint()
            await Agent.update(agent, double)
        assert scope.cancelled_caught
        assert await Agent.get(agent, lambda value: value) in (1, 2)


async def test_unknown_messages_are_logged_and_dropped() -> None:
    """An agent is a server that expects none (AG-5)."""
    notices: list[Any] = []
    async with otp.open_process():
        otp.events.attach("notice", notices.append)
        agent = await otp.start_link(agent_of(1))
        otp.send(agent, "stray")
        assert 1 == await Agent.get(agent, lambda value: value)
        assert 1 == len(notices)


async def test_what_is_no_agent_is_refused_in_the_caller() -> None:
    """A server of another class never sees the function (law 3)."""

    class Other(otp.GenServer):
        """A server that knows nothing of functions."""

    async with otp.open_process() as me:
        other = await otp.start_link(Other)
        for ref in (other, me):
            with pytest.raises(otp.WrongServer):
                await Agent.get(ref, len)
            with pytest.raises(otp.WrongServer):
                Agent.cast(ref, len)
        assert otp.is_alive(other)


async def test_bad_arguments_are_the_callers_error() -> None:
    """They name the argument; the agent never sees them."""
    bad: Any = 7
    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        with pytest.raises(TypeError, match="function=7"):
            await Agent.get(agent, bad)
        with pytest.raises(TypeError, match="function=7"):
            Agent.cast(agent, bad)
        with pytest.raises(ValueError, match="timeout=-1"):
            await Agent.update(agent, double, timeout=-1)


async def test_a_dead_agent() -> None:
    """A question is refused, a cast is dropped and counted."""
    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        await otp.stop(agent)
        with pytest.raises(otp.NoProcess):
            await Agent.get(agent, len)
        before = runtime().dropped
        Agent.cast(agent, double)
        assert before + 1 == runtime().dropped


async def test_an_agent_that_asks_itself_is_told_so() -> None:
    """It would wait for ever; the error crashes it, and the caller learns of it."""

    async def ask_again(_: Any) -> Any:
        return await Agent.get("agent", len)

    async with otp.open_process(trap_exit=True):
        await otp.start_link(agent_of(1).having(name="agent"))
        with pytest.raises(otp.ServerExited) as caught:
            await Agent.get("agent", ask_again)
        assert isinstance(caught.value.reason, otp.CallingSelf)


# -- against a model -------------------------------------------------------------------------------

STEPS: dict[str, Callable[[int, int], tuple[Any, int]]] = {  # {name: (value, n) -> answer, value}
    "get": lambda value, n: (value * n, value),
    "update": lambda value, n: (None, value + n),
    "cast": lambda value, n: (None, value - n),
    "get_and_update": lambda value, n: (value, value * 2 + n),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.booleans())))
@settings(max_examples=few(100), deadline=None)
def test_an_agent_is_a_variable_with_one_owner(steps: list[tuple[str, int, bool]]) -> None:
    """Any order of operations gives what they give on a variable."""
    value, expected = 1, []
    for name, n, _ in steps:
        answer, value = STEPS[name](value, n)
        expected.append(answer)

    assert (expected, value) == trio.run(_all, steps)


async def _all(steps: list[tuple[str, int, bool]]) -> tuple[list[Any], int]:
    async with otp.open_process():
        agent = await otp.start_link(agent_of(1))
        answers = [await _one(agent, *step) for step in steps]
        return answers, await Agent.get(agent, lambda value: value)


async def _one(agent: otp.Pid[Agent[Any]], name: str, n: int, is_async: bool) -> Any:
    def function(value: int) -> Any:
        answer, new = STEPS[name](value, n)
        return {"get": answer, "get_and_update": (answer, new)}.get(name, new)

    async def slow(value: int) -> Any:
        await trio.lowlevel.checkpoint()
        return function(value)

    given: Any = slow if is_async else function
    sent = getattr(Agent, name)(agent, given)
    return await sent if inspect.isawaitable(sent) else None
