"""Supervisors of a scenario, and the specifications of what can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .definitions import Scripted, Server, plain_process, task
from .programs import seconds
from .trace import LOCAL
from .values import REGISTRY, Garbage, Refused, decode_key
from .world import via

if TYPE_CHECKING:
    from .world import World

TYPE_SUPERVISOR = ("supervisor", "dynamic_supervisor", "task_supervisor", "registry")
# What OTP says of an option it does not accept, where it says it of that option alone.
INVALID = {
    "restart": "invalid_restart_type",
    "shutdown": "invalid_shutdown",
    "significant": "invalid_significant",
    "type": "invalid_child_type",
}
FLAGS = {
    "strategy": "one_for_one",
    "max_restarts": 3,
    "max_seconds": 5,
    "auto_shutdown": "never",
}


class Tree(otp.Supervisor):
    """A `supervisor`."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.script = Scripted(world, name)

    async def init(self) -> Any:
        """Run the program `init`, then give the specification."""
        match await self.script.run_init():
            case ["ignore", _]:
                return otp.IGNORE
            case ["garbage", [value]]:
                return Garbage(value)
            case _:
                return specification(self.script.world, self.script.definition)


def specification(world: World, definition: dict[str, Any]) -> Any:
    """Return what the init of a supervisor returns, or say as OTP what is wrong with it."""
    flags = {key: definition.get(key, default) for key, default in FLAGS.items()}
    try:
        otp.Supervisor.spec([], **flags)
    except otp.SpecError as exc:
        raise Refused("bad_flags") from exc
    children: list[Any] = []
    for spec in definition.get("children", []):
        children.append(_accepted(world, spec, flags))
        try:
            otp.Supervisor.spec(children, **flags)
        except otp.SpecError as exc:
            raise Refused({"duplicate_child": children[-1].spec.id}) from exc
    return otp.Supervisor.spec(children, **flags)


def _accepted(world: World, spec: Any, flags: dict[str, Any]) -> otp.Child[Any]:
    try:
        child = child_of(world, spec)
        otp.Supervisor.spec([child], **flags)
    except (otp.SpecError, Refused) as exc:
        raise Refused("bad_child_spec") from exc
    return child


class Pool(otp.DynamicSupervisor):
    """A `dynamic_supervisor`."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.script = Scripted(world, name)

    async def init(self) -> Any:
        """Run the program `init`, then give the limits."""
        match await self.script.run_init():
            case ["ignore", _]:
                return otp.IGNORE
            case ["garbage", [value]]:
                return Garbage(value)
            case _:
                limits = ("max_children", "max_restarts", "max_seconds")
                given = {key: self.script.definition.get(key) for key in limits}
                return otp.DynamicSupervisor.spec(
                    **{key: value for key, value in given.items() if value is not None}
                )


class TaskPool(otp.TaskSupervisor):
    """A `task_supervisor`."""

    def __init__(self, world: World, name: str) -> None:
        definition = world.defs[name]
        world.record.born(name)
        super().__init__(max_children=definition.get("max_children"))


# {kind: what is started}; other modules enter theirs.
TARGETS: dict[str, Any] = {
    "server": Server,
    "proc": plain_process,
    "task": task,
    "supervisor": Tree,
    "dynamic_supervisor": Pool,
    "task_supervisor": TaskPool,
}


def child_of(world: World, spec: Any) -> otp.Child[Any]:
    """Return the child that a SPEC describes.

    Raises:
        Refused: trio_otp does not accept an option.
    """
    options = {"start": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("start")
    child = _named(world, name)
    child = child.having(id=decode_key(options.pop("id", name)))
    if "shutdown" in options:
        options["shutdown"] = _shutdown(options["shutdown"])
    for key, value in options.items():
        try:
            child = child.having(**{key: value})
        except otp.SpecError as exc:
            raise Refused({INVALID[key]: spec[key]}) from exc
    return child


def _shutdown(value: Any) -> Any:
    if value == "infinity":
        return None
    return value / 1000 if isinstance(value, int | float) else value


def _named(world: World, name: str) -> otp.Child[Any]:
    """Return a child with what its definition says of it."""
    definition = world.defs[name]
    entered = " with enter calls" if definition.get("state_enter", False) else ""
    child = otp.child(TARGETS[definition["kind"] + entered], world, name)
    if definition["kind"] in TYPE_SUPERVISOR:
        child = child.having(type="supervisor", shutdown=None)
    if definition["kind"] == "registry":
        child = child.having(name=REGISTRY + name)
    if "register" in definition:
        child = child.having(name=LOCAL + definition["register"])
    if "via" in definition:
        child = child.having(name=via(*definition["via"]))
    if "start_timeout" in definition:
        child = child.having(timeout=seconds(definition["start_timeout"]))
    return child
