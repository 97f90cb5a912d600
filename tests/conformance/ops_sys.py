"""Operations of `otp.sys`: looking into processes, changing their state, holding them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .programs import caught, operation, run, seconds
from .values import decode_reason, in_order

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .world import Env


async def _done(work: Awaitable[None]) -> str:
    await work
    return "ok"


def _neutral(env: Env, state: Any) -> Any:
    """Return the scripted state in what `otp.sys` takes for the state."""
    if isinstance(state, tuple) and isinstance(state[1], otp.GenStatem):
        return [env.world.codec.encode(state[0]), _neutral(env, state[1])]
    if isinstance(state, list) and all(_is_handler(part) for part in state):
        return in_order([handler.id, env.world.codec.encode(handler.state)] for _, handler in state)
    script = getattr(state, "script", None)
    return env.world.codec.encode(state if script is None else script.state)


def _is_handler(part: Any) -> bool:
    return isinstance(part, tuple) and isinstance(part[1], otp.GenEvent)


@operation("sys_get_state")
async def _get_state(env: Env, target: Any, options: Any = None) -> Any:
    timeout = seconds((options or {}).get("timeout"), 5.0)

    async def get() -> Any:
        return [
            "ok",
            _neutral(env, await otp.sys.get_state(env.world.ref(target), timeout=timeout)),
        ]

    return await caught(env, get())


@operation("sys_replace_state")
async def _replace_state(env: Env, target: Any, program: list[Any]) -> Any:
    async def replaced(old: Any) -> Any:
        data = old[1] if isinstance(old, tuple) else old
        inner = env.but(who=env.world.record.instance_of(otp.self()), state=_neutral(env, data))
        await run(program, inner)
        return _with(old, inner.state)

    async def replace() -> Any:
        return ["ok", _neutral(env, await otp.sys.replace_state(env.world.ref(target), replaced))]

    try:
        return await caught(env, replace())
    except otp.CallbackFailed:
        return ["raise", "callback_failed"]


def _with(old: Any, new: Any) -> Any:
    """Return a state as it was, but for what is scripted of it."""
    if isinstance(old, tuple) and isinstance(old[1], otp.GenStatem):
        return old[0], _with(old[1], new)
    if not hasattr(old, "script"):
        return new
    old.script.state = new
    return old


@operation("sys_suspend")
async def _suspend(env: Env, target: Any) -> Any:
    return await caught(env, _done(otp.sys.suspend(env.world.ref(target))))


@operation("sys_resume")
async def _resume(env: Env, target: Any) -> Any:
    return await caught(env, _done(otp.sys.resume(env.world.ref(target))))


@operation("sys_terminate")
async def _terminate(env: Env, target: Any, reason: Any) -> Any:
    order = otp.sys.terminate(env.world.ref(target), decode_reason(reason))
    return await caught(env, _done(order))


@operation("sys_status")
async def _status(env: Env, target: Any) -> Any:
    async def status() -> Any:
        found = await otp.sys.get_status(env.world.ref(target))
        return {"class": found.module, "sys": found.sys}

    return await caught(env, status())
