"""The requests of `otp.sys`, each with what it does in the process that is asked.

Follows: Erlang's `sys`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trio.lowlevel import enable_ki_protection

from .._exits.bare import reason_of
from .._exits.errors import CallbackFailed, ProcessNotSuspended, WrongServer
from .._exits.reasons import passes_through
from .._process.debug import debug_of
from .._process.names import class_name, need_living, takes_messages
from .._process.request import new_request
from .._util.bounded import Printable, bounded
from .._util.checks import check_timeout
from .._util.public import public_in
from .._util.shown import Shown
from .._util.user_code import call_back
from .messages import as_log
from .system_messages import Request, SystemCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.debug import Debug, DebugEvent
    from .._process.names import Ref
    from .._process.pid import Pid
    from .._util.blocks import Block
    from .system_messages import Host


@public_in("sys")
@dataclass(frozen=True, slots=True, repr=False)
class Status(Shown, Printable):
    """What `otp.sys.get_status` gives.

    Args:
        pid: the process.
        name: its local name, None if it has none.
        behaviour: its class, or function.
        module: OTP's name for the kind of it: `gen_server`, `gen_statem`, `supervisor`, ...
        sys: `running` or `suspended`.
        parent: who started it with a link.
        dictionary: a copy of its dictionary.
        debug: what is switched on: `trace`, `log`, ...
        log: the events kept by `otp.sys.log`.
        message_queue_len: messages that wait.
        state: what its `format_status` shows.
        misc: what its kind has to add: `state` and `postponed` of a state machine, ...
    """

    pid: Pid
    name: Any
    behaviour: Any
    module: str
    sys: Literal["running", "suspended"]
    parent: Pid | None
    dictionary: dict[object, Any]
    debug: tuple[str, ...]
    log: tuple[DebugEvent, ...]
    message_queue_len: int
    state: Any
    misc: dict[str, Any]

    def _shown(self) -> Block:
        from .._util.blocks import Block  # noqa: PLC0415 - shells of IPython need it

        some = {"behaviour": self.behaviour, "parent": self.parent, "state": self.state}
        more = {"dictionary": self.dictionary, "debug": self.debug} | self.misc
        some |= {name: value for name, value in more.items() if value}
        rows = [(name, [bounded(value)]) for name, value in some.items() if value is not None]
        queue = ("queue", [f"{self.message_queue_len} waiting"])
        return Block(
            f"{self.pid!r} {self.module}, {self.sys}",
            [*rows, queue, ("log", list(map(str, self.log)))],
        )


@dataclass(frozen=True, slots=True)
class GetState(Request):
    """For its state."""

    async def carry_out(self, host: Host) -> object:
        """Return it."""
        with _Failing("get_state"):
            return host.instance._sys_state()


@dataclass(frozen=True, slots=True)
class ReplaceState(Request):
    """For another state."""

    function: Callable[[Any], object]

    async def carry_out(self, host: Host) -> object:
        """Put what the function makes of the state in its place, and give that."""
        with _Failing("replace_state"):
            state = await call_back(self.function, host.instance._sys_state())
            host.instance = host.instance._sys_replace(state)
            host.process.become(host.instance)
        return state


@dataclass(frozen=True, slots=True)
class ChangeCode(Request):
    """For another version of its class, or of its state."""

    behaviour: type[object] | None
    old_version: Any
    extra: Any

    async def carry_out(self, host: Host) -> None:
        """Change the class, then let the instance follow; all of it or nothing."""
        process = host.process
        if not process.extras.suspended:
            raise ProcessNotSuspended(process.pid)
        with _Failing("code_change"):
            await host.instance._sys_code_change(self.behaviour, self.old_version, self.extra)
            if process.behaviour is not None:  # a hand-written loop has none
                process.become(host.instance, host.instance.__class__)


@dataclass(frozen=True, slots=True)
class GetStatus(Request):
    """For what there is to know."""

    async def carry_out(self, host: Host) -> Status:
        """Return it."""
        process = host.process
        debug = debug_of(process)
        state, misc, log = host.instance._sys_status(debug.events)
        return Status(
            pid=process.pid,
            name=process.name,
            behaviour=process.behaviour,
            module=host.instance.system_module,
            sys="suspended" if process.extras.suspended else "running",
            parent=None if process.parent is None else process.parent.pid,
            dictionary=dict(process.dictionary or {}),
            debug=debug.options,
            log=as_log(log),
            message_queue_len=len(process.mailbox),
            state=state,
            misc=misc,
        )


@dataclass(frozen=True, slots=True)
class Suspend(Request):
    """To do nothing but system requests."""

    async def carry_out(self, host: Host) -> None:
        """Record it; `handle_system` does the rest."""
        host.process.own_extras().suspended = True


@dataclass(frozen=True, slots=True)
class Resume(Request):
    """To go on."""

    outlives_caller: ClassVar[bool] = True

    async def carry_out(self, host: Host) -> None:
        """Record it."""
        host.process.own_extras().suspended = False


@dataclass(frozen=True, slots=True)
class End(Request):
    """To end; the answer comes before that."""

    outlives_caller: ClassVar[bool] = True

    reason: object

    async def carry_out(self, host: Host) -> None:
        """Nothing yet."""

    def then(self, host: Host) -> None:
        """Do it."""
        host.end(self.reason)


@dataclass(frozen=True, slots=True)
class Switch(Request):
    """To change or to tell what watches it."""

    what: Callable[[Debug], object]

    async def carry_out(self, host: Host) -> object:
        """Do it."""
        debug = debug_of(host.process)
        result = self.what(debug)
        debug.settle()
        return result


class _Failing:
    """Turns what the user's function raises into the caller's `CallbackFailed`."""

    def __init__(self, callback: str) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, exc: BaseException | None, __: object) -> None:
        if exc is not None and not passes_through(exc):  # a group of exits as well
            raise CallbackFailed(self._callback, reason_of(exc))


@enable_ki_protection
async def ask(ref: Ref, request: Request, timeout: float | None) -> Any:
    """Send a request to a process that answers such, and wait for the answer."""
    check_timeout("timeout", timeout)
    process = need_living(ref, request)
    if not takes_messages(process):
        raise WrongServer("a function of otp.sys", ref, class_name(process))
    return await new_request(process, ref, request, timeout, SystemCall)._wait()
