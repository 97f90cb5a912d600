"""What is asked of an agent, one case each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from async_world import World, case, give

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def agent(w: World) -> AsyncGenerator[otp.Pid[otp.Agent[int]]]:
    """Start an agent whose first value is made with checkpoints."""
    pid = await otp.start(otp.child(otp.Agent, give, 1))
    w.returned.append(pid)
    w.begin()
    yield pid


async def plus_one(value: int) -> int:
    return 1 + await give(value)


@case("Agent.get")
async def _(w: World) -> None:
    async with agent(w) as pid:
        assert 2 == await otp.Agent.get(pid, plus_one)


@case("Agent.update")
async def _(w: World) -> None:
    async with agent(w) as pid:
        await otp.Agent.update(pid, plus_one)


@case("Agent.get_and_update")
async def _(w: World) -> None:
    async with agent(w) as pid:
        assert 1 == await otp.Agent.get_and_update(pid, lambda value: (value, value))
