"""What the checkers make of state machines."""

from __future__ import annotations

import enum
from typing import assert_type

import trio_otp as otp


class State(enum.Enum):
    """The states of a door."""

    OPEN = "open"
    SHUT = "shut"


class Door(otp.GenStatem[State]):
    """A function for each state."""

    initial = State.SHUT

    def __init__(self, code: str) -> None:
        self.code = code

    @otp.on_state(State.SHUT, to={"open": State.OPEN, "break": [State.OPEN, None]})
    async def shut(self, kind: otp.Event, content: str) -> otp.NextState | None:
        assert_type(self.state, State)
        return otp.NextState(State.OPEN, otp.StateTimeout(1.5, "shut"), otp.Postpone())

    @otp.on_state(State.OPEN, to=State.SHUT)
    def open(self, kind: otp.Event, content: str) -> otp.KeepState:
        return otp.KeepState(otp.StateTimeout.cancel(), otp.GenericTimeout.update("n", 1))


class Walk(otp.GenStatem[tuple[str, int]]):
    """One callback for all states."""

    def init(self) -> otp.NextState:
        return otp.NextState(("a", 1), otp.NextEvent("first"))

    def handle_event(
        self, kind: object, content: object, state: tuple[str, int]
    ) -> otp.KeepState | otp.Stop | otp.StopAndReply:
        assert_type(state[1], int)
        return otp.StopAndReply(otp.NORMAL, otp.Reply(1))


async def check_children() -> None:
    """Children take the arguments of the constructor, and a pid tells what it is."""
    assert_type(otp.child(Door, "1234"), otp.Child[Door])
    assert_type(await otp.start_link(otp.child(Door, "1234")), otp.Pid[Door])
    assert_type(Door.to_mermaid(), str)
    assert_type(Door.to_svg(), str)
    otp.child(Door, 5)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]


def check_decorated(door: Door) -> None:
    """A state function stays the method it is."""
    assert_type(door.open(otp.Event.CAST, "x"), otp.KeepState)


def check_actions() -> None:
    """Actions and results take what fits."""
    otp.KeepState(7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.StateTimeout("1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.StopAndReply("end", otp.Postpone())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.on_state(7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
