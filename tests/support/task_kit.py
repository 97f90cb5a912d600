"""What the tests of tasks share: functions to run in tasks, and processes to own them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from supervision_kit import Boom, leftovers, settle
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Boom", "crash", "give", "leave", "leftovers", "messages", "run_owner", "settle", "stay"]


async def give(value: Any, seconds: float = 0) -> Any:
    """Return a value after a time."""
    await trio.sleep(seconds)
    return value


async def crash(seconds: float = 0) -> Any:
    """Raise after a time."""
    await trio.sleep(seconds)
    raise Boom


async def leave(reason: object, seconds: float = 0) -> Any:
    """End with a reason, without a result, after a time."""
    await trio.sleep(seconds)
    otp.exit(reason)


async def stay(value: Any = None, seconds: float = 3600) -> Any:
    """Trap exits and take no notice of them for a long time."""
    otp.trap_exit(True)
    await trio.sleep(seconds)
    return value


async def run_owner(fn: Callable[[], Awaitable[object]], *, trap: bool = False) -> object:
    """Run a function as a process that is linked to nobody, and give its exit reason."""

    async def body() -> None:
        otp.trap_exit(trap)
        await fn()

    pid, watch = otp.spawn_monitor(body)
    down = await otp.receive(lambda m: isinstance(m, otp.Down) and m.ref is watch)
    assert down.pid is pid
    await wait_all_tasks_blocked()
    return down.reason


async def messages() -> list[Any]:
    """Empty the mailbox."""
    found = []
    while True:
        try:
            found.append(await otp.receive(timeout=0))
        except otp.ReceiveTimeout:
            return found
