"""Operations: starting and stopping, and the management calls of supervisors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import child_of
from .definitions import traps_exits
from .programs import caught, operation, perform, seconds
from .trace import SUPERVISORS
from .values import Refused, decode_key, decode_reason, in_order

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .world import Env

NORMAL = "normal"


# -- starting and stopping -----------------------------------------------------------------------


@operation("start")
async def _start(env: Env, name: str) -> Any:
    child = child_of(env.world, name)
    return await caught(env, _started(env, otp.start(child, nursery=env.world.nursery)))


@operation("start_link")
async def _start_link(env: Env, name: str) -> Any:
    before = env.world.record.counts[name]
    result = await caught(env, _started(env, otp.start_link(child_of(env.world, name))))
    if env.world.record.counts[name] > before and result[0] != "ok":
        _deliver_signal_of_failed_init(env, name, result)
    return result


def _deliver_signal_of_failed_init(env: Env, name: str, result: Any) -> None:
    """Undo that a failed start is told by its error alone; a time-out is so in OTP as well."""
    if result == ["error", "timeout"]:
        return
    record = env.world.record
    pid = record.pids[record.latest[name]]
    reason = record.reasons[pid]
    if traps_exits():
        env.world.rules.note("failed_init_is_silent")
        otp.send(otp.self(), otp.Exit(pid, reason))
    elif reason is not otp.NORMAL:
        env.world.rules.note("failed_init_is_silent")
        otp.exit(otp.self(), reason)


async def _started(env: Env, work: Awaitable[Any], ignored: Any = "ignore") -> Any:
    pid = await work
    return ignored if pid is None else ["ok", env.world.codec.encode(pid)]


@operation("ensure")
async def _ensure(env: Env, name: str) -> Any:
    instance = env.world.record.latest.get(name)
    if instance is not None and otp.is_alive(env.world.record.pids[instance]):
        return "alive"
    return await perform("start_link", [name], env)


@operation("stop")
async def _stop(env: Env, target: Any, reason: Any = NORMAL, options: Any = None) -> Any:
    timeout = seconds((options or {}).get("timeout"))
    ref = env.world.ref(target)
    return await caught(env, _done(otp.stop(ref, decode_reason(reason), timeout=timeout)))


async def _done(work: Awaitable[object]) -> Any:
    await work
    return "ok"


# -- supervisors ---------------------------------------------------------------------------------


@operation("which_children")
async def _which_children(env: Env, target: Any) -> Any:
    async def listed() -> Any:
        infos = await otp.which_children(env.world.ref(target))
        return in_order([[*_line(env, info), info.type] for info in infos])

    return await caught(env, listed())


def _line(env: Env, info: otp.ChildInfo) -> list[Any]:
    who = info.status if info.pid is None else info.pid
    return [env.world.codec.encode(info.id), env.world.codec.encode(who)]


@operation("count_children")
async def _count_children(env: Env, target: Any) -> Any:
    async def counted() -> Any:
        counts = await otp.count_children(env.world.ref(target))
        fields = ("specs", "active", "supervisors", "workers")
        return {field: getattr(counts, field) for field in fields}

    return await caught(env, counted())


@operation("tree")
async def _tree(env: Env, target: Any) -> Any:
    return await caught(env, _tree_of(env, env.world.pid(target)))


async def _tree_of(env: Env, pid: Any) -> Any:
    record = env.world.record
    if pid is not None and record.kind_of(record.instance_of(pid)) not in SUPERVISORS:
        return []
    lines = []
    for info in await otp.which_children(pid):
        line = _line(env, info)
        if info.pid is not None and info.type == "supervisor":
            line.append(await _tree_of(env, info.pid))
        lines.append(line)
    return in_order(lines)


@operation("start_child")
async def _start_child(env: Env, target: Any, spec: Any) -> Any:
    static = env.world.kind_of(target) == "supervisor"
    try:
        work = otp.start_child(env.world.ref(target), child_of(env.world, spec))
        return await caught(env, _started(env, work, ["ok", "undefined"] if static else "ignore"))
    except Refused as exc:
        return ["error", exc.neutral]
    except otp.SpecError:
        return ["error", "bad_child_spec" if static else {"invalid_significant": True}]


@operation("terminate_child")
async def _terminate_child(env: Env, target: Any, child: Any) -> Any:
    world = env.world
    key = decode_key(child) if world.kind_of(target) == "supervisor" else world.pid(child)
    return await caught(env, _done(otp.terminate_child(world.ref(target), key)))


@operation("restart_child")
async def _restart_child(env: Env, target: Any, child_id: Any) -> Any:
    work = otp.restart_child(env.world.ref(target), decode_key(child_id))
    return await caught(env, _started(env, work, ["ok", "undefined"]))


@operation("delete_child")
async def _delete_child(env: Env, target: Any, child_id: Any) -> Any:
    return await caught(env, _done(otp.delete_child(env.world.ref(target), decode_key(child_id))))


@operation("get_childspec")
async def _get_childspec(env: Env, target: Any, child_id: Any) -> Any:
    async def described() -> Any:
        spec = await otp.get_childspec(env.world.ref(target), decode_key(child_id))
        return ["ok", env.world.codec.encode(_description(spec))]

    return await caught(env, described())


def _description(spec: otp.ChildSpec) -> dict[str, Any]:
    shutdown: Any = spec.shutdown
    if shutdown is None:
        shutdown = "infinity"
    elif shutdown != "brutal_kill":
        shutdown = round(shutdown * 1000)
    return {
        "id": spec.id,
        "restart": spec.restart,
        "shutdown": shutdown,
        "significant": spec.significant,
        "type": spec.type,
    }
