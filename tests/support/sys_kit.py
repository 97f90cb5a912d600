"""Servers to look into: one that counts and can be slow, a door with two states."""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp


class Tally(otp.GenServer):
    """Adds up what it is sent, and notes its end."""

    def __init__(self, ended: list[object] | None = None) -> None:
        self.total = 0
        self.seen: list[Any] = []
        self.ended = [] if ended is None else ended

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        match request:
            case "total":
                return otp.Reply(self.total)
            case "defer":
                return otp.NoReply()
            case ("sleep", seconds):
                await trio.sleep(seconds)
                return otp.Reply("slept")
            case ("idle", seconds):
                return otp.Reply("set", timeout=seconds)
            case ("stop", reason):
                return otp.Stop(reason, reply="stopping")
            case ("go on", token):
                return otp.Reply("going on", continue_=token)
            case _:
                raise ValueError(request)

    def handle_cast(self, message: int) -> None:
        self.total += message
        self.seen.append(message)

    def handle_info(self, message: Any) -> None:
        self.seen.append(message)

    def handle_continue(self, token: Any) -> None:
        self.seen.append(token)

    def terminate(self, reason: object) -> None:
        self.ended.append(reason)


class Door(otp.GenStatem[str]):
    """Opens by a code; `wait` is answered when it has been opened."""

    initial = "locked"

    def __init__(self, code: int = 7) -> None:
        self.code = code
        self.entered = 0

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        match state, content:
            case "locked", "wait":
                return otp.KeepState(otp.Postpone())
            case "locked", int():
                if content == self.code:
                    return otp.NextState("open", otp.StateTimeout(10.0, "shut"))
            case "open", "wait":
                return otp.KeepState(otp.Reply("in"))
            case "open", "shut":
                return otp.NextState("locked")
            case "open", "now":
                return otp.KeepState(otp.GenericTimeout("bell", 0, "ring"))
            case _:
                pass
        return otp.KeepState()
