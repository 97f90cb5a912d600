"""What users give a mailbox and learn of it: its bound, which is checked, and its statistics.

Follows: `trio.MemoryChannelStatistics`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._util.bounded import bounded
from .._util.checks import is_whole
from .._util.public import public


@public
@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """What `otp.SendEnd.statistics` returns: the fields of Trio's, but for the peak.

    Attributes:
        current_buffer_used: how many messages wait in the mailbox.
        max_buffer_size: how many there may be; `math.inf` for one without a bound.
        open_send_channels: how many send ends are open.
        open_receive_channels: 1 while the process lives, then 0.
        tasks_waiting_send: how many tasks wait for room.
        tasks_waiting_receive: how many tasks wait for a message, as the process itself may.
        dropped: how many messages found it full and were dropped, or gave way to others.
    """

    current_buffer_used: int
    max_buffer_size: float
    open_send_channels: int
    open_receive_channels: int
    tasks_waiting_send: int
    tasks_waiting_receive: int
    dropped: int = 0


def check_bound(bound: object, *, error: type[Exception] = TypeError) -> None:
    """Refuse what is neither an `otp.BoundedMailbox`, a class that is imported late, nor None."""
    if bound is not None and not hasattr(bound.__class__, "on_full"):
        size = bounded(bound) if is_whole(bound) and bound > 0 else 1000
        line = f"mailbox=otp.BoundedMailbox({size})"
        raise error(f"mailbox={bounded(bound)}: expected a bound or None; write {line}")
