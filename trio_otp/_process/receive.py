"""Selective receive: take out of the mailbox what matches, and leave the rest in its order.

Follows: `receive ... after` of Erlang.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import TimedOut
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.public import public
from .._util.user_code import matches
from .checkpoints import refusal
from .mailbox import SystemMessage
from .request import From
from .runtime import need_own_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process

T = TypeVar("T")
_NOTHING: Final = object()


@public
class ReceiveTimeout(TimedOut):
    """No message that matches arrived in time."""


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
        message = _NOTHING  # and wait below: here the time-out would be shown with a WouldBlock
    except Exception:  # of the user's function
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise
    if message is _NOTHING:
        message = await _wait_for(process, wanted, timeout)
    else:
        await trio.lowlevel.cancel_shielded_checkpoint()
    if process.extras.watch_idle is not None:
        process.extras.watch_idle()
    return message


async def _wait_for(process: Process, wanted: Callable[[Any], bool], timeout: float | None) -> Any:
    with trio.move_on_after(math.inf if timeout is None else timeout):
        return await process.mailbox.wait_match(wanted)
    raise ReceiveTimeout(f"no matching message within {timeout} s")


def _wanted(match: object, process: Process) -> Callable[[Any], bool]:
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


def _is_system(message: object) -> bool:
    return isinstance(message, SystemMessage) and not message.from_user


def _is_for_loop(message: object, process: Process) -> bool:
    """Check whether a server's loop handles a message: a call to it, or what only it knows."""
    call = isinstance(message, From) and message._server is process
    return call or isinstance(message, SystemMessage)


def _anything(_: object) -> bool:
    return True


def _is_of(types: Any, message: Any) -> bool:
    return isinstance(message, types)
