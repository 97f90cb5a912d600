"""The error of a supervisor that has given up: it tells of the last ends of children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from .._util.bounded import bounded
from .._util.public import public
from .errors import WithReason
from .reasons import reason_text

if TYPE_CHECKING:
    from collections.abc import Sequence

History: TypeAlias = "Sequence[tuple[float, object, object]]"  # times, child ids, reasons
ENDS: Final = 10  # ends of children that the text of an error or a record lists


class WithHistory(WithReason):
    """The base of errors of what ended with its children; `crash`, the last one, is the cause."""

    def __init__(self, who: str, reason: object, history: History, crash: object) -> None:
        text = f"{who} exited: {reason_text(reason)}{ends_text(history)}"
        super().__init__(text, reason, last_crash(reason, history, crash))
        self.history: tuple[tuple[float, object, object], ...] = tuple(history)


@public
class SupervisorExited(WithHistory):
    """A supervisor gave up; `history` has `(time, child id, reason)` of the last ends of children.

    An exception in there says what the one that was raised has said, and has no traceback; `crash`,
    the last one, is as it was raised, and is the `__cause__`.
    """

    def __init__(self, reason: object, history: History = (), crash: object = None) -> None:
        super().__init__("supervisor", reason, history, crash)


def ends_text(history: History) -> str:
    """List the last ends of children, one a line, with the seconds since."""
    last = list(history)[-ENDS:]
    try:
        now = trio.current_time()
    except RuntimeError:  # outside of a run the last of them is now
        now = last[-1][0] if last else 0.0
    return "".join(
        f"\n  {max(0.0, now - time):.1f} s ago: child {bounded(child_id)}: "
        f"{reason_text(reason, 500)}"
        for time, child_id, reason in last
    )


def last_crash(reason: object, history: History, crash: object) -> BaseException | None:
    """Return what made a supervisor give up: an exception, or None if it was none."""
    last = crash if crash is not None else history[-1][2] if history else reason
    return last if isinstance(last, BaseException) else None
