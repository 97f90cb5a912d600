"""The reports of `otp.system_monitor`: what holds the event loop, which queues are long.

Follows: the messages of `erlang:system_monitor/2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from .._util.bounded import shown_text
from .._util.copies import PortableReport
from .._util.public import public_in


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class LongSchedule(PortableReport):
    """A task holds the event loop: it has run for long without a wait, and nothing else runs.

    Args:
        pid: the process that the task belongs to; None for plain Trio code.
        task: the name of the task.
        doing: what the process does, in a few words.
        seconds: for how long, by the real clock, without pauses of the whole program.
        place: the innermost line of your code, `file:line in function`.
        stack: the innermost frames in the same form, the outermost first.
        over: whether it is over; then `seconds` is how long it was, a little less at most.
    """

    pid: Any
    task: str
    doing: str
    seconds: float
    place: str
    stack: tuple[str, ...] = ()
    over: bool = False

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return "system_monitor.long_schedule"

    @property
    def text(self) -> str:
        """Return it as a sentence."""
        who = f"task {shown_text(self.task)}" if self.pid is None else f"{self.pid!r}, {self.doing}"
        what = "was held" if self.over else "is held"
        end = ", and goes on" if self.over else ""
        return f"the event loop {what} for {self.seconds:.3g} s by {who}, at {self.place}{end}"

    def as_dict(self) -> dict[str, object]:
        """Return it under the keys of OTP's message, the time in milliseconds."""
        timeout = round(self.seconds * 1000)
        return {"pid": self.pid, "monitor": "long_schedule", "timeout": timeout, "in": self.place}


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class LongMessageQueue(PortableReport):
    """So many messages wait in a mailbox that its process falls behind, or no more.

    Args:
        pid: the process.
        length: how many wait.
        long: True when the queue has become long, False when it is short again.
        doing: what the process does, in a few words.
    """

    pid: Any
    length: int
    long: bool = True
    doing: str = ""

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return "system_monitor.long_message_queue"

    @property
    def text(self) -> str:
        """Return it as a sentence."""
        if not self.long:
            return f"the queue of {self.pid!r} is short again: {self.length} messages wait"
        return f"{self.length} messages wait for {self.pid!r}: {self.doing}"

    def as_dict(self) -> dict[str, object]:
        """Return it under the keys of OTP's message."""
        fields = {"long_message_queue": self.long, "message_queue_len": self.length}
        return {"pid": self.pid, "monitor": "long_message_queue", **fields}


MonitorReport: TypeAlias = LongSchedule | LongMessageQueue
