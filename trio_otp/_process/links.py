"""Links, monitors and exit signals: how processes learn of each other's end.

Follows: Erlang reference manual, "Processes"; Elixir's `Process.link/1`, `monitor/1`, `exit/2`,
`flag/2`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import as_reason
from .._exits.call_errors import NoProcess
from .._exits.reasons import KILL, KILLED, NOPROC, ProcessExit
from .._util.bounded import bounded
from .._util.checks import check_flag
from .._util.copies import create
from .._util.public import public
from .names import Ref, find_even_exiting, find_living, has_pid, is_atom
from .pid import Pid
from .runtime import calling_process, need_process, own_process, runtime
from .signals import Down, Exit, Monitor

if TYPE_CHECKING:
    from .process import Process


@public
@enable_ki_protection
def link(pid: Pid) -> None:
    """Link the running process to another: when one ends, the other gets an exit signal.

    Args:
        pid: the other process. Linking twice is one link; linking to oneself does nothing.

    Raises:
        NoProcess: the other is dead and this process does not trap exits; one that does gets
            `Exit(pid, NOPROC)`.
        NotAProcess: in plain Trio code.

    Follows: `Process.link/1`.
    """
    process = need_process("otp.link")
    other = find_living(pid)
    if other is process:
        return
    if other is not None:
        other.add_link(process)
    elif process.trap_exit:
        process.mailbox.put(Exit(pid, NOPROC))
    else:
        raise NoProcess(pid)


@public
@enable_ki_protection
def unlink(pid: Pid) -> None:
    """Remove a link, from either side. An `Exit` that has arrived already stays in the mailbox.

    Args:
        pid: the other process; dead or never linked does nothing.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: `pid` is not a pid.

    Follows: `Process.unlink/1`.
    """
    process = need_process("otp.unlink")
    other = _pid_of(pid)._process
    if other is not None:
        other.remove_link(process)


def _pid_of(what: object) -> Pid:
    """Return a pid, also of a handle that has one; a name may belong to another process by now."""
    pid: Any = what.pid if has_pid(what) else what
    if pid.__class__ is Pid or getattr(pid, "_is_remote", False):
        found: Pid = pid
        return found
    hint = f"; write otp.unlink(otp.whereis({bounded(what)}))" if is_atom(what) else ""
    raise TypeError(f"pid={bounded(what)}: expected a Pid{hint}")


@public
@enable_ki_protection
def monitor(ref: Ref) -> Monitor:
    """Watch a process: when it ends, a `Down(ref, pid, reason)` arrives as a message.

    Args:
        ref: whom to watch. For somebody dead or unknown the `Down` comes at once, with `NOPROC`.

    Returns:
        The handle that `Down.ref` carries, for `demonitor`. Each monitor brings one `Down`.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Process.monitor/1`.
    """
    process = need_process("otp.monitor")
    target = find_living(ref)
    handle = create(Monitor, process, ref)
    if target is None:
        process.mailbox.put(Down(handle, ref, NOPROC))
    else:
        target.add_monitor(handle)
    return handle


@public
@enable_ki_protection
def demonitor(handle: Monitor, *, flush: bool = False) -> bool:
    """Stop watching.

    Args:
        handle: what `monitor` returned.
        flush: also take a `Down` of it out of the mailbox.

    Returns:
        Whether the monitor was still there.

    Raises:
        TypeError: `handle` is something else.

    Follows: `Process.demonitor/2`.
    """
    if not isinstance(handle, Monitor):
        accepted = "what otp.monitor returned"
        raise TypeError(f"handle={bounded(handle)}: expected {accepted}")
    if handle.watcher.runtime is not runtime():
        return False
    found = handle._detach()
    if flush and not found and not handle.watcher.dead:
        with suppress(trio.WouldBlock):
            handle.watcher.mailbox.take_match(lambda m: isinstance(m, Down) and m.ref is handle)
    return found


@public
def trap_exit(flag: bool = True) -> bool:
    """Receive exit signals as `Exit(pid, reason)` messages, or as signals again.

    Args:
        flag: True for messages, False for signals.

    Returns:
        The old flag. It is not inherited by processes started from here.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: the flag is not a bool.

    Follows: `Process.flag(:trap_exit, boolean)`.
    """
    check_flag("flag", flag)
    process = need_process("otp.trap_exit")
    old, process.trap_exit = process.trap_exit, flag
    return old


@overload
def exit(reason: object, /) -> NoReturn: ...
@overload
def exit(ref: Ref, reason: object, /) -> None: ...
@public
def exit(first: Any, /, *rest: object) -> None:
    """End the running process, or send an exit signal to another.

    `otp.exit(reason)` ends the process this code runs in. `otp.exit(ref, reason)` signals: NORMAL
    is ignored by processes that do not trap exits, KILL cannot be trapped and the victim's reason
    is KILLED. A signal to nobody does nothing.

    Args:
        first: the reason, if it is the only argument; else who gets the signal.
        *rest: the reason of the signal.

    Raises:
        NotAProcess: `otp.exit(reason)` in plain Trio code.
        TypeError: there are more than two arguments.

    Follows: `Kernel.exit/1`, `Process.exit/2`.
    """
    if not rest:
        need_process("otp.exit(reason)")
        raise ProcessExit(first)
    reason, *more = rest
    if more:
        text = "expected otp.exit(reason) or otp.exit(ref, reason)"
        raise TypeError(f"exit() got {1 + len(rest)} arguments; {text}")
    reason = as_reason(reason)
    target = find_living(first)
    if target is None and reason is KILL:
        target = find_even_exiting(first)
    sender = own_process()
    if target is None:
        return
    if (
        target is sender
        and target is calling_process()
        and not (target.trap_exit and reason is not KILL)
    ):
        _exit_myself(target, reason)
    target.signal(None if sender is None else sender.pid, reason)


def _exit_myself(process: Process, reason: object) -> NoReturn:
    """A signal to oneself has arrived before the next line; NORMAL counts too (PR-5)."""
    reason = KILLED if reason is KILL else reason
    process.exit_with(reason)
    raise ProcessExit(reason)
