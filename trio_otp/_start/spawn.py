"""Plain processes: spawn an async function, receive messages, keep a dictionary.

>>> import trio, trio_otp as otp
>>> async def echo():
...     sender, text = await otp.receive(tuple)
...     otp.send(sender, text.upper())
>>> async def main():
...     async with otp.open_process() as me:
...         otp.send(otp.spawn_link(echo), (me, "hello"))
...         print(await otp.receive(str, timeout=1))
>>> trio.run(main)
HELLO

Follows: Elixir's `Process` and `Kernel.spawn/1`, `receive/1`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import OtpError
from .._process.checkpoints import refusal
from .._process.links import monitor
from .._process.mailbox import SystemMessage
from .._process.names import find_living
from .._process.request import From, check_timeout
from .._process.runtime import need_own_task, need_process, own_process
from .._util.async_functions import check_async, expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.checks import check_label
from .._util.public import public
from .._util.user_code import matches
from .blueprint import Blueprint
from .start import Start, nursery_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.signals import Monitor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@public
class ReceiveTimeout(OtpError, trio.TooSlowError):
    """No message that matches arrived in time."""


@public
def spawn(
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
    label: str | None = None,
) -> Pid[Any]:
    """Run an async function as a process of its own, linked to nobody.

    Args:
        fn: the async function.
        *args: what it is called with.
        nursery: where it lives; needed in plain Trio code. Without it, it lives where its starter
        does.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        Its pid, at once: the function has yet to run.

    Raises:
        NotAProcess: in plain Trio code without `nursery`.
        TypeError: `fn` is no async function, or does not take `args`.

    Follows: `Kernel.spawn/1`.
    """
    return _spawn(fn, args, nursery, label, link=False).pid


@public
def spawn_link(
    fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None
) -> Pid[Any]:
    """As `spawn`, and link it to this process in the same step.

    Args:
        fn: the async function.
        *args: what it is called with.
        label: what its pid is shown as; the function's name if not given.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: as `spawn`.

    Follows: `Kernel.spawn_link/1`.
    """
    need_process("otp.spawn_link")
    return _spawn(fn, args, None, label, link=True).pid


@public
@enable_ki_protection
def spawn_monitor(
    fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None
) -> tuple[Pid[Any], Monitor]:
    """As `spawn`, and monitor it in the same step.

    Args:
        fn: the async function.
        *args: what it is called with.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        The pid and the monitor.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: as `spawn`.

    Follows: `Kernel.spawn_monitor/1`.
    """
    need_process("otp.spawn_monitor")
    pid = _spawn(fn, args, None, label, link=False).pid
    return pid, monitor(pid)


@enable_ki_protection
def _spawn(
    fn: Callable[..., Awaitable[object]],
    args: tuple[Any, ...],
    nursery: Any,
    label: str | None,
    *,
    link: bool,
) -> Process:
    check_async(fn, args, "spawn(fn, *args)")
    check_label(label)
    starter = own_process()

    async def body(_: Process) -> None:
        await expect_awaitable(fn, fn(*args))

    what = label or label_of(fn)
    ordered = nursery_for(nursery, "otp.spawn")
    return Start(Blueprint(what, body), ordered, starter, link=link).create()


@public
def self() -> Pid[Any]:
    """Return the pid of the process this code runs in.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Kernel.self/0`.
    """
    return need_process("otp.self").pid


@overload
async def receive(match: type[T], *, timeout: float | None = None) -> T: ...
@overload
async def receive(
    match: tuple[type[Any], ...] | Callable[[Any], bool] | None = None,
    *,
    timeout: float | None = None,
) -> Any: ...
@public
async def receive(match: Any = None, *, timeout: float | None = None) -> Any:
    """Take the oldest message that matches out of the mailbox, waiting for one if there is none.

    Messages that do not match stay, in their order. In a server it sees plain messages only,
    never calls and casts, which its callbacks get.

    Args:
        match: a type or tuple of types, or a function that tells whether a message is wanted.
        timeout: seconds to wait; 0 looks only at what has arrived, None waits for ever.

    Returns:
        The message.

    Raises:
        ReceiveTimeout: nothing came in time.
        NotAProcess: in plain Trio code, or in a helper task of a process.

    Follows: `receive ... after` of Erlang.
    """
    try:
        process = need_own_task("otp.receive")
        check_timeout("timeout", timeout)
        wanted = _wanted(match, process)
    except Exception:
        await refusal()
        raise
    return await take(process, wanted, timeout)


@enable_ki_protection
async def take(process: Process, wanted: Callable[[Any], bool], timeout: float | None) -> Any:
    """Take the oldest message that is wanted, waiting for one if there is none."""
    await trio.lowlevel.checkpoint_if_cancelled()
    try:
        message = process.mailbox.take_match(wanted)
    except trio.WouldBlock:
        return await _wait_for(process, wanted, timeout)
    except Exception:  # of the user's function
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise
    await trio.lowlevel.cancel_shielded_checkpoint()
    return message


async def _wait_for(process: Process, wanted: Callable[[Any], bool], timeout: float | None) -> Any:
    with trio.move_on_after(math.inf if timeout is None else timeout):
        return await process.mailbox.wait_match(wanted)
    raise ReceiveTimeout(f"no message that matches within {timeout} s")


def _wanted(match: Any, process: Process) -> Callable[[Any], bool]:
    """Turn `match` into a test of messages that leaves alone what is for the process's loop."""
    wanted = wanted_by(match)
    if process.behaviour is not None:
        return lambda message: not _is_for_loop(message, process) and wanted(message)
    if process.instance is not None:  # a SpecialProcess
        return lambda message: not _is_system(message) and wanted(message)
    return wanted


def wanted_by(match: Any) -> Callable[[Any], bool]:
    """Turn `match` into a test of messages."""
    wanted: Callable[[Any], bool] = match
    if match is None:
        wanted = _anything
    elif isinstance(match, type | tuple):
        isinstance(None, match)  # its TypeError, now, if what is in the tuple are no types
        wanted = partial(_is_of, match)
    elif not callable(match):
        raise TypeError(
            f"match={bounded(match)}: expected a type, a tuple of types or a function; "
            f"for one value write lambda message: message == {bounded(match)}"
        )
    else:
        wanted = partial(matches, match)
    return wanted


def _is_system(message: Any) -> bool:
    return isinstance(message, SystemMessage) and not message.from_user


def _is_for_loop(message: Any, process: Process) -> bool:
    """Check whether a server's loop handles a message: a call to it, or what only it knows."""
    call = isinstance(message, From) and message.server is process
    return call or isinstance(message, SystemMessage)


def _anything(_: Any) -> bool:
    return True


def _is_of(types: Any, message: Any) -> bool:
    return isinstance(message, types)


@public
def dictionary() -> dict[object, Any]:
    """Return the dictionary of the running process, empty at first and inherited by nobody.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Process.put/2`, `Process.get/2`.
    """
    return need_process("otp.dictionary").dictionary


@public
def ancestors() -> tuple[object, ...]:
    """List who started this process, its starter first: names where there are, else pids.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `$ancestors` of `proc_lib`.
    """
    return need_process("otp.ancestors").ancestors


@public
def callers() -> tuple[Pid[Any], ...]:
    """List the processes on whose behalf this task runs, the nearest first.

    Only tasks have callers: those that `otp.task` starts, those of a `TaskSupervisor` and of
    `reply_from_task`. A task that a task starts has that and its callers. A server, and what else a
    supervisor starts, has none.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `$callers` of Elixir's Task.
    """
    return need_process("otp.callers").callers


@public
def set_label(label: str) -> None:
    """Set what the pid of this process is shown as.

    Args:
        label: a short description, for people.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: the label is no str.

    Follows: `Process.set_label/1`.
    """
    if not isinstance(label, str):
        raise TypeError(f"label={bounded(label)}: expected a str")
    process = need_process("otp.set_label")
    process.label = process.pid._label = label


@public
def get_label(ref: Ref) -> str | None:
    """Return the label of a living process; None if nobody is behind the reference.

    Args:
        ref: the process.

    Follows: `:proc_lib.get_label/1`.
    """
    process = find_living(ref)
    return None if process is None else process.label


@public
def is_alive(ref: Ref) -> bool:
    """Check whether a living process is behind a reference.

    A process with an exit signal on its way counts as dead, as in OTP.

    Args:
        ref: a pid, a name, a via tuple, or a handle that has a `pid`.

    Follows: `Process.alive?/1`.
    """
    return find_living(ref) is not None
