"""Servers that do what their messages say, and how to look at them."""

from __future__ import annotations

from typing import Any

import trio.testing
from inside import process_of

import trio_otp as otp

Pages = list[Any]


class Script(otp.GenServer):
    """Does in each callback what the message says: a value to return, or a function to call."""

    def __init__(self, init: Any = None) -> None:
        self.first = init
        self.log: list[Any] = []
        self.ended: list[Any] = []

    def init(self) -> Any:
        return self.first() if callable(self.first) else self.first

    async def handle_call(self, request: Any, from_: Any) -> Any:
        self.log.append(("call", request))
        return await self._do(request)

    async def handle_cast(self, message: Any) -> Any:
        self.log.append(("cast", message))
        return await self._do(message)

    async def handle_info(self, message: Any) -> Any:
        self.log.append(("info", message))
        return await self._do(message)

    async def handle_continue(self, token: Any) -> Any:
        self.log.append(("continue", token))
        return await self._do(token)

    async def _do(self, what: Any) -> Any:
        if callable(what):
            result = what()
            return await result if hasattr(result, "__await__") else result
        return what if isinstance(what, otp.Reply | otp.NoReply | otp.Stop) else None


def inside(pid: otp.Pid[Any]) -> Script:
    """Return the instance behind a pid."""
    process = process_of(pid)
    instance: Script = process.instance
    return instance


async def log_of(pid: otp.Pid[Any]) -> list[Any]:
    """Return what a server has logged once it has nothing more to do."""
    await trio.testing.wait_all_tasks_blocked()
    return inside(pid).log


async def end_of(pid: otp.Pid[Any]) -> object:
    monitor = otp.monitor(pid)
    down = await otp.receive(lambda m: isinstance(m, otp.Down) and m.ref is monitor)
    return down.reason


async def end_of_start(child: Any) -> object:
    """Return the exit reason of a server that ends by itself after its init."""
    _, monitor = await otp.start_monitor(child)
    down = await otp.receive(otp.Down)
    assert monitor is down.ref
    return down.reason


async def a_server(*args: Any) -> otp.Pid[Script]:
    return await otp.start(otp.child(Script, *args))


class Noted(otp.GenServer, shutdown=3.0):
    """Notes casts, and when its terminate begins and ends; its callbacks do what they are told."""

    def __init__(
        self, pages: Pages, end: Any = None, *, init: Any = None, trap: bool = False
    ) -> None:
        self.pages = pages
        self.on_end = end
        self.on_init = init
        otp.trap_exit(trap)

    async def init(self) -> Any:
        return await do(self.on_init)

    async def handle_call(self, request: Any, from_: Any) -> Any:
        return await do(request)

    async def handle_cast(self, message: Any) -> Any:
        self.pages.append(message)
        return await do(message) if callable(message) else None

    def handle_info(self, message: Any) -> None:
        self.pages.append(message)

    async def terminate(self, reason: object) -> None:
        self.pages.append(("begin", reason))
        await do(self.on_end)
        self.pages.append(("end", reason))


async def do(what: Any) -> Any:
    """Call a function and wait for it; give anything else as it is."""
    if not callable(what):
        return what
    result = what()
    return await result if hasattr(result, "__await__") else result


def raises(exc: BaseException) -> Any:
    """Make a function that raises."""

    def raise_it() -> None:
        raise exc

    return raise_it


def ran_once(reason: object) -> Pages:
    """Return what one terminate notes."""
    return [("begin", reason), ("end", reason)]
