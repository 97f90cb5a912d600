"""Calls of trio_otp: in sequence and from many callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

from ..measure import Sample, Watch
from .servers import Deferring, Plain, Typed, served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REGISTRY = otp.registry("benchmark")


async def _ask(ref: otp.Ref, n: int) -> int:
    answer = 0
    for i in range(n):
        answer = await otp.call(ref, i)
    return answer


async def _ask_without_limit(ref: otp.Ref, n: int) -> int:
    answer = 0
    for i in range(n):
        answer = await otp.call(ref, i, timeout=None)
    return answer


async def _ask_client(client: Typed, n: int) -> int:
    answer = 0
    for i in range(n):
        answer = await client.ask(i)
    return answer


async def _ask_client_anew(ref: otp.Ref, n: int) -> int:
    answer = 0
    for i in range(n):
        answer = await Typed.at(ref).ask(i)
    return answer


async def _ask_method(ask: Callable[[int], Awaitable[int]], n: int) -> int:
    answer = 0
    for i in range(n):
        answer = await ask(i)
    return answer


async def plain(n: int, server: type[Any]) -> Sample:
    """`otp.call(pid, request)` with the default time-out."""
    async with served(server) as pid:
        watch = Watch()
        return watch.sample(await _ask(pid, n))


async def without_limit(n: int) -> Sample:
    """`otp.call(pid, request, timeout=None)`."""
    async with served(Plain) as pid:
        watch = Watch()
        return watch.sample(await _ask_without_limit(pid, n))


async def client(n: int, server: type[Any]) -> Sample:
    """A typed client, kept in a variable."""
    async with served(server) as pid:
        kept = server.at(pid)
        watch = Watch()
        return watch.sample(await _ask_client(kept, n))


async def client_anew(n: int) -> Sample:
    """A typed client, made for each call."""
    async with served(Typed) as pid:
        watch = Watch()
        return watch.sample(await _ask_client_anew(pid, n))


async def bound_method(n: int) -> Sample:
    """A method of a typed client, kept in a variable."""
    async with served(Typed) as pid:
        ask = Typed.at(pid).ask
        watch = Watch()
        return watch.sample(await _ask_method(ask, n))


async def by_name(n: int) -> Sample:
    """A call to a local name, which is looked up each time."""
    async with served(otp.child(Plain).having(name="plain")):
        watch = Watch()
        return watch.sample(await _ask("plain", n))


async def via(n: int) -> Sample:
    """A call to a key of a registry, which is looked up each time."""
    registry = otp.child(otp.Registry, keys="unique").having(name="benchmark")
    async with served(registry), served(otp.child(Plain).having(name=REGISTRY.via("plain"))):
        watch = Watch()
        return watch.sample(await _ask(REGISTRY.via("plain"), n))


async def deferred(n: int) -> Sample:
    """The server returns `NoReply` and answers with `otp.reply` later."""
    async with served(Deferring) as pid:
        watch = Watch()
        return watch.sample(await _ask(pid, n))


async def _together(n: int, ask: Callable[[int], Awaitable[int]]) -> Sample:
    callers = min(n, 100)
    answered = 0

    async def caller() -> None:
        nonlocal answered
        mine = await ask(n // callers)
        answered += mine

    watch = Watch()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(caller)
    return watch.sample(answered)


async def hundred_callers(n: int) -> Sample:
    """100 tasks call one server; the rate is that of all together."""
    async with served(Plain) as pid:
        return await _together(n, lambda share: _ask(pid, share))


async def hundred_clients(n: int) -> Sample:
    """As `hundred_callers`, with a typed client."""
    async with served(Typed) as pid:
        return await _together(n, lambda share: _ask_client(Typed.at(pid), share))
