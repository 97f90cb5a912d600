"""Running programs: lists of operations, which may end in one that says what a callback returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio_otp as otp

from .values import BADARG, is_bad_argument
from .world import Env, NeverStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RETURNS: Final = frozenset(  # of the kinds there are
    ["reply", "noreply", "quit", "ok", "ignore", "fail", "ret", "garbage", "done"]
) | {"next", "keep", "repeat_state", "remove", "swap"}
TAKE_PROGRAMS: Final = frozenset(
    [
        *("reg_update", "agent_get", "agent_update", "agent_get_and_update", "agent_cast"),
        *("async", "start_task", "sup_async", "sup_async_nolink", "sup_start_child"),
        *("async_stream", "sys_replace_state"),
    ]
)
NOTHING: Final = object()  # the result of an operation that has none
OPERATIONS: Final[dict[str, Callable[..., Awaitable[Any]]]] = {}

Returned = tuple[str, list[Any]]


def operation(name: str) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Enter a function into the table of operations; it gets the environment and arguments."""

    def enter(function: Callable[..., Awaitable[Any]]) -> Any:
        OPERATIONS[name] = function
        return function

    return enter


async def run(program: list[list[Any]], env: Env) -> Returned | None:
    """Run a program; give its returning operation with its arguments, None if it has none."""
    for name, *args in program:
        if name in RETURNS:
            return name, [env.fill(arg) for arg in args]
        if name == "when_gen":
            returned = await run(args[1], env) if env.fill("$gen") in args[0] else None
        elif name == "when_state":
            returned = await run(args[1], env) if env.state == args[0] else None
        else:
            returned = None
            result = await perform(name, args, env)
            if result is not NOTHING:
                env.world.record.log(env.who, ["do", name, result])
        if returned is not None:
            return returned
    return None


def run_at_once(program: list[list[Any]], env: Env) -> Returned | None:
    """Run a program of which no operation waits."""
    try:
        run(program, env).send(None)
    except StopIteration as end:
        returned: Returned | None = end.value
        return returned
    raise ValueError(f"{program!r} waits; expected programs that do not")


async def drive(steps: list[list[Any]], env: Env) -> None:
    """Run the driver's steps."""
    log = env.world.record.driver_log
    for number, (name, *args) in enumerate(steps):
        try:
            result = await perform(name, args, env)
        except NeverStarted:
            result = "never_started"
        if result is not NOTHING:
            log.append([number, name, result])


async def perform(name: str, args: list[Any], env: Env) -> Any:
    """Perform one operation and give its result."""
    given = args if name in TAKE_PROGRAMS else [env.fill(arg) for arg in args]
    return await OPERATIONS[name](env, *given)


async def caught(env: Env, work: Awaitable[Any]) -> Any:
    """Return what a library call gives, or its error as a result."""
    codec = env.world.codec
    try:
        return await work
    except (otp.CallError, otp.StartError, ValueError) as exc:
        if is_bad_argument(exc):
            return BADARG
        if isinstance(exc, otp.CallError):
            return ["exit", codec.exit_of(exc)]
        if isinstance(exc, otp.StartError):
            return ["error", codec.encode(exc)]
        raise
    except (otp.ChildError, otp.MaxChildren) as exc:
        return ["error", codec.encode(exc)]


def seconds(ms: float | str | None, default: float | None = None) -> float | None:
    """Turn a time-out of a scenario into one of trio_otp."""
    if ms is None:
        return default
    return None if isinstance(ms, str) else ms / 1000
