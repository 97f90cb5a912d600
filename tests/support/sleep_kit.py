"""Servers that sleep at once, and how to look at them."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from inside import process_of
from server_kit import Script

import trio_otp as otp


class Sleeper(Script):
    """A script that sleeps whenever it has nothing to do."""

    hibernate_after = 0

    async def terminate(self, reason: object) -> None:
        self.ended.append(reason)


class Sync(otp.GenServer):
    """The same with callbacks that do not wait."""

    hibernate_after = 0

    def __init__(self) -> None:
        self.log: list[Any] = []

    def handle_call(self, request: Any, from_: Any) -> Any:
        result = request() if callable(request) else request
        return result if isinstance(result, otp.NoReply | otp.Stop) else otp.Reply(result)

    def handle_cast(self, message: Any) -> Any:
        self.log.append(message)
        return message() if callable(message) else None

    def handle_info(self, message: Any) -> None:
        self.log.append(message)

    def terminate(self, reason: object) -> None:
        self.log.append(("terminate", reason))


def is_asleep(pid: otp.Pid[Any]) -> bool:
    """Check whether a living server has no task."""
    process = process_of(pid)
    return process.task is None


async def asleep(pid: otp.Pid[Any]) -> otp.Pid[Any]:
    """Wait until a server sleeps."""
    await trio.testing.wait_all_tasks_blocked()
    assert is_asleep(pid)
    return pid


async def a_sleeper(*args: Any) -> otp.Pid[Any]:
    """Start one under this process, and let it fall asleep."""
    return await asleep(await otp.start_link(otp.child(Sleeper, *args)))
