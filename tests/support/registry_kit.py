"""A registry to test, and processes that register themselves."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import outcome

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

REG = otp.registry("reg")


class Holder(otp.GenServer):
    """A process that runs what it is asked to, so that it can register itself."""

    def handle_call(self, request: Callable[[], Any], from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(outcome.capture(request))


@asynccontextmanager
async def running(keys: Any = "unique", **options: Any) -> AsyncIterator[otp.Pid[Any]]:
    """Run a registry of the name `reg`, and give the block a process."""
    registry = otp.child(otp.Registry, keys, **options).having(name="reg")
    async with otp.open_supervisor([registry]), otp.open_process() as me:
        yield me


async def killed(pid: otp.Pid[Any]) -> object:
    """Kill a process; give its exit reason as a monitor hears it."""
    monitor = otp.monitor(pid)
    otp.exit(pid, otp.KILL)
    return (await otp.receive(lambda message: message.ref is monitor)).reason
