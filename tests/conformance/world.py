"""One run of a scenario: what its processes share, and the environment a program runs in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .rules import Applied
from .trace import LOCAL, Recorder, generation_of
from .values import REGISTRY, decode_key

if TYPE_CHECKING:
    import trio


class NeverStarted(Exception):
    """A step's target has never been started."""


class World:
    """What the processes of one run share."""

    def __init__(self, scenario: dict[str, Any], nursery: trio.Nursery) -> None:
        self.scenario = scenario
        self.defs: dict[str, Any] = scenario["defs"]
        self.nursery = nursery  # where unlinked processes live
        self.record = Recorder(self.defs)
        self.codec = self.record.codec
        self.rules = Applied()
        self.froms: dict[str, otp.From[Any]] = {}
        self.monitors: dict[str, otp.Monitor] = {}
        self.timers: dict[str, otp.Timer] = {}
        self.tasks: dict[str, otp.Task[Any]] = {}
        self.clients: dict[str, otp.Pid[Any]] = {}  # helpers that make a call
        self.answers: dict[str, Any] = {}  # and what they got
        self.gauges: dict[str, int] = {}
        self.peaks: dict[str, int] = {}
        self.applications: dict[str, Any] = {}  # {name: its class}

    def pid(self, target: Any) -> otp.Pid[Any] | None:
        """Return the process of a target; None if nobody has the name."""
        match target:
            case "self":
                return otp.self()
            case {"name": _} | {"via": _}:
                return otp.whereis(self.ref(target))
            case _:
                instance = target if "#" in target else self.record.latest.get(target, target)
                if instance not in self.record.pids:
                    raise NeverStarted(target)
                return self.record.pids[instance]

    def ref(self, target: Any) -> Any:
        """Return the reference of a target: names stay names."""
        match target:
            case {"name": name}:
                return LOCAL + name
            case {"via": [registry, key]}:
                return via(registry, key)
            case _:
                return self.pid(target)

    def kind_of(self, target: Any) -> str | None:
        """Return the kind of a target's definition."""
        pid = self.pid(target)
        return None if pid is None else self.record.kind_of(self.record.instance_of(pid))


def registry_of(name: str) -> otp.RegistryHandle:
    """Return the handle of a definition's registry."""
    return otp.registry(REGISTRY + name)


def via(registry: str, key: Any, *value: Any) -> Any:
    """Return the name that stands for a key of a registry."""
    return registry_of(registry).via(decode_key(key), *value)


@dataclass
class Env:
    """The environment of one program: whose it is, its state, and the message in hand."""

    world: World
    who: str
    state: Any = None
    message: Any = None
    from_: otp.From[Any] | None = None
    exit_reason: Any = None  # of the operation `exit`
    item: Any = None  # of a stream

    def but(self, **changes: Any) -> Env:
        """Return the same environment with some things changed."""
        return replace(self, **changes)

    def fill(self, value: Any) -> Any:
        """Put values for the words with a dollar sign; programs on their way stay as they are."""
        match value:
            case "$state":
                return self.state
            case "$msg":
                return self.message
            case "$gen":
                return generation_of(self.who)
            case "$self":
                return self.who
            case "$item":
                return self.item
            case {"do": _}:
                return value
            case dict():
                return {key: self.fill(held) for key, held in value.items()}
            case list():
                return [self.fill(item) for item in value]
            case _:
                return value
