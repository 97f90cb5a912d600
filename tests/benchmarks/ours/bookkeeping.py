"""Calls and casts of a copy of the library, which may do without some of its bookkeeping."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from ..copies import copy_of_library
from ..measure import Sample, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@functools.cache
def server_of(otp: Any) -> type[Any]:
    class Plain(otp.GenServer):  # type: ignore[misc]  # each copy has a base class of its own
        def __init__(self) -> None:
            self.total = 0

        def handle_call(self, request: int, from_: Any) -> Any:
            return otp.Reply(request + 1)

        def handle_cast(self, message: int) -> None:
            self.total += message

    return Plain


@asynccontextmanager
async def _served(otp: Any) -> AsyncGenerator[Any]:
    async with trio.open_nursery() as nursery:
        yield await otp.start(server_of(otp), nursery=nursery)
        nursery.cancel_scope.cancel()


async def _ask(otp: Any, pid: Any, n: int) -> Sample:
    call, answer = otp.call, 0
    watch = Watch()
    for i in range(n):
        answer = await call(pid, i)
    return watch.sample(answer)


async def calls(n: int, copy: tuple[str, ...]) -> Sample:
    """Calls with the default time-out, from plain Trio code."""
    otp = copy_of_library(*copy)
    async with _served(otp) as pid:
        return await _ask(otp, pid, n)


async def calls_of_process(n: int, copy: tuple[str, ...]) -> Sample:
    """Calls from a process, which waits for the server where that can be seen."""
    otp = copy_of_library(*copy)
    async with _served(otp) as pid, otp.open_process():
        return await _ask(otp, pid, n)


async def casts(n: int, copy: tuple[str, ...]) -> Sample:
    """Casts in one go, and a call at the end."""
    otp = copy_of_library(*copy)
    async with _served(otp) as pid:
        cast = otp.cast
        watch = Watch()
        for _ in range(n - 1):
            cast(pid, 1)
        return watch.sample(await otp.call(pid, n - 1))
