"""The functions of `trio_otp.pg`, which see."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._process.names import (
    check_reference,
    find_living,
    no_process,
    refuse_method,
    send_to_all,
)
from .._process.pid import Pid
from .._process.runtime import need_process
from .._registry.table import strict_key
from .._util.bounded import bounded
from .._util.public import public_in
from .scope import ALL, GroupMonitor, Joined, Left, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._process.names import Ref
    from .._process.process import Process

Pids: TypeAlias = "Pid | Iterable[Pid]"


@public_in("pg")
def join(ref: Ref, group: object, pids: Pids) -> None:
    """Add processes to a group; one that has joined twice is in it twice.

    Args:
        ref: the scope.
        group: any hashable value; the group need not exist.
        pids: a pid, or several. Those that are dead are passed over, as if they had died later.

    Raises:
        NoProcess: the scope does not run.
        TypeError: what is given are no pids, or the group does not hash.

    Follows: `pg:join/3`.
    """
    server = _server(ref)
    server.join(_checked(group), _processes(pids))


@public_in("pg")
def leave(ref: Ref, group: object, pids: Pids) -> bool:
    """Remove processes from a group, once for each time they are given.

    Args:
        ref: the scope.
        group: the group.
        pids: a pid, or several. Those that are not in the group are passed over.

    Returns:
        Whether any of them was in the group.

    Raises:
        NoProcess: the scope does not run.
        TypeError: what is given are no pids, or the group does not hash.

    Follows: `pg:leave/3`, which tells by `not_joined` that none was in it.
    """
    server = _server(ref)
    return server.leave(_checked(group), _processes(pids))


@public_in("pg")
def get_members(ref: Ref, group: object) -> list[Pid]:
    """List the members of a group, each as often as it has joined.

    Args:
        ref: the scope.
        group: the group; one that nobody is in has no members.

    Raises:
        NoProcess: the scope does not run.

    Follows: `pg:get_members/2`.
    """
    return _server(ref).living(group)


@public_in("pg")
def send(ref: Ref, group: Any, message: Any) -> int:
    """Send a plain message to all members of a group, to each as often as it has joined.

    Args:
        ref: the scope.
        group: the group; one that nobody is in has no members.
        message: what they get by `receive` or in `handle_info`.

    Returns:
        How many have taken the message. A member whose mailbox has a bound and is full takes it
        only if an older one gives way; else it is dropped, and counted.

    Raises:
        NoProcess: the scope does not run.
        TypeError: the message is a decorated method.

    >>> import trio, trio_otp as otp
    >>> async def main() -> None:
    ...     async with otp.open_process() as me:
    ...         await otp.start_link(otp.child(otp.pg.Scope).having(name="pools"))
    ...         otp.pg.join("pools", "news", me)
    ...         print(otp.pg.send("pools", "news", "hello"), await otp.receive(str))
    >>> trio.run(main)
    1 hello

    Follows: `pg:get_members/2` and a send to each.
    """
    refuse_method(message, group)
    return send_to_all(map(find_living, get_members(ref, group)), message)


@public_in("pg")
def which_groups(ref: Ref) -> list[Any]:
    """List the groups that have a member, the oldest first.

    Args:
        ref: the scope.

    Raises:
        NoProcess: the scope does not run.

    Follows: `pg:which_groups/1`.
    """
    server = _server(ref)
    return [group for group in server.table.groups() if server.living(group)]


@public_in("pg")
def monitor(ref: Ref, group: object) -> tuple[GroupMonitor, list[Pid]]:
    """Follow a group: the running process gets `Joined` and `Left` messages from now on.

    When the scope ends there are no more of them; `otp.monitor(scope)` tells of that.

    Args:
        ref: the scope.
        group: the group; it need not exist.

    Returns:
        The handle that the messages carry, for `demonitor`, and the members at this moment.

    Raises:
        NoProcess: the scope does not run.
        NotAProcess: in plain Trio code.

    Follows: `pg:monitor/2`.
    """
    watcher, server = need_process("otp.pg.monitor"), _server(ref)
    return server.watch(watcher, _checked(group)), server.living(group)


@public_in("pg")
def monitor_scope(ref: Ref) -> tuple[GroupMonitor, dict[Any, list[Pid]]]:
    """Follow all groups of a scope, as `monitor` does one.

    Args:
        ref: the scope.

    Returns:
        The handle, and the members of every group at this moment.

    Raises:
        NoProcess: the scope does not run.
        NotAProcess: in plain Trio code.

    Follows: `pg:monitor_scope/1`.
    """
    watcher, server = need_process("otp.pg.monitor_scope"), _server(ref)
    members = {group: server.living(group) for group in which_groups(ref)}
    return server.watch(watcher, ALL), members


@public_in("pg")
def demonitor(handle: GroupMonitor) -> bool:
    """Follow a group no more; messages of it that were not read yet are taken out of the mailbox.

    Args:
        handle: what `monitor` or `monitor_scope` gave.

    Returns:
        Whether the monitor was still there.

    Raises:
        TypeError: it is something else, as the list that `monitor` gives beside it.

    Follows: `pg:demonitor/2`.
    """
    if not isinstance(handle, GroupMonitor):
        raise TypeError(
            f"handle={bounded(handle)}: expected the handle that otp.pg.monitor returns first"
        )
    if not handle.scope.unwatch(handle):
        return False
    with suppress(trio.WouldBlock):
        while True:
            handle.watcher.mailbox.take_match(
                lambda message: isinstance(message, Joined | Left) and message.ref is handle
            )
    return True


def _server(ref: Ref) -> Scope:
    check_reference(ref)
    process = find_living(ref)
    if process is None or (process.instance is None and process.starting is not None):
        error = no_process(ref)
        error.add_note("Start it with otp.child(otp.pg.Scope).having(name=...).")
        raise error
    if not isinstance(process.instance, Scope):
        raise TypeError(f"ref={bounded(ref)}: expected the name of an otp.pg.Scope")
    return process.instance


def _processes(pids: object) -> list[Process]:
    """Return the living processes; check all before anything is done."""
    return [process for process in map(find_living, _listed(pids)) if process is not None]


def _listed(pids: Any) -> list[Any]:
    if pids.__class__ is Pid:
        return [pids]
    try:
        listed = list(pids)
    except TypeError:
        listed = [pids]
    if not all(pid.__class__ is Pid for pid in listed):
        raise TypeError(f"pids={bounded(pids)}: expected a Pid or an iterable of Pids")
    return listed


def _checked(group: object) -> Any:
    strict_key(group)
    return group
