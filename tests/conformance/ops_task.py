"""Operations: tasks, task supervisors and streams.

Every task delivers its messages, since in OTP the mailbox of the owner is where results wait.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .programs import NOTHING, caught, operation, run, seconds
from .values import in_order
from .world import NeverStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .world import Env, World

DEFAULT = 5.0  # seconds


# -- what runs in a task -------------------------------------------------------------------------


def _name_instance(world: World, name: str) -> str:
    """Count an instance of a task that is about to be made, or of one that runs."""
    world.record.counts[name] += 1
    return f"{name}#{world.record.counts[name]}"


async def _run(env: Env, who: str, program: list[Any], item: Any = None) -> Any:
    """Run a program in a task; give what it returns."""
    env.world.record.bind(who, otp.self())
    match await run(program, env.but(who=who, state=0, message=None, from_=None, item=item)):
        case ["ret" | "garbage", [value]]:
            return value
        case _:
            return None


async def _run_child(env: Env, name: str, program: list[Any]) -> None:
    """Be a task of `sup_start_child`, which writes down that it runs."""
    who = _name_instance(env.world, name)
    env.world.record.log(who, ["run"])
    await _run(env, who, program)


async def _run_item(item: Any, env: Env, name: str, program: list[Any]) -> Any:
    """Be the task of an item."""
    return await _run(env, _name_instance(env.world, f"{name}.{item}"), program, item)


# -- starting ------------------------------------------------------------------------------------


@operation("async")
async def _async(env: Env, name: str, program: list[Any]) -> Any:
    who = _name_instance(env.world, name)
    task = otp.task.start_async(_run, env, who, program, deliver=True)
    env.world.record.bind(who, task.pid)  # type: ignore[arg-type]
    env.world.tasks[name] = task
    return NOTHING


@operation("start_task")
async def _start_task(env: Env, name: str, program: list[Any]) -> Any:
    who = _name_instance(env.world, name)
    env.world.record.bind(who, otp.task.start(_run, env, who, program))
    return NOTHING


async def _sup_async(env: Env, start: Any, name: str, program: list[Any], options: Any) -> Any:
    who = _name_instance(env.world, name)
    try:
        task = await start(_run, env, who, program, deliver=True, **_limits(options))
    except otp.MaxChildren:
        return ["raise", "max_children"]
    except otp.CallError as exc:
        return ["exit", env.world.codec.exit_of(exc)]
    env.world.tasks[name] = task
    return NOTHING


@operation("sup_async")
async def _sup_async_linked(
    env: Env, target: Any, name: str, program: list[Any], options: Any = None
) -> Any:
    start = partial(otp.TaskSupervisor.start_async, env.world.ref(target))
    return await _sup_async(env, start, name, program, options)


@operation("sup_async_nolink")
async def _sup_async_nolink(
    env: Env, target: Any, name: str, program: list[Any], options: Any = None
) -> Any:
    start = partial(otp.TaskSupervisor.start_async_nolink, env.world.ref(target))
    return await _sup_async(env, start, name, program, options)


@operation("sup_start_child")
async def _sup_start_child(
    env: Env, target: Any, name: str, program: list[Any], options: Any = None
) -> Any:
    restart = (options or {}).get("restart", "temporary")

    async def started() -> Any:
        pid = await otp.TaskSupervisor.start_child(
            env.world.ref(target),
            _run_child,
            env,
            name,
            program,
            restart=restart,
            **_limits(options),
        )
        return ["ok", env.world.codec.encode(pid)]

    return await caught(env, started())


def _limits(options: Any) -> dict[str, Any]:
    """Return the option `shutdown` as the library takes it."""
    value = (options or {}).get("shutdown", 5000)
    return {"shutdown": value if value == "brutal_kill" else seconds(value)}


@operation("sup_children")
async def _sup_children(env: Env, target: Any) -> Any:
    async def listed() -> Any:
        pids = await otp.TaskSupervisor.children(env.world.ref(target))
        return in_order(map(env.world.codec.encode, pids))

    return await caught(env, listed())


# -- waiting -------------------------------------------------------------------------------------


def _task(env: Env, name: str) -> otp.Task[Any]:
    if name not in env.world.tasks:
        raise NeverStarted(name)
    return env.world.tasks[name]


@operation("await")
async def _await(env: Env, name: str, ms: Any = None) -> Any:
    task = _task(env, name)
    return await _awaited(env, otp.task.await_one(task, timeout=seconds(ms, DEFAULT)))


@operation("await_many")
async def _await_many(env: Env, names: list[str], ms: Any = None) -> Any:
    tasks = [_task(env, name) for name in names]
    return await _awaited(env, otp.task.await_many(tasks, timeout=seconds(ms, DEFAULT)))


async def _awaited(env: Env, work: Awaitable[Any]) -> Any:
    try:
        return ["ok", env.world.codec.encode(await work)]
    except otp.TaskTimeout:
        return ["exit", "timeout"]
    except otp.TaskExited as exc:
        return ["exit", env.world.codec.encode(exc.reason)]
    except otp.TaskNotOwned:
        return ["raise", "badarg"]
    except otp.MaxChildren:
        return ["raise", "max_children"]
    except otp.CallError as exc:
        return ["exit", env.world.codec.exit_of(exc)]


@operation("yield")
async def _yield(env: Env, name: str, ms: Any = None) -> Any:
    task = _task(env, name)
    return await _looked(env, otp.task.yield_one(task, timeout=seconds(ms, DEFAULT)))


@operation("yield_many")
async def _yield_many(env: Env, names: list[str], ms: Any = None) -> Any:
    tasks = [_task(env, name) for name in names]
    results = await otp.task.yield_many(tasks, timeout=seconds(ms, DEFAULT))
    codec = env.world.codec
    return [
        [name, codec.encode(outcome)] for name, (_, outcome) in zip(names, results, strict=True)
    ]


@operation("task_shutdown")
async def _task_shutdown(env: Env, name: str, ms: Any = None) -> Any:
    limit: Any = ms if ms == "brutal_kill" else seconds(ms, DEFAULT)
    return await _looked(env, otp.task.shutdown(_task(env, name), timeout=limit))


async def _looked(env: Env, work: Awaitable[Any]) -> Any:
    try:
        return env.world.codec.encode(await work)
    except otp.TaskNotOwned:
        return ["raise", "badarg"]


@operation("task_ignore")
async def _task_ignore(env: Env, name: str) -> Any:
    return env.world.codec.encode(otp.task.ignore(_task(env, name)))


# -- streams -------------------------------------------------------------------------------------


@operation("async_stream")
async def _async_stream(
    env: Env, name: str, items: list[Any], program: list[Any], options: Any = None
) -> Any:
    given = dict(options or {})
    take = given.pop("take", None)
    stream = _stream_of(env, name, items, program, given)

    async def results() -> Any:
        found = []
        if take == 0:
            return found
        async with stream as outcomes:
            async for outcome in outcomes:
                found.append(env.world.codec.encode(outcome))
                if len(found) == take:
                    break
        return found

    return await _awaited(env, results())


def _stream_of(env: Env, name: str, items: Any, program: Any, options: dict[str, Any]) -> Any:
    sup, nolink = options.pop("sup", None), options.pop("nolink", False)
    if "timeout" in options:
        options["timeout"] = seconds(options["timeout"])
    arguments = (items, _run_item, env, name, program)
    if sup is None:
        return otp.task.async_stream(*arguments, **options)
    tasks = otp.TaskSupervisor
    start = tasks.async_stream_nolink if nolink else tasks.async_stream
    return start(env.world.ref(sup), *arguments, **options)
