"""What the checkers make of agents."""

from __future__ import annotations

from typing import assert_type

import trio_otp as otp


class Counts(otp.Agent[dict[str, int]]):
    """An agent with a class of its own."""


async def size(held: dict[str, int]) -> int:
    """Count, with an await somewhere."""
    return len(held)


async def emptied(held: dict[str, int]) -> tuple[str, dict[str, int]]:
    """Return a text and nothing."""
    return str(held), {}


async def check_agents(agent: otp.Pid[otp.Agent[dict[str, int]]]) -> None:
    """The functions take the value; sync and async ones give the same."""
    assert_type(await otp.Agent.get(agent, lambda held: len(held) + 1), int)
    assert_type(await otp.Agent.get(agent, size), int)
    assert_type(await otp.Agent.get_and_update(agent, emptied), str)
    assert_type(await otp.Agent.get_and_update(agent, lambda held: (len(held), held)), int)
    await otp.Agent.update(agent, lambda held: {**held, "tea": 1})
    otp.Agent.cast(agent, lambda held: {**held, "tea": 1})


async def check_names() -> None:
    """Behind a name the value is anything."""
    assert_type(await otp.Agent.get("counts", size), int)
    await otp.Agent.update("counts", lambda held: held + 1)


async def check_starts() -> None:
    """What the first function gives is the value."""
    pid = await otp.start_link(otp.child(Counts, dict[str, int]))
    assert_type(pid, otp.Pid[Counts])
    assert_type(await otp.Agent.get(pid, size), int)


async def check_mistakes(agent: otp.Pid[otp.Agent[int]]) -> None:
    """A function of another value is refused."""
    await otp.Agent.get(agent, size)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType, reportCallIssue]
    otp.Agent.cast(agent, str)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType, reportCallIssue]
