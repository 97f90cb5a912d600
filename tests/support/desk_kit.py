"""A server that answers at once, later, twice or never, and callers of it."""

from __future__ import annotations

from typing import Any

import trio
from inside import process_of

import trio_otp as otp


class Desk(otp.GenServer):
    """Answers at once, later, twice or never."""

    def __init__(self) -> None:
        self.waiting: list[otp.From[Any]] = []
        self.served = 0

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        self.served += 1
        match request:
            case "later":
                self.waiting.append(from_)
                return otp.NoReply()
            case ("sleep", seconds):
                await trio.sleep(seconds)
                return otp.Reply("slept")
            case ("helper", function, *args):
                otp.reply_from_task(from_, function, *args)
                return otp.NoReply()
            case "twice":
                otp.reply(from_, "first")
                return otp.Reply("second")
            case "ping" | Probe():
                return otp.Reply("pong")
            case _:
                raise LookupError(request)


class Probe:
    """A request whose end can be observed."""


def inside(pid: otp.Pid[Any]) -> Desk:
    process = process_of(pid)
    instance: Desk = process.instance
    return instance


def waits_for(pid: otp.Pid[Any]) -> int:
    """Count the requests that a server has yet to answer."""
    process = process_of(pid)
    return len(process.requests or ())


class Callers:
    """Any number of callers, in tasks of their own, and what each of them got."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.got: list[Any] = []

    def call(self, *args: Any, **kwargs: Any) -> None:
        self.nursery.start_soon(self._call, args, kwargs)

    async def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            self.got.append(await otp.call(*args, **kwargs))
        except otp.CallError as exc:
            self.got.append(exc)
