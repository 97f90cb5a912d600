"""Neutral values and exit reasons of the scenarios, to and from those of trio_otp.

Scenarios and traces know JSON values only. `Codec.encode` turns whatever a process can meet into
one, `decode_reason` turns a reason of a scenario into an exit reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAMED = {
    "normal": otp.NORMAL,
    "shutdown": otp.SHUTDOWN,
    "kill": otp.KILL,
    "killed": otp.KILLED,
    "noproc": otp.NOPROC,
    "timeout": otp.TIMEOUT,
}


REGISTRY = "registry:"  # what the names of registries start with
BADARG = ["raise", "badarg"]


class Raised(Exception):
    """The exception of the operation `raise`."""

    def __init__(self, tag: Any) -> None:
        super().__init__(tag)
        self.tag = tag


class Refused(Exception):
    """A specification that trio_otp refused, with the neutral value of the refusal."""

    def __init__(self, neutral: Any) -> None:
        super().__init__(neutral)
        self.neutral = neutral


@dataclass(frozen=True)
class Garbage:
    """What a callback may not return; trio_otp takes None, which a scenario may want to return."""

    value: Any


def decode_reason(neutral: Any) -> Any:
    """Return the exit reason that a scenario names."""
    if isinstance(neutral, str):
        return NAMED.get(neutral, neutral)
    if isinstance(neutral, dict) and list(neutral) == ["shutdown"]:
        return otp.Shutdown(decode_reason(neutral["shutdown"]))
    return neutral


def decode_key(value: Any) -> Any:
    """Make a JSON value one that can be a key: lists become tuples, objects tuples of pairs."""
    if isinstance(value, list):
        return tuple(map(decode_key, value))
    if isinstance(value, dict):
        return tuple((key, decode_key(held)) for key, held in sorted(value.items()))
    return value


def text_of(value: Any) -> str:
    """Return the text that lists without an order are sorted by."""
    return json.dumps(value, sort_keys=True, default=repr)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Sort neutral values by their text."""
    return sorted(values, key=text_of)


def is_bad_argument(exc: object) -> bool:
    """Tell the errors of via names for which Elixir's Registry raises an ArgumentError.

    These are: the registry does not run, or its keys are not unique.
    """
    match exc:
        case otp.StartError():
            return exc.reason is not exc and is_bad_argument(exc.reason)
        case otp.NoProcess(server=("via", registry, _)):
            return otp.whereis(registry) is None
        case otp.NoProcess(server=str(name)):
            return name.startswith(REGISTRY)
        case _:
            return type(exc) is ValueError


class Codec:
    """Turns what trio_otp gives into neutral values.

    Args:
        instance_of: gives the instance of a pid.
        name_of: gives the neutral form of a local name.
        is_inner: tells whether the sender of an exit signal is no instance in OTP.
    """

    def __init__(
        self,
        instance_of: Callable[[otp.Pid[Any]], str],
        name_of: Callable[[Any], Any],
        is_inner: Callable[[otp.Pid[Any] | None], bool],
    ) -> None:
        self.instance_of = instance_of
        self.name_of = name_of
        self.is_inner = is_inner

    @singledispatchmethod
    def encode(self, value: Any) -> Any:
        """Return the neutral value; a JSON value is one."""
        return value

    @encode.register(type(otp.NORMAL))
    def _(self, value: Any) -> Any:
        return value.value

    @encode.register(list | tuple)
    def _(self, value: Any) -> Any:
        return [self.encode(item) for item in value]

    @encode.register
    def _(self, value: dict) -> Any:  # type: ignore[type-arg]
        return {key: self.encode(held) for key, held in value.items()}

    @encode.register(otp.Pid)
    def _(self, value: Any) -> Any:
        return self.instance_of(value)

    # -- messages ----------------------------------------------------------------------------

    @encode.register
    def _(self, value: otp.Exit) -> Any:
        sender = "raw:pid" if self.is_inner(value.pid) else self.encode(value.pid)
        return {"EXIT": [sender, self.encode(value.reason)]}

    @encode.register
    def _(self, value: otp.Down) -> Any:
        who = value.pid
        what = self.encode(who) if isinstance(who, otp.Pid) else {"name": self.name_of(who)}
        return {"DOWN": [what, self.encode(value.reason)]}

    @encode.register
    def _(self, value: otp.Registered) -> Any:
        entry = (value.key, value.pid, value.value)
        return {"register": self.encode(entry)}

    @encode.register
    def _(self, value: otp.Unregistered) -> Any:
        return {"unregister": self.encode((value.key, value.pid))}

    @encode.register
    def _(self, value: otp.HandlerExit) -> Any:
        _, id = value.handler
        return {"handler_exit": [id, self._handler_reason(value.reason)]}

    def _handler_reason(self, reason: object) -> Any:
        match reason:
            case otp.Swapped():
                _, id = reason.handler
                return {"swapped": [id, self.encode(reason.owner)]}
            case otp.BadReturn():
                return self.encode(reason.value)
            case otp.NORMAL | otp.SHUTDOWN:
                return self.encode(reason)
            case _:
                return {"crashed": self.encode(reason)}

    @encode.register
    def _(self, value: otp.TaskReply) -> Any:
        instance = self.encode(value.task.pid)
        return {"task_reply": [instance.rpartition("#")[0], self.encode(value.value)]}

    @encode.register
    def _(self, value: otp.task.Ok) -> Any:  # type: ignore[type-arg]
        return ["ok", self.encode(value.value)]

    @encode.register
    def _(self, value: otp.task.Exited) -> Any:
        return ["exit", self.encode(value.reason)]

    # -- reasons and errors ------------------------------------------------------------------

    @encode.register
    def _(self, value: otp.Shutdown) -> Any:
        return {"shutdown": self.encode(value.detail)}

    @encode.register
    def _(self, value: Garbage) -> Any:
        return value.value

    @encode.register
    def _(self, value: Raised) -> Any:
        return {"error": value.tag}

    @encode.register
    def _(self, value: Refused) -> Any:
        return value.neutral

    @encode.register
    def _(self, value: otp.BadReturn) -> Any:
        returned = self.encode(value.value)
        of_supervisor = value.callback in ("Supervisor.init", "DynamicSupervisor.init")
        return {"bad_return": ["init", returned] if of_supervisor else returned}

    @encode.register
    def _(self, value: otp.StartError) -> Any:
        return self.encode(value.reason)

    @encode.register
    def _(self, value: otp.AlreadyStarted) -> Any:
        return {"already_started": self.encode(value.pid)}

    @encode.register
    def _(self, value: otp.AlreadyRegistered) -> Any:
        return {"already_registered": self.encode(value.pid)}

    @encode.register
    def _(self, value: otp.FailedToStartChild) -> Any:
        reason = self.encode(value.reason)
        if is_bad_argument(value.reason):  # Erlang's supervisor catches what a start raises
            reason = {"crashed": {"error": "badarg"}}
        return {"failed_to_start_child": [self.encode(value.child_id), reason]}

    @encode.register
    def _(self, value: otp.CallError) -> Any:
        return {"in_call": self.exit_of(value)}

    @encode.register
    def _(self, _value: otp.MaxChildren) -> Any:
        return "max_children"

    @encode.register
    def _(self, _value: otp.ChildNotFound) -> Any:
        return "not_found"

    @encode.register
    def _(self, _value: otp.ChildRunning) -> Any:
        return "running"

    @encode.register
    def _(self, _value: otp.ChildRestarting) -> Any:
        return "restarting"

    @encode.register
    def _(self, _value: otp.ChildAlreadyPresent) -> Any:
        return "already_present"

    @encode.register
    def _(self, value: BaseException) -> Any:
        return {"error": type(value).__name__}

    def exit_of(self, error: otp.CallError) -> Any:
        """Return the reason a caller would have exited with, without what names the call."""
        match error:
            case otp.CallingSelf():
                return "calling_self"
            case otp.NoProcess() | otp.CallTimeout() | otp.ServerExited():
                return self.encode(error.reason)
            case _:
                return {"error": type(error).__name__}
