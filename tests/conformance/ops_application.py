"""Applications of a scenario, and the operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import child_of
from .programs import NOTHING, operation, run
from .values import decode_reason
from .world import Env

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .world import World


class Scripted(otp.Application):
    """What the applications of scenarios share; the world and the definition are of its class."""

    name = "scripted"
    world: World
    definition: dict[str, Any]

    def log(self, *entry: Any) -> None:
        """Write down what the application does."""
        self.world.record.apps.append([entry[0], self.name, *entry[1:]])

    async def start(self) -> Any:
        """Run the program `start`, then give the supervisor."""
        self.log("start", "normal")
        match await run(self.definition.get("start", []), Env(self.world, self.name, 0)):
            case ["fail", [reason]]:
                raise otp.StartError(decode_reason(reason))
            case _:
                return child_of(self.world, self.definition["top"])

    def start_phase(self, phase: str) -> None:
        """Write it down."""
        self.world.record.apps.append(["phase", phase])

    def prep_stop(self) -> None:
        """Write it down."""
        self.log("prep_stop")

    def stop(self) -> None:
        """Write it down."""
        self.log("stop")


def application_of(world: World, name: str) -> type[Scripted]:
    """Return the class of an application, made at its first use."""
    if name not in world.applications:
        definition = world.defs[name]
        needed = tuple(application_of(world, dep) for dep in definition.get("deps", []))
        attributes = {
            "name": name,
            "world": world,
            "definition": definition,
            "dependencies": needed,
            "environment": definition.get("env", {}),
            "start_phases": tuple(definition.get("phases", [])),
        }
        world.applications[name] = type(f"App_{name}", (Scripted,), attributes)
    found: type[Scripted] = world.applications[name]
    return found


async def _outcome(env: Env, name: str, work: Awaitable[Any]) -> Any:
    try:
        started = await work
    except otp.ApplicationNotStarted as exc:
        return ["error", {"not_started": exc.name}]
    except otp.AlreadyStarted:
        return ["error", {"already_started": name}]
    except otp.ApplicationStartError as exc:
        return ["error", {"app_start_failed": env.world.codec.encode(exc.reason)}]
    return "ok" if started is None else ["ok", started]


@operation("app_start")
async def _start(env: Env, name: str, kind: Any = "temporary") -> Any:
    work = otp.application.start(application_of(env.world, name), type=kind)
    return await _outcome(env, name, work)


@operation("app_stop")
async def _stop(env: Env, name: str) -> Any:
    return await _outcome(env, name, otp.application.stop(application_of(env.world, name)))


@operation("app_ensure_started")
async def _ensure_started(env: Env, name: str) -> Any:
    work = otp.application.ensure_started(application_of(env.world, name))
    return await _outcome(env, name, work)


@operation("app_ensure_all_started")
async def _ensure_all_started(env: Env, name: str) -> Any:
    try:
        application = application_of(env.world, name)
        return ["ok", await otp.application.ensure_all_started(application)]
    except otp.ApplicationStartError as exc:
        reason = {"app_start_failed": env.world.codec.encode(exc.reason)}
        return ["error", {exc.name: reason}]


@operation("app_which")
async def _which(env: Env) -> Any:
    return sorted(set(otp.application.which_applications()) & set(env.world.defs))


# -- environment ---------------------------------------------------------------------------------


@operation("app_put_env")
async def _put_env(env: Env, name: str, key: str, value: Any) -> Any:
    otp.application.put_env(application_of(env.world, name), key, value)
    return NOTHING


@operation("app_delete_env")
async def _delete_env(env: Env, name: str, key: str) -> Any:
    otp.application.delete_env(application_of(env.world, name), key)
    return NOTHING


@operation("app_get_env")
async def _get_env(env: Env, name: str, key: str, default: Any) -> Any:
    return otp.application.get_env(application_of(env.world, name), key, default)


@operation("app_fetch_env")
async def _fetch_env(env: Env, name: str, key: str) -> Any:
    try:
        return ["ok", otp.application.fetch_env(application_of(env.world, name), key)]
    except otp.SettingNotFound:
        return "error"
