"""What tests of GenStatem share: a machine that does what it is told."""

from __future__ import annotations

import enum
from typing import Any

import trio
import trio.testing
from inside import process_of

import trio_otp as otp

settled = trio.testing.wait_all_tasks_blocked


class Obedient(otp.GenStatem[Any]):
    """Does what an event's content says: a result, or a function that gives one."""

    initial = "a"

    def __init__(self, init: Any = None) -> None:
        self.first = init
        self.log: list[Any] = []
        self.ended: list[Any] = []

    def init(self) -> Any:
        return self.first() if callable(self.first) else self.first

    async def handle_event(self, kind: Any, content: Any, state: Any) -> Any:
        shown = "call" if isinstance(kind, otp.From) else kind
        if kind is otp.Event.ENTER:
            self.log.append((shown, content, state))
            return None
        self.log.append((shown, state))
        result = content(kind) if callable(content) else content
        result = await result if hasattr(result, "__await__") else result
        is_result = isinstance(
            result, otp.NextState | otp.KeepState | otp.RepeatState | otp.Stop | otp.StopAndReply
        )
        return result if is_result or isinstance(kind, otp.From) else None

    def terminate(self, reason: object) -> None:
        self.ended.append((reason, self.state))


class Entered(Obedient):
    """The same with enter calls."""

    state_enter = True


def inside(pid: otp.Pid[Any]) -> Any:
    """Return the instance behind a pid."""
    process = process_of(pid)
    return process.instance


def keep(*actions: Any) -> otp.KeepState:
    return otp.KeepState(*actions)


def postpone(_: object) -> otp.KeepState:
    return otp.KeepState(otp.Postpone())


class Light(enum.Enum):
    """States as members of an enum."""

    OFF = "off"
    ON = "on"


class Lamp(otp.GenStatem[Light]):
    """A function for each state, one of them async."""

    initial = Light.OFF

    def __init__(self) -> None:
        self.switched = 0

    @otp.on_state(Light.OFF, to={"switch": Light.ON})
    def off(self, kind: Any, content: object) -> Any:
        match kind, content:
            case otp.Event.CAST, "switch":
                self.switched += 1
                return otp.NextState(Light.ON)
            case otp.From(), _:
                return otp.KeepState(otp.Reply((self.state, self.switched)))
        return None

    @otp.on_state(Light.ON, to=Light.OFF)
    async def on(self, kind: Any, content: object) -> Any:
        await trio.lowlevel.checkpoint()
        if isinstance(kind, otp.From):
            return otp.KeepState(otp.Reply((self.state, self.switched)))
        return otp.NextState(Light.OFF)
