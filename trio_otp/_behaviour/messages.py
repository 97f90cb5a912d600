"""What the mailbox of a server holds beside plain messages, and how messages are shown.

Follows: Erlang's `gen_server`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from .._process.crash_facts import place_of
from .._process.doing import Named
from .._process.mailbox import SystemMessage
from .._process.propagating import carried
from .._process.request import From
from .._process.status import NOT_SHOWN, takes_status
from .._util.bounded import bounded
from .._util.public import public
from .._util.unset import UNSET
from ..events import CARRYING, NoticeReport

if TYPE_CHECKING:
    from .._process.process import Process


@public
class Cast(SystemMessage):
    """A message of `otp.cast` on its way; `context` is what propagators have captured, if any.

    Args:
        message: what was cast.
    """

    __slots__ = ("context", "message")
    from_user = True

    def __init__(self, message: object) -> None:
        self.message: object = message
        self.context: object = carried() if CARRYING else None

    def __repr__(self) -> str:
        return f"Cast({bounded(self.message)})"


@dataclass(frozen=True, slots=True)
class Terminate(SystemMessage):
    """The message of `otp.stop`."""

    reason: object


@public
@dataclass(frozen=True, slots=True)
class Timeout:
    """The message `handle_info` gets when the `timeout=` of a return is over."""


class Handled(Named):
    """A request that knows its handler; the client layer sends these."""

    __slots__ = ()
    gives_value: ClassVar[bool] = False  # whether a handler may return the bare value of a reply

    def skips_abandoned(self) -> bool:
        """Check whether it is left unhandled once its caller has given up."""
        return False

    def run(self, server: Any, from_: From[Any] | None) -> Any:
        """Do in the server what `handle_call` and `handle_cast` do for other requests.

        Args:
            server: the instance.
            from_: the caller; None for a cast.
        """
        raise NotImplementedError  # not abstract: `isinstance` would take three times as long


def shown_message(message: Any, limit: int = 200) -> str:
    """Render a message of a mailbox in at most `limit` characters: what it is, what it carries."""
    if isinstance(message, From):
        return f"call {bounded(message.message, limit - 5)}"
    if message.__class__ is Cast:
        return f"cast {bounded(message.message, limit - 5)}"
    return bounded(message, limit)


STATE: Final = 2000  # characters of a state in a report


def content_of(message: Any) -> Any:
    """Return what a message of a mailbox carries; None if there is none."""
    if message is UNSET:
        return None
    return message.message if message.__class__ in (From, Cast) else message


def shown_message_of(message: Any, shown: Any) -> str | None:
    """Render the message in hand with something in place of what it carries; None without one."""
    if message is UNSET:
        return None
    if shown is content_of(message):
        return shown_message(message)
    kinds = {From: "call ", Cast: "cast "}
    return f"{kinds.get(message.__class__, '')}{bounded(shown, 195)}"


def as_log(log: object) -> tuple[Any, ...]:
    """Return what `format_status` gives in place of the events as a tuple."""
    return tuple(cast("list[Any]", log)) if isinstance(log, tuple | list) else (log,)


def shown_client(message: Any) -> str | None:
    """Return who waits for the answer to a call: a process, or a task of plain Trio code."""
    if message.__class__ is not From:
        return None
    task: Any = message._task
    if message.caller is not None:
        who = repr(message.caller)
    else:
        who = "a request id" if task is None else f"task {bounded(task.name)}"
    return f"{who}, which has given up" if message.abandoned else who


def client_place(message: Any) -> str | None:
    """Return where the caller of the call in hand waits."""
    waits = message.__class__ is From and not message._done and not message.abandoned
    return place_of(message._task) if waits else None


def log_unexpected(process: Process, message: object) -> None:
    """Log a message that nobody handles."""
    shown = NOT_SHOWN if takes_status(process.instance) else message
    text = f"{process.pid!r} got an unexpected message: {bounded(shown)}"
    process.runtime.events.emit("notice", NoticeReport(process.pid, text))
