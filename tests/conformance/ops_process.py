"""Operations: flow, state, messages, processes, links, monitors, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

from .programs import NOTHING, caught, operation, seconds
from .trace import LOCAL
from .values import Raised, decode_reason, in_order

if TYPE_CHECKING:
    from .world import Env

CALL_TIMEOUT = 5.0  # seconds

# -- flow and state ------------------------------------------------------------------------------


@operation("settle")
async def _settle(_env: Env) -> Any:
    await wait_all_tasks_blocked()
    return NOTHING


@operation("sleep")
async def _sleep(_env: Env, ms: float) -> Any:
    await trio.sleep(ms / 1000)
    return NOTHING


@operation("note")
async def _note(env: Env, value: Any) -> Any:
    return env.world.codec.encode(value)


@operation("raise")
async def _raise(_env: Env, tag: Any) -> Any:
    raise Raised(tag)


@operation("exit")
async def _exit(env: Env, reason: Any) -> Any:
    env.exit_reason = reason
    otp.exit(decode_reason(reason))


@operation("set")
async def _set(env: Env, value: Any) -> Any:
    env.state = value
    return NOTHING


@operation("add")
async def _add(env: Env, number: Any) -> Any:
    env.state = env.state + number
    return NOTHING


@operation("push")
async def _push(env: Env, value: Any) -> Any:
    env.state = [*env.state, value]
    return NOTHING


@operation("gauge")
async def _gauge(env: Env, gauge: str, number: int) -> Any:
    world = env.world
    level = world.gauges[gauge] = world.gauges.get(gauge, 0) + number
    world.peaks[gauge] = max(level, world.peaks.get(gauge, level))
    return NOTHING


@operation("gauge_peak")
async def _gauge_peak(env: Env, gauge: str) -> Any:
    return env.world.peaks.get(gauge, 0)


# -- messages ------------------------------------------------------------------------------------


@operation("call")
async def _call(env: Env, target: Any, message: Any, options: Any = None) -> Any:
    return await caught(env, _answer(env, target, message, options))


@operation("call!")
async def _call_bare(env: Env, target: Any, message: Any, options: Any = None) -> Any:
    return await _answer(env, target, message, options)


async def _answer(env: Env, target: Any, message: Any, options: Any) -> Any:
    ref = env.world.ref(target)
    timeout = seconds((options or {}).get("timeout"), CALL_TIMEOUT)
    try:
        value = await otp.call(ref, message, timeout=timeout)
    except otp.DeadlockError:
        env.world.rules.note("call_cycles")
        value = await _call_by_helper(env, ref, message, timeout)
    return ["ok", env.world.codec.encode(value)]


async def _call_by_helper(env: Env, ref: Any, message: Any, timeout: float | None) -> Any:
    error: otp.CallError | None = None
    value = None

    async def helper() -> None:
        nonlocal error, value
        try:
            value = await otp.call(ref, message, timeout=timeout)
        except otp.CallError as exc:
            error = exc

    await _wait_for_end(otp.spawn(helper, nursery=env.world.nursery))
    if error is not None:
        raise error
    return value


async def _wait_for_end(pid: otp.Pid[Any]) -> None:
    watch = otp.monitor(pid)
    await otp.receive(lambda message: isinstance(message, otp.Down) and message.ref is watch)


@operation("cast")
async def _cast(env: Env, target: Any, message: Any) -> Any:
    ref = env.world.ref(target)
    if ref is not None:
        otp.cast(ref, message)
    return NOTHING


@operation("send")
async def _send(env: Env, target: Any, message: Any) -> Any:
    try:
        otp.send(env.world.ref(target), message)
    except otp.NoProcess:
        return ["raise", "badarg"]
    return NOTHING


@operation("save_from")
async def _save_from(env: Env, key: str) -> Any:
    assert env.from_ is not None
    env.world.froms[key] = env.from_
    return NOTHING


@operation("reply_to")
async def _reply_to(env: Env, key: str, value: Any) -> Any:
    otp.reply(env.world.froms[key], value)
    return NOTHING


@operation("call_start")
async def _call_start(env: Env, key: str, target: Any, message: Any, options: Any = None) -> Any:
    world = env.world
    ref = world.ref(target)
    timeout = seconds((options or {}).get("timeout"), CALL_TIMEOUT)
    world.answers.pop(key, None)

    async def answer() -> Any:
        return ["ok", world.codec.encode(await otp.call(ref, message, timeout=timeout))]

    async def helper() -> None:
        world.answers[key] = await caught(env, answer())

    world.clients[key] = otp.spawn(helper, nursery=world.nursery)
    return NOTHING


@operation("call_poll")
async def _call_poll(env: Env, key: str) -> Any:
    return env.world.answers.get(key)


@operation("call_wait")
async def _call_wait(env: Env, key: str) -> Any:
    await _wait_for_end(env.world.clients[key])
    return env.world.answers.get(key)


@operation("flush")
async def _flush(env: Env) -> Any:
    messages = []
    try:
        while True:
            messages.append(env.world.codec.encode(await otp.receive(timeout=0)))
    except otp.ReceiveTimeout:
        return messages


@operation("flush_sorted")
async def _flush_sorted(env: Env) -> Any:
    return in_order(await _flush(env))


# -- processes -----------------------------------------------------------------------------------


@operation("signal")
async def _signal(env: Env, target: Any, reason: Any) -> Any:
    pid = env.world.pid(target)
    if pid is not None:
        otp.exit(pid, decode_reason(reason))
    return NOTHING


@operation("alive")
async def _alive(env: Env, target: Any) -> Any:
    pid = env.world.pid(target)
    return pid is not None and otp.is_alive(pid)


@operation("whereis")
async def _whereis(env: Env, target: Any) -> Any:
    ref = LOCAL + target if isinstance(target, str) else env.world.ref(target)
    return env.world.codec.encode(otp.whereis(ref))


@operation("register")
async def _register(env: Env, name: str, target: Any) -> Any:
    pid = env.world.pid(target)
    try:
        otp.register(LOCAL + name, pid)  # type: ignore[arg-type]
    except (otp.AlreadyRegistered, otp.NoProcess, ValueError, TypeError):
        return ["raise", "badarg"]
    return "ok"


@operation("unregister")
async def _unregister(_env: Env, name: str) -> Any:
    try:
        otp.unregister(LOCAL + name)
    except otp.NoProcess:
        return ["raise", "badarg"]
    return "ok"


@operation("link")
async def _link(env: Env, target: Any) -> Any:
    try:
        otp.link(env.world.pid(target))  # type: ignore[arg-type]
    except otp.NoProcess:
        return ["raise", "noproc"]
    return "ok"


@operation("unlink")
async def _unlink(env: Env, target: Any) -> Any:
    otp.unlink(env.world.pid(target))  # type: ignore[arg-type]
    return NOTHING


@operation("monitor")
async def _monitor(env: Env, key: str, target: Any) -> Any:
    env.world.monitors[key] = otp.monitor(env.world.ref(target))
    return NOTHING


@operation("demonitor")
async def _demonitor(env: Env, key: str, options: Any = None) -> Any:
    otp.demonitor(env.world.monitors[key], flush=(options or {}).get("flush", False))
    return NOTHING


@operation("trap_exit")
async def _trap_exit(_env: Env, flag: bool) -> Any:
    otp.trap_exit(flag)
    return NOTHING


# -- timers --------------------------------------------------------------------------------------


@operation("send_after")
async def _send_after(env: Env, key: str, target: Any, message: Any, ms: float) -> Any:
    env.world.timers[key] = otp.send_after(env.world.ref(target), message, ms / 1000)
    return NOTHING


@operation("cancel_timer")
async def _cancel_timer(env: Env, key: str) -> Any:
    return otp.cancel_timer(env.world.timers[key]) is not None


@operation("read_timer")
async def _read_timer(env: Env, key: str) -> Any:
    return otp.read_timer(env.world.timers[key]) is not None
