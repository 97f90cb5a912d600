"""State machines of a scenario: the kind `statem`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio_otp as otp

from .children import TARGETS
from .definitions import Scripted, ends_by_signal, label_of
from .programs import seconds
from .values import Garbage, decode_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .programs import Returned
    from .world import World

KINDS = {kind.value: kind for kind in otp.Event}


def name_of(kind: Any) -> str:
    """Return the kind of an event as scenarios write it."""
    match kind:
        case otp.From():
            return "call"
        case otp.TimeoutOf(name):
            return f"timeout:{name}"
        case _:
            return kind.value  # type: ignore[no-any-return]


class Machine(otp.GenStatem[str]):
    """A `statem`; its instance runs the programs, its engine holds the state."""

    def __init__(self, world: World, name: str) -> None:
        self.script = Scripted(world, name)
        self.script.state = self.script.definition.get("data", 0)

    def format_status(self) -> object:
        """Show the scripted data."""
        return self.script.state

    async def init(self) -> Any:
        """Run the program `init`."""
        first = self.script.definition["initial"]
        match await self.script.run_init():
            case ["ignore", _]:
                return otp.IGNORE
            case ["fail", [reason]]:
                return otp.Stop(decode_reason(reason))
            case ["ok", [given]]:
                return otp.NextState(first, *self._actions(given))
            case _:
                return otp.NextState(first)

    async def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        """Run the program for an event or an enter call."""
        script = self.script
        if kind is otp.Event.ENTER:
            script.log("enter", content, state)
            program = self._listed(["enter"], state)
            return self._result(await script.run(program or []))
        message = script.world.codec.encode(content)
        script.log("event", name_of(kind), label_of(message), state)
        from_ = kind if isinstance(kind, otp.From) else None
        program = self._program(name_of(kind), message, state)
        if program is None:
            answer = [state, script.state] if message == "get" else "ok"
            program = [["keep", [["reply", answer]]]] if from_ else []
        return self._result(await script.run(program, message=message, from_=from_))

    def _program(self, kind: str, message: Any, state: str) -> list[Any] | None:
        match message:
            case {"do": program}:
                return program  # type: ignore[no-any-return]
            case str():
                key = message
            case dict() if len(message) == 1:
                key = next(iter(message))
            case _:
                key = "*"
        return self._listed([f"{kind}:{key}", kind, "*"], state)

    def _listed(self, keys: list[str], state: str) -> list[Any] | None:
        """Find a program in the table of the state, then in that of all states."""
        own = self.script.table("states").get(state, {})
        tables = (own, self.script.table("any"))
        return next((table[key] for table in tables for key in keys if key in table), None)

    def _result(self, returned: Returned | None) -> Any:
        match returned:
            case None:
                return otp.KeepState()
            case ["next", [state, *given]]:
                return otp.NextState(state, *self._actions(*given))
            case ["keep", given]:
                return otp.KeepState(*self._actions(*given))
            case ["repeat_state", given]:
                return otp.RepeatState(*self._actions(*given))
            case ["quit", [reason]]:
                return otp.Stop(decode_reason(reason))
            case ["quit", [reason, {"replies": given}]]:
                answers: list[Any] = list(self._actions(given))
                return otp.StopAndReply(decode_reason(reason), *answers)
            case ["garbage", [value]]:
                return Garbage(value)
            case _:
                return Garbage(returned)

    def _actions(self, given: Any = ()) -> Iterator[Any]:
        for name, *args in given:
            yield self._action(name, args)

    def _action(self, name: str, args: list[Any]) -> Any:
        match name, args:
            case "reply", [value]:
                return otp.Reply(value)
            case "reply_to", [key, value]:
                return otp.ReplyTo(self.script.world.froms[key], value)
            case "postpone", []:
                return otp.Postpone()
            case "next_event", [kind, message]:
                return otp.NextEvent(message, KINDS[kind])
            case "timeout", [key, *rest]:
                return _timeout(otp.GenericTimeout, [key], rest)
            case "state_timeout", rest:
                return _timeout(otp.StateTimeout, [], rest)
            case "event_timeout", rest:
                return _timeout(otp.EventTimeout, [], rest)
            case _:
                raise ValueError(f"no action {name}{args}")

    async def terminate(self, reason: object) -> None:
        """Run the program `terminate`, but where OTP would not (rule `terminate_without_trap`)."""
        script = self.script
        if ends_by_signal():
            script.world.rules.note("terminate_without_trap")
            return
        script.log("terminate", script.world.codec.encode(reason), self.state)
        await script.run(script.program("terminate"))


class EnteredMachine(Machine):
    """A `statem` with `state_enter`."""

    state_enter = True


def _timeout(action: Any, key: list[Any], rest: list[Any]) -> Any:
    match rest:
        case ["cancel"]:
            return action.cancel(*key)
        case ["update", message]:
            return action.update(*key, message)
        case [ms, message]:
            return action(*key, seconds(ms), message)
        case _:
            raise ValueError(f"no time-out {key}{rest}")


TARGETS["statem"] = Machine
TARGETS["statem with enter calls"] = EnteredMachine
