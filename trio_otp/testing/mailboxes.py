"""What waits in the mailbox of a test or a probe, and how a failure shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._behaviour.messages import shown_message
from .._exits.errors import NotAProcess
from .._process.runtime import own_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._process.pid import Pid
    from .._process.process import Process

MOST: Final = 20  # messages that a failure shows


def mailbox_text(pid: Pid, messages: Sequence[Any]) -> str:
    """List the messages of a mailbox, oldest first, one a line."""
    if not messages:
        return f"mailbox of {pid!r}: empty"
    lines = [f"  {shown_message(message)}" for message in messages[:MOST]]
    if len(messages) > MOST:
        lines.append(f"  and {len(messages) - MOST} more")
    return "\n".join([f"mailbox of {pid!r}, oldest first:", *lines])


def messages_of(process: Process) -> list[Any]:
    """Return what waits in the mailbox of a process, oldest first."""
    return list(process.mailbox.queue)


def process_of_test(what: str) -> Process:
    """Return the process in which a test runs, or raise `NotAProcess` with what to do."""
    process = own_process()
    if process is None:
        raise NotAProcess(
            f"{what} looks into the mailbox of the test, which has none: let the test take the "
            "fixture otp_system, or write async with otp.open_process(): ..."
        )
    return process
