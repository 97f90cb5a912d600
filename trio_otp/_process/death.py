"""What the end of a process lets go of, and whom it tells. No checkpoint in here.

`Process.die` calls these in this order: names and registry entries go first, then the callers that
wait are answered, then exits go to links, then `Down` to monitors, and last the mailbox is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._util.bounded import bounded
from ..events import NoticeReport
from .mailbox import SystemMessage
from .request import From
from .signals import Down, Exit
from .tables import without_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process


_ANSWERED: Final = (From, Exit, Down)  # and signals, which tell the dead nothing


def let_go(process: Process) -> None:
    """Free the names, take back the timers, watch nobody any more."""
    runtime = process.runtime
    process.pid._process = None
    del runtime.processes[process.pid._number]
    if process.messages_handled:
        handled, kind = runtime.handled, process.behaviour
        handled[kind] = handled.get(kind, 0) + process.messages_handled
    if process.name is not None:
        del runtime.names[process.name]
        if (hook := runtime.events.name_freed) is not None:
            hook(process.name, process.pid)
    for clean_up in tuple(process.cleanups or ()):
        _clean_up(process, clean_up)
    for timer in tuple(process.timers or ()):
        runtime.timers.cancel(timer)
    for monitor in tuple(process.monitors or ()):
        monitor._detach()
    process.nursery.remove(process)


def _clean_up(process: Process, clean_up: Callable[[Process], object]) -> None:
    """Free a name in a foreign registry; its error must not keep others from being told."""
    try:
        clean_up(process)
    except Exception as exc:
        text = f"{process.pid!r} could not free a name at its end: {bounded(exc)}"
        process.runtime.events.emit("notice", NoticeReport(process.pid, text))


def tell(process: Process, reason: object) -> None:
    """Answer who waits for the process, then tell links, then monitors."""
    for request in list(process.requests or ()):
        request._server_died(reason)
    if process.starting is not None:  # its starter is told by an error, not by an exit signal
        process.starting.failed(process, reason)
    links, process.links = process.links, None
    for peer in links or ():
        peer.links = without_key(peer.links, process)
        peer.signal(process.pid, reason, linked=True)
    for monitor in list(process.monitored_by or ()):
        process.remove_monitor(monitor)
        if not monitor.watcher.dead:  # pragma: no branch - the monitors of the dead are gone
            monitor.watcher.mailbox.put(Down(monitor, monitor.what, reason))
    for watcher in list(process.watchers or ()):
        watcher(process)


def drop_what_is_left(process: Process) -> None:
    """Close the mailbox, and count what its user sent in vain; calls have been answered.

    What was told of the end is let go of: it may hold the process, which then would outlive all
    that refer to it.
    """
    process.watchers = process.cleanups = process.timers = None
    for message in process.mailbox.drain():
        ours = isinstance(message, SystemMessage) and not message.from_user
        if not ours and not isinstance(message, _ANSWERED):
            process.runtime.drop(process.pid, message, "left when the process ended")
    process.mailbox.close()
