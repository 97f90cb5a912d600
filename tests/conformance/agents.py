"""Agents of a scenario, and the operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import TARGETS
from .definitions import Scripted
from .programs import NOTHING, caught, operation, run, seconds
from .values import Garbage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .world import Env, World


class Keeper(otp.Agent[Any]):
    """An `agent`."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(_first, Scripted(world, name))


async def _first(script: Scripted) -> Any:
    await script.run_init()
    return script.state


TARGETS["agent"] = Keeper


def _applied(env: Env, program: list[Any], give: Callable[[Any, Env], Any]) -> Any:
    """Make a program a function of the value; it runs in the agent."""

    async def function(value: Any) -> Any:
        inner = env.but(who=env.world.record.instance_of(otp.self()), state=value)
        returned = await run(program, inner)
        if returned is not None and returned[0] == "garbage":
            return Garbage(returned[1][0])
        return give(inner.state if returned is None else returned[1][0], inner)

    return function


async def _wrapped(env: Env, work: Awaitable[Any]) -> Any:
    return ["ok", env.world.codec.encode(await work)]


@operation("agent_get")
async def _get(env: Env, target: Any, program: list[Any], options: Any = None) -> Any:
    timeout = seconds((options or {}).get("timeout"), 5.0)
    function = _applied(env, program, lambda value, _: value)
    work = otp.Agent.get(env.world.ref(target), function, timeout=timeout)
    return await caught(env, _wrapped(env, work))


@operation("agent_get_and_update")
async def _get_and_update(env: Env, target: Any, program: list[Any]) -> Any:
    function = _applied(env, program, lambda value, inner: (value, inner.state))
    work = otp.Agent.get_and_update(env.world.ref(target), function)
    return await caught(env, _wrapped(env, work))


@operation("agent_update")
async def _update(env: Env, target: Any, program: list[Any]) -> Any:
    function = _applied(env, program, lambda _, inner: inner.state)

    async def update() -> str:
        await otp.Agent.update(env.world.ref(target), function)
        return "ok"

    return await caught(env, update())


@operation("agent_cast")
async def _cast(env: Env, target: Any, program: list[Any]) -> Any:
    function = _applied(env, program, lambda _, inner: inner.state)
    otp.Agent.cast(env.world.ref(target), function)
    return NOTHING
