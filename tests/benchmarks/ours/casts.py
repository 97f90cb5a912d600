"""Casts of trio_otp: a burst, and one by one."""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp

from ..measure import Sample, Watch
from .calls import REGISTRY
from .servers import Plain, served


async def _drained(watch: Watch, ref: otp.Ref) -> Sample:
    """Ask for the state, which comes after everything that was cast."""
    instance = await otp.sys.get_state(ref)
    return watch.sample(instance.total)


async def plain(n: int, server: type[Any]) -> Sample:
    """`otp.cast(pid, message)` n times, then until all are handled."""
    async with served(server) as pid:
        watch = Watch()
        for _ in range(n):
            otp.cast(pid, 1)
        return await _drained(watch, pid)


async def client(n: int, server: type[Any]) -> Sample:
    """A cast method of a typed client that is kept in a variable."""
    async with served(server) as pid:
        kept = server.at(pid)
        watch = Watch()
        for _ in range(n):
            kept.tell(1)
        return await _drained(watch, pid)


async def bound_method(n: int, server: type[Any]) -> Sample:
    """A cast method of a typed client, itself kept in a variable."""
    async with served(server) as pid:
        tell = server.at(pid).tell
        watch = Watch()
        for _ in range(n):
            tell(1)
        return await _drained(watch, pid)


async def by_name(n: int) -> Sample:
    """Casts to a local name."""
    async with served(otp.child(Plain).having(name="plain")):
        watch = Watch()
        for _ in range(n):
            otp.cast("plain", 1)
        return await _drained(watch, "plain")


async def via(n: int) -> Sample:
    """Casts to a key of a registry."""
    registry = otp.child(otp.Registry, keys="unique").having(name="benchmark")
    async with served(registry), served(otp.child(Plain).having(name=REGISTRY.via("plain"))):
        ref = REGISTRY.via("plain")
        watch = Watch()
        for _ in range(n):
            otp.cast(ref, 1)
        return await _drained(watch, ref)


async def trickle(n: int, server: type[Any]) -> Sample:
    """One cast at a time: after each the server gets its turn."""
    async with served(server) as pid:
        watch = Watch()
        for _ in range(n):
            otp.cast(pid, 1)
            await trio.lowlevel.checkpoint()
        return await _drained(watch, pid)


async def client_trickle(n: int, server: type[Any]) -> Sample:
    """As `trickle`, with a typed client."""
    async with served(server) as pid:
        kept = server.at(pid)
        watch = Watch()
        for _ in range(n):
            kept.tell(1)
            await trio.lowlevel.checkpoint()
        return await _drained(watch, pid)
