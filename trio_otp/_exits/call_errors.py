"""The errors of calls: nobody there, no answer in time, an end or a lost node, a circle."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import trio

from .._util.bounded import bounded
from .._util.checks import nearest
from .._util.public import public
from .errors import SAME, OtpError, WithReason
from .reasons import NOCONNECTION, NOPROC, TIMEOUT, reason_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORD: Final = 60  # characters of a name in which another one is recognized
_NUMBERS: Final = re.compile(r"[0-9]+")


@public
class TimedOut(OtpError, trio.TooSlowError):
    """The base of the errors of what took too long: `CallTimeout`, `ReceiveTimeout`, ..."""


@public
class CallError(OtpError):
    """A call without an answer: the `server`, the `message`, the seconds `elapsed`."""

    def __init__(
        self,
        text: str,
        server: object,
        message: object = None,
        elapsed: float = 0.0,
        **more: object,  # of a class that has another base as well
    ) -> None:
        super().__init__(text, **more)
        self.server = server
        self.message = message
        self.elapsed = elapsed


@public
class NoProcess(CallError):
    """Nobody is behind the reference: the process is dead or the name is free.

    The text suggests the name, or the key of the registry, that is most like the one given.
    """

    def __init__(
        self,
        server: object,
        message: object = None,
        *,
        known: Iterable[object] = (),
        meant: object = None,
        text: str | None = None,
    ) -> None:
        what = text or f"no process behind {bounded(server)}"
        super().__init__(what + _about(message, word="message"), server, message)
        self.reason = NOPROC
        # What is searched if this is ever shown: not where an error is made over and over.
        self._meant = server if meant is None else meant
        self._known = tuple(known)

    def __str__(self) -> str:
        text = super().__str__()
        near = _most_like(self._meant, self._known) if self._known else None
        return text if near is None else f"{text}; did you mean {near}?"


def _most_like(name: object, known: Iterable[object]) -> str | None:
    """Return the known name that is most like one, as text; None if none is.

    One that reads the same is no help: it may be this very name, the holder of which is exiting.
    """
    word, shown = _word(name), bounded(name)
    words = {_word(each): each for each in known if bounded(each) != shown}
    likely = [each for each in words if each == word or not _differ_in_numbers(each, word)]
    near = nearest(word, likely)
    return None if near is None else bounded(words[near])


def _word(name: object) -> str:
    return bounded(name, _WORD).strip("'").casefold()


def _differ_in_numbers(one: str, other: str) -> bool:
    """Check whether they are names of a kind, as `room 7` and `room 8`, which are both right."""
    parts, others = _NUMBERS.split(one), _NUMBERS.split(other)
    return len(parts) > 1 and parts == others


@public
class CallTimeout(CallError, TimedOut):
    """The server did not answer in time; the request may still be handled, its reply is dropped.

    The text ends with what the server was `doing` at that moment, as far as that is known.
    """

    def __init__(
        self,
        server: object,
        message: object,
        elapsed: float,
        *,
        shown: object = None,
        doing: str = "",
    ) -> None:
        request = _about(message, shown)
        seconds = round(elapsed, 2) or elapsed  # "5 s", not "5.00103 s"
        text = f"{bounded(server)} did not answer within {seconds:g} s{request}"
        super().__init__(f"{text}: {doing}" if doing else text, server, message, elapsed)
        self.reason = TIMEOUT
        self.doing: str = doing


@public
class ServerExited(CallError, WithReason):
    """The server ended before it answered; `reason` says why, a crash is also the `__cause__`."""

    def __init__(
        self,
        server: object,
        reason: object,
        message: object = None,
        elapsed: float = 0.0,
        *,
        shown: object = None,
        why: object = SAME,
    ) -> None:
        why = reason if why is SAME else why
        text = f"{bounded(server)} exited: {reason_text(why)}{_about(message, shown)}"
        super().__init__(text, server, message, elapsed, reason=reason)


@public
class NoConnection(CallError):
    """The connection to the node of the server was lost, or there was none.

    `sent` is False if nothing of the request can have arrived, so that it is safe to send it again;
    True means that nobody knows. `node` is the name of the node.
    """

    def __init__(
        self,
        server: object,
        message: object = None,
        elapsed: float = 0.0,
        *,
        node: str = "",
        sent: bool = False,
        why: str = "",
    ) -> None:
        told = "it is not known whether the request has arrived" if sent else "nothing was sent"
        cause = f": {why}" if why else ""
        text = f"no connection to the node of {bounded(server)}{_about(message)}{cause}; {told}"
        super().__init__(text, server, message, elapsed)
        self.reason = NOCONNECTION
        self.node: str = node
        self.sent: bool = sent


@public
class MailboxFull(CallError, trio.WouldBlock):
    """The mailbox has a bound, `size`, and no room; or the call had to give way to a newer one."""

    def __init__(
        self,
        server: object,
        message: object,
        size: int,
        *,
        shown: object = None,
        hint: str = "",
    ) -> None:
        super().__init__(f"a mailbox is full, {_waiting(size)}", server, message)
        self.size = size
        self._shown = shown
        self._hint = hint

    def __str__(self) -> str:
        # In a flood it is raised often, and rendering it would take longer than a call.
        full = f"the mailbox of {bounded(self.server)} is full, {_waiting(self.size)}"
        return f"{full}{_about(self.message, self._shown)}{self._hint}"


@public
class CallingSelf(CallError):
    """A process called itself, or waits for something of its own: it would wait for ever."""

    def __init__(
        self,
        server: object,
        message: object = None,
        *,
        shown: object = None,
        what: str = "called itself",
        cure: str = "share the logic in an undecorated method",
    ) -> None:
        text = f"{bounded(server)} {what}{_about(message, shown)}; {cure}"
        super().__init__(text, server, message)


@public
class DeadlockError(CallError):
    """A call would have closed a circle of processes waiting for each other; `cycle` lists them."""

    def __init__(
        self, server: object, message: object, cycle: Sequence[object], *, shown: object = None
    ) -> None:
        path = " -> ".join(map(bounded, [*cycle, cycle[0]]))
        super().__init__(f"deadlock: {path}{_about(message, shown)}", server, message)
        self.cycle: tuple[object, ...] = tuple(cycle)


def _waiting(size: int) -> str:
    return "1 message waits" if size == 1 else f"{size} messages wait"


def _about(message: object, shown: object = None, word: str = "request") -> str:
    """Describe what was sent; `shown` stands for it if its server keeps that out of texts."""
    if message is None:
        return ""
    return f" ({word} {bounded(message if shown is None else shown)})"
