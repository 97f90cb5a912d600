"""The errors that a caller can meet: one class for each decision that it can take.

Those of calls are in `call_errors`, that of a supervisor that has given up in `history_errors`.

What `{:error, reason}` and the exits of callers are in OTP is an exception here. An error that has
an exit reason has it as `reason`, and a crash also as `__cause__`.
"""

from __future__ import annotations

from typing import Any, Final

from .._util.bounded import article, bounded
from .._util.copies import PortableError
from .._util.public import public
from .reasons import NORMAL, Shutdown, reason_text

SAME: Final = object()  # the reason itself is shown


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

    def __init__(self, text: str, reason: object, crash: object = SAME) -> None:
        super().__init__(text)
        self.reason = reason
        crash = reason if crash is SAME else crash
        if isinstance(crash, BaseException):
            self.__cause__: BaseException | None = crash


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
        super().__init__(f"{callback} returned {bounded(value)}; expected {accepted}")
        self.callback = callback
        self.value = value


@public
class NoCallback(OtpError):
    """A server got a message and has no callback for it; it crashes the server, as in OTP."""

    def __init__(self, callback: str, server: object, message: object) -> None:
        text = f"{type(server).__name__} got {bounded(message)} and has no {callback}"
        super().__init__(text + _methods_instead(type(server), callback))
        self.callback = callback
        self.message = message


_DECORATORS: Final = {"handle_call": ("on_call", "on_call_deferred"), "handle_cast": ("on_cast",)}


def _methods_instead(cls: type[Any], callback: str) -> str:
    """Return which decorated methods a class has: they are no plain requests."""
    wanted = _DECORATORS.get(callback, ())
    names = [
        name for name in dir(cls) if getattr(getattr(cls, name, None), "decorator", None) in wanted
    ]
    line = f"{cls.__name__}.at(ref).{names[0]}(...)" if names else ""
    return f"; its methods are {', '.join(names)}: write {line}" if names else ""


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
        self.args: tuple[Any, ...] = (text,)
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
        super().__init__(f"{pid!r} is not suspended; await otp.sys.suspend(ref) first")
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
    """The child is being restarted; `restart_in` are the seconds that a back-off still waits."""

    def __init__(self, child_id: object, restart_in: float | None = None) -> None:
        self.restart_in: float | None = restart_in
        what = "is being restarted"
        if restart_in is not None:
            now = "terminate_child it first, then restart_child starts it at once"
            what = f"is restarted in {restart_in:.3g} s; {now}"
        super().__init__(child_id, what)


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
