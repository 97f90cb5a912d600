"""An event manager to test, and a handler that writes down what happens to it."""

from __future__ import annotations

from typing import Any

import trio_otp as otp

ge = otp.gen_event
MANAGER = otp.child(otp.EventManager).having(name="events")


class Note(otp.GenEvent):
    """Writes down what happens to it, in a list that handlers may share."""

    def __init__(self, name: str = "note", log: list[Any] | None = None) -> None:
        self.name = name
        self.log: list[Any] = [] if log is None else log

    def init(self) -> None:
        self.log.append((self.name, "init"))

    def init_swapped(self, result: object) -> None:
        self.log.append((self.name, "init_swapped", result))

    def handle_event(self, event: Any) -> Any:
        self.log.append((self.name, event))
        return event() if callable(event) else None

    def handle_call(self, request: Any) -> Any:
        return request() if callable(request) else otp.Reply((self.name, request))

    def handle_info(self, message: Any) -> None:
        self.log.append((self.name, "info", message))

    def terminate(self, reason: object) -> Any:
        self.log.append((self.name, "terminate", reason))
        return f"{self.name} is gone"


def boom() -> None:
    """Raise, wherever it is called."""
    raise ValueError("boom")


def without_init(log: list[Any]) -> list[Any]:
    return [entry for entry in log if entry[1:] != ("init",)]


class Words(otp.GenEvent):
    """Has a typed client."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def handle_event(self, event: str) -> None:
        self.words.append(event)

    @otp.on_call(raises=(IndexError,))
    async def last(self, count: int = 1) -> str:
        return self.words[-count]

    @otp.on_call
    def leave(self) -> Any:
        return otp.RemoveHandler(reply="left")

    @otp.on_cast
    def forget(self) -> None:
        self.words.clear()
