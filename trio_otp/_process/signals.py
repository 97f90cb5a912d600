"""What processes hear of each other's end: `Exit` over a link, `Down` of a monitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from .._util.copies import Handle, NoConstructor
from .._util.public import public
from .mailbox import Notification

if TYPE_CHECKING:
    from .names import Ref
    from .pid import Pid
    from .process import Process


@public
@dataclass(frozen=True, slots=True, repr=False)
class Exit(Notification):
    """What a process that traps exits gets in place of an exit signal.

    Args:
        pid: the process that has ended or sent it; None if plain Trio code sent it.
        reason: the exit reason.
    """

    pid: Pid | None
    reason: object


@public
@dataclass(frozen=True, slots=True, repr=False)
class Down(Notification):
    """What a monitor sends when its process is dead.

    Args:
        ref: the handle that `otp.monitor` returned.
        pid: the reference that it was given: a pid, a name or a via tuple.
        reason: the exit reason; `NOPROC` if there was no such process.
    """

    ref: Monitor
    pid: Ref
    reason: object


@final
@public
class Monitor(NoConstructor, Handle):
    """The handle of one `otp.monitor`."""

    _origin: ClassVar[str] = "otp.monitor(ref) returns one"

    __slots__ = ("target", "watcher", "what")
    what: Ref  # that of `start_monitor` is set when the process has a pid

    def __init__(self, watcher: Process, what: Ref | None = None) -> None:
        self.watcher: Process = watcher
        self.target: Process | None = None
        if what is not None:
            self.what = what

    def _detach(self) -> bool:
        """Return whether it was watching until now, and stop watching."""
        if self.target is None:
            return False
        self.target.remove_monitor(self)
        return True

    def __repr__(self) -> str:
        return f"<Monitor of {self.what!r}>"
