"""Two channels for one contract: a memory channel of Trio, and the mailbox of a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio
from inside import process_of

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass
class Channel:
    """One of the two, with both ends."""

    send: Any  # a send end
    receive: Any  # the receiving end
    end: Callable[[], Awaitable[object]]  # closes that


def of_trio(size: float) -> Channel:
    """Return a memory channel."""
    send, receive = trio.open_memory_channel[Any](size)
    return Channel(send, receive, receive.aclose)


def of_process(pid: otp.Pid[Any]) -> Channel:
    """Return the mailbox of a process that never reads; its end is that of the process."""
    process = process_of(pid)

    async def end() -> None:
        otp.exit(pid, otp.KILL)
        await process.wait_dead()

    return Channel(otp.send_end(pid), process.mailbox, end)
