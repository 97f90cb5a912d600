"""Registries of a scenario, and the operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import TARGETS
from .programs import operation, run_at_once
from .trace import LOCAL
from .values import BADARG, Raised, decode_key, in_order
from .world import registry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import Env, World


class Names(otp.Registry):
    """A `registry`."""

    def __init__(self, world: World, name: str) -> None:
        definition = world.defs[name]
        super().__init__(
            definition["keys"],
            listeners=[LOCAL + listener for listener in definition.get("listeners", [])],
            meta=definition.get("meta"),
        )
        world.record.born(name)


TARGETS["registry"] = Names


def guarded(env: Env, work: Callable[[], Any]) -> Any:
    """Return what a call of a registry gives, or its error as a result."""
    try:
        return work()
    except otp.AlreadyRegistered as exc:
        return ["error", env.world.codec.encode(exc)]
    except Raised as exc:
        return ["raise", exc.tag]
    except (otp.NoProcess, ValueError):
        return BADARG


def matcher(pattern: Any) -> Callable[[Any], bool]:
    """Turn a PATTERN into a test of values."""
    if pattern == "_":
        return lambda _: True
    if isinstance(pattern, list):
        tests = [matcher(part) for part in pattern]
        return lambda value: (
            isinstance(value, list)
            and len(value) == len(tests)
            and all(test(part) for test, part in zip(tests, value, strict=True))
        )
    return lambda value: type(value) is type(pattern) and bool(value == pattern)


def _ok(env: Env, work: Callable[[], object]) -> Any:
    return guarded(env, lambda: work() or "ok")


def _sorted(env: Env, work: Callable[[], list[Any]]) -> Any:
    result = guarded(env, work)
    return result if result == BADARG else in_order(env.world.codec.encode(result))


# -- changing ------------------------------------------------------------------------------------


@operation("reg_register")
async def _register(env: Env, name: str, key: Any, value: Any) -> Any:
    return _ok(env, lambda: registry_of(name).register(decode_key(key), value))


@operation("reg_unregister")
async def _unregister(env: Env, name: str, key: Any) -> Any:
    return _ok(env, lambda: registry_of(name).unregister(decode_key(key)))


@operation("reg_unregister_match")
async def _unregister_match(env: Env, name: str, key: Any, pattern: Any) -> Any:
    test = matcher(pattern)
    return _ok(env, lambda: registry_of(name).unregister_match(decode_key(key), test))


@operation("reg_update")
async def _update(env: Env, name: str, key: Any, program: list[Any]) -> Any:
    def change(old: Any) -> Any:
        inner = env.but(state=old)
        run_at_once(program, inner)
        return inner.state

    def update() -> Any:
        return ["ok", list(registry_of(name).update_value(decode_key(env.fill(key)), change))]

    try:
        return guarded(env, update)
    except otp.KeyNotRegistered:
        return "error"


# -- reading -------------------------------------------------------------------------------------


@operation("reg_lookup")
async def _lookup(env: Env, name: str, key: Any) -> Any:
    return _sorted(env, lambda: registry_of(name).lookup(decode_key(key)))


@operation("reg_match")
async def _match(env: Env, name: str, key: Any, pattern: Any) -> Any:
    test = matcher(pattern)
    return _sorted(env, lambda: registry_of(name).match(decode_key(key), test))


@operation("reg_count_match")
async def _count_match(env: Env, name: str, key: Any, pattern: Any) -> Any:
    test = matcher(pattern)
    return guarded(env, lambda: registry_of(name).count_match(decode_key(key), test))


@operation("reg_keys")
async def _keys(env: Env, name: str, target: Any) -> Any:
    pid = env.world.pid(target)
    return _sorted(env, lambda: registry_of(name).keys(pid))  # type: ignore[arg-type]


@operation("reg_values")
async def _values(env: Env, name: str, key: Any, target: Any) -> Any:
    pid = env.world.pid(target)
    return _sorted(env, lambda: registry_of(name).values(decode_key(key), pid))  # type: ignore[arg-type]


@operation("reg_count")
async def _count(env: Env, name: str) -> Any:
    return guarded(env, lambda: registry_of(name).count())


@operation("reg_all")
async def _all(env: Env, name: str) -> Any:
    return _sorted(env, lambda: registry_of(name).select())  # type: ignore[arg-type,return-value]


@operation("reg_dispatch")
async def _dispatch(env: Env, name: str, key: Any, message: Any) -> Any:
    seen: list[Any] = []
    called = False

    def send(entries: list[Any]) -> None:
        nonlocal called
        called = True
        seen.extend(entries)
        for pid, _ in entries:
            otp.send(pid, message)

    result = _sorted(env, lambda: registry_of(name).dispatch(decode_key(key), send) or seen)
    return result if called or result == BADARG else "not_called"


# -- metadata ------------------------------------------------------------------------------------


@operation("reg_put_meta")
async def _put_meta(env: Env, name: str, key: str, value: Any) -> Any:
    return _ok(env, lambda: registry_of(name).put_meta(key, value))


@operation("reg_delete_meta")
async def _delete_meta(env: Env, name: str, key: str) -> Any:
    return _ok(env, lambda: registry_of(name).delete_meta(key))


@operation("reg_meta")
async def _meta(env: Env, name: str, key: str) -> Any:
    try:
        return guarded(env, lambda: ["ok", registry_of(name).meta(key)])
    except KeyError:
        return "error"
