"""The errors that a caller can meet: one class for each decision that it can take.

What `{:error, reason}` and the exits of callers are in OTP is an exception here. An error that has
an exit reason has it as `reason`, and a crash also as `__cause__`.

It is long because every decision that a caller can take is a class with its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio

from .._util.bounded import article, bounded
from .._util.checks import nearest
from .._util.copies import PortableError
from .._util.public import public
from .reasons import NOPROC, NORMAL, TIMEOUT, Shutdown, reason_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


History: TypeAlias = "Sequence[tuple[float, object, object]]"  # times, child ids, reasons
_SAME: Final = object()  # the reason itself is shown
ENDS: Final = 10  # ends of children that the text of an error or a record lists


@public
class OtpError(PortableError, Exception):
    """The base of every error of this library."""


class WithReason(OtpError):
    """The base of errors that have an exit reason; a crash is also the `__cause__`.

    Args:
        text: what the error says.
        reason: the exit reason.
        crash: what is the cause if it is an exception; the reason if left out.
    """

    def __init__(self, text: str, reason: object, crash: object = _SAME) -> None:
        super().__init__(text)
        self.reason = reason
        crash = reason if crash is _SAME else crash
        if isinstance(crash, BaseException):
            self.__cause__ = crash


@public
class TimedOut(OtpError, trio.TooSlowError):
    """The base of the errors of what took too long: `CallTimeout`, `ReceiveTimeout`, ..."""


@public
class NotInRun(OtpError, RuntimeError):
    """A function was used where no Trio run is going on, for instance in a worker thread."""


@public
class NotAProcess(OtpError, RuntimeError):
    """A function that needs a process of its own was used in plain Trio code."""


@public
class BadReturn(OtpError, TypeError):
    """A callback returned something it may not return; it crashes the server, as in OTP."""

    def __init__(self, callback: str, value: object, accepted: str) -> None:
        super().__init__(f"{callback} returned {bounded(value)}; accepted: {accepted}")
        self.callback = callback
        self.value = value


@public
class NoCallback(OtpError):
    """A server got a message and has no callback for it; it crashes the server, as in OTP."""

    def __init__(self, callback: str, server: object, message: object) -> None:
        super().__init__(f"{type(server).__name__} got {bounded(message)} and has no {callback}")
        self.callback = callback
        self.message = message


@public
class StartError(WithReason):
    """A process did not start: `reason` is an exit reason, a crash is also the `__cause__`."""

    def __init__(self, reason: object, what: object = None) -> None:
        crash = reason.detail if isinstance(reason, Shutdown) else reason
        text = f"{what or 'process'} did not start: {reason_text(reason)}"
        super().__init__(text, reason, crash)


@public
class AlreadyStarted(StartError):
    """The name or child id is taken by a living process, `pid`."""

    def __init__(self, pid: Any, what: object = None, *, name: object = None) -> None:
        super().__init__(NORMAL, what)
        text = f"{what or 'process'} is already started as {pid!r}"
        if name is not None:
            text = f"{what or 'process'} did not start: the name {bounded(name)} belongs to {pid!r}"
        self.args = (text,)
        self.pid = pid
        self.reason = self


@public
class AlreadyRegistered(OtpError):
    """The name or unique key belongs to a living process, `pid`."""

    def __init__(self, key: object, pid: Any) -> None:
        super().__init__(f"{bounded(key)} is registered by {pid!r}")
        self.key = key
        self.pid = pid


@public
class FailedToStartChild(WithReason):
    """The detail of a supervisor's `Shutdown` reason when a child did not start."""

    def __init__(self, child_id: object, reason: object) -> None:
        text = f"child {bounded(child_id)} failed to start: {reason_text(reason)}"
        super().__init__(text, reason)
        self.child_id = child_id


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
    """Nobody is behind the reference: the process is dead or the name is free."""

    def __init__(
        self,
        server: object,
        message: object = None,
        *,
        known: Iterable[object] = (),
        text: str | None = None,
    ) -> None:
        what = text or f"no process behind {bounded(server)}"
        super().__init__(what + _about(message), server, message)
        self.reason = NOPROC
        self._known = tuple(known)  # names, of which the nearest is told if this is ever shown

    def __str__(self) -> str:
        text = super().__str__()
        if not self._known:
            return text
        names = {bounded(name).strip("'").casefold(): bounded(name) for name in self._known}
        near = nearest(bounded(self.server).strip("'").casefold(), names)
        return text if near is None else f"{text}; did you mean {names[near]}?"


@public
class CallTimeout(CallError, TimedOut):
    """The server did not answer in time; the request may still be handled, its reply is dropped."""

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
        text = f"{bounded(server)} did not answer within {elapsed:g} s{request}{doing}"
        super().__init__(text, server, message, elapsed)
        self.reason = TIMEOUT


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
        why: object = _SAME,
    ) -> None:
        why = reason if why is _SAME else why
        text = f"{bounded(server)} exited: {reason_text(why)}{_about(message, shown)}"
        super().__init__(text, server, message, elapsed, reason=reason)


@public
class CallingSelf(CallError):
    """A process called itself and would have waited for ever."""

    def __init__(self, server: object, message: object = None, *, shown: object = None) -> None:
        who = f"{bounded(server)} called itself{_about(message, shown)}"
        text = f"{who}; share the logic in an undecorated method"
        super().__init__(text, server, message)


@public
class DeadlockError(CallError):
    """A call would have closed a circle of processes waiting for each other; `cycle` lists them."""

    def __init__(
        self, server: object, message: object, cycle: Sequence[object], *, shown: object = None
    ) -> None:
        path = " -> ".join(map(bounded, [*cycle, cycle[0]]))
        super().__init__(f"deadlock: {path}{_about(message, shown)}", server, message)
        self.cycle = tuple(cycle)


@public
class WrongServer(OtpError, TypeError):
    """A client method was sent to a server whose class does not have it."""

    def __init__(self, method: str, server: object, actual: str) -> None:
        super().__init__(
            f"{method} was called on {bounded(server)}, which is {article(actual)} {actual}"
        )


@public
class CallbackFailed(WithReason):
    """A function that `otp.sys` ran in a process raised, for `reason`; the process goes on."""

    def __init__(self, callback: str, reason: object) -> None:
        super().__init__(f"{callback}: {reason_text(reason)}", reason)
        self.callback = callback


@public
class ProcessNotSuspended(OtpError):
    """The code of a process can be changed only while it is suspended; `otp.sys.suspend` it."""

    def __init__(self, pid: object) -> None:
        super().__init__(f"{pid!r} is not suspended; write await otp.sys.suspend(...) first")
        self.pid = pid


@public
class MaxChildren(OtpError):
    """A dynamic supervisor has as many children as it may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"max_children={limit} reached")
        self.limit = limit


@public
class ChildError(OtpError):
    """A management call of a supervisor does not fit the state of the child."""

    def __init__(self, child_id: object, text: str) -> None:
        super().__init__(f"child {bounded(child_id)} {text}")
        self.child_id = child_id


@public
class ChildNotFound(ChildError):
    """The supervisor has no such child."""

    def __init__(self, child_id: object) -> None:
        super().__init__(child_id, "not found")


@public
class ChildRunning(ChildError):
    """The child runs; `terminate_child` it first."""

    def __init__(self, child_id: object) -> None:
        super().__init__(child_id, "is running; terminate_child it first")


@public
class ChildRestarting(ChildError):
    """The child is being restarted."""

    def __init__(self, child_id: object) -> None:
        super().__init__(child_id, "is being restarted")


@public
class ChildAlreadyPresent(ChildError):
    """A child that does not run has this id; `restart_child` or `delete_child` it."""

    def __init__(self, child_id: object) -> None:
        super().__init__(child_id, "is present but not running; restart_child or delete_child it")


@public
class SpecError(OtpError, ValueError):
    """A specification is wrong; the text names the field, the value and what is accepted."""


@public
class ProcessExited(WithReason):
    """An exit signal ended the block of `otp.open_process`."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"exit signal: {reason_text(reason)}", reason)


class WithHistory(WithReason):
    """The base of errors of what ended with its children; `crash`, the last one, is the cause."""

    def __init__(self, who: str, reason: object, history: History, crash: object) -> None:
        text = f"{who} exited: {reason_text(reason)}{ends_text(history)}"
        super().__init__(text, reason, last_crash(reason, history, crash))
        self.history = tuple(history)


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


def _about(message: object, shown: object = None) -> str:
    """Say what was asked for; `shown` stands for it if its server keeps that out of texts."""
    if message is None:
        return ""
    return f" (request {bounded(message if shown is None else shown)})"
