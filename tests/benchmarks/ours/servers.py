"""The servers of the benchmarks: the same small work, written in each of the ways there are."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Plain(otp.GenServer):
    """Plain callbacks, `def`."""

    def __init__(self) -> None:
        self.total = 0

    def handle_call(self, request: int, from_: otp.From[int]) -> otp.Reply[int]:
        return otp.Reply(request + 1)

    def handle_cast(self, message: int) -> None:
        self.total += message


class PlainAsync(otp.GenServer):
    """Plain callbacks, `async def`."""

    def __init__(self) -> None:
        self.total = 0

    async def handle_call(self, request: int, from_: otp.From[int]) -> otp.Reply[int]:
        return otp.Reply(request + 1)

    async def handle_cast(self, message: int) -> None:
        self.total += message


class Sleeping(Plain):
    """The same, without a task whenever it is idle."""

    hibernate_after = 0


class Typed(otp.GenServer):
    """Decorated methods, `def`."""

    def __init__(self) -> None:
        self.total = 0

    @otp.on_call
    def ask(self, request: int) -> int:
        return request + 1

    @otp.on_cast
    def tell(self, message: int) -> None:
        self.total += message


class TypedAsync(otp.GenServer):
    """Decorated methods, `async def`."""

    def __init__(self) -> None:
        self.total = 0

    @otp.on_call
    async def ask(self, request: int) -> int:
        return request + 1

    @otp.on_cast
    async def tell(self, message: int) -> None:
        self.total += message


class Deferring(otp.GenServer):
    """Answers each call with `otp.reply` when it has returned from the callback before."""

    def __init__(self) -> None:
        self.waiting: list[tuple[otp.From[int], int]] = []

    def handle_call(self, request: int, from_: otp.From[int]) -> otp.NoReply:
        self.waiting.append((from_, request + 1))
        return otp.NoReply(continue_=True)

    def handle_continue(self, token: bool) -> None:
        from_, answer = self.waiting.pop()
        otp.reply(from_, answer)


@asynccontextmanager
async def served(child: Any) -> AsyncGenerator[otp.Pid[Any]]:
    """Start one server in a nursery, and end it with the block."""
    async with trio.open_nursery() as nursery:
        yield await otp.start(child, nursery=nursery)
        nursery.cancel_scope.cancel()


# What `processes.py` can start in great numbers: a server class for each option that concerns
# what an idle server keeps.
KINDS: dict[str, type[Any]] = {"plain": Plain, "asleep": Sleeping}
