"""Describe what a process is doing, in a few words, for the errors of callers and for reports.

It always returns some text, of bounded length, and never raises. What a server keeps out of
reports, by a `format_status` that decides about messages, is not in it.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .._exits.log_text import nearness
from .._util.bounded import bounded, shown_text
from .._util.unset import UNSET
from .caller import Caller
from .crash_facts import waiting_place
from .mailbox import NO_QUEUE, SystemMessage
from .status import takes_status
from .wait_edges import awaited

if TYPE_CHECKING:
    from .._exits.log_text import Place
    from .process import Process

SHORT: Final = 80  # characters of a message, a place or a pid in such a text
LOOKED_AT: Final = 1000  # messages of a queue in which a call is looked for


class Named:
    """The base of requests of this library that are called by a name."""

    __slots__ = ()
    shows_arguments: ClassVar[bool] = False  # whether its repr is what its sender wrote

    def called(self) -> str:
        """Return the name, as a call without its arguments: `SyncNotify` is `sync_notify()`."""
        name = type(self).__name__.lstrip("_")
        return f"{re.sub('(?<!^)(?=[A-Z])', '_', name).lower()}()"


def doing_text(process: Process, call: object = None) -> str:
    """Describe what a process does in place of answering, and how many wait; never raise.

    Args:
        process: a server, or any other, whose task does not run this.
        call: the request that it has not answered, if there is one.
    """
    queued = len(process.mailbox)
    waiting = f"; {queued} waiting" if queued else ""
    return f"{state_text(process, call)}{waiting}"


def state_text(process: Process, call: object = None, *, quick: bool = False) -> str:
    """Do as `doing_text`, without how many wait.

    Args:
        process: as there.
        call: as there.
        quick: whether no code of a user may run, as in another thread.
    """
    if process.is_remote:
        return "on another node"
    try:
        doing = _rest(process, call)
        if doing is None:
            doing = f"{work_text(process, call, quick=quick)}{_since(process)}{_place(process)}"
        return f"{doing}{_whom(process)}"
    except Exception:  # of a class of a user; the error that this is a part of matters more
        return "busy"


def work_text(process: Process, call: object = None, *, quick: bool = False) -> str:
    """Name the code of a user that a process runs; as `state_text`."""
    if process.terminate_scope is not None:
        return "in terminate"
    if process.is_exiting:
        return "exiting"
    if process.starting is not None:
        return "in init"
    message = process.current
    if message is UNSET:
        return "running"
    return f"handling {'this call' if message is call else message_text(process, message, quick)}"


def _since(process: Process) -> str:
    has_message = process.current is not UNSET and process.terminate_scope is None
    if not has_message or process.is_exiting:
        return ""
    return f" for {seconds_text(process.runtime.now() - process.since)}"


def _rest(process: Process, call: object) -> str | None:
    """Return why a server that runs no code of a user has not answered; None if it runs some."""
    works = process.current is not UNSET or process.starting is not None or process.is_exiting
    if works or process.terminate_scope is not None or process.behaviour is None:
        return None
    if process.extras.suspended:
        return "suspended by otp.sys"
    queue = process.mailbox.queue
    state = "asleep" if queue is NO_QUEUE else "idle"
    if call is None:
        return state
    if len(queue) > LOOKED_AT or any(each is call for each in islice(queue, LOOKED_AT)):
        return "waiting for its turn, since something else has held the event loop"
    return f"{state}, and has left this call without an answer"


def _place(process: Process) -> str:
    place = waiting_place(process.task)
    return "" if place is None or not nearness(place) else f", at {place_text(place)}"


def _whom(process: Process) -> str:
    target = awaited(process)
    return "" if target is None else f", waiting for {shown_text(repr(target.pid), SHORT)}"


def message_text(process: Process, message: object, quick: bool = False) -> str:
    """Render a message of a process with what reports would show.

    Args:
        process: whose message it is.
        message: as it is in the mailbox, or in hand.
        quick: whether no code of a user may run, as in another thread.
    """
    content = _content(message)
    hidden = takes_status(process.instance)
    if isinstance(content, Named) and (quick or hidden or not content.shows_arguments):
        return f"`{shown_text(content.called(), SHORT)}`"
    if not hidden and (not quick or content.__class__ is str):
        return f"`{bounded(content, SHORT)}`"
    return "a message" if hidden else f"a message, {shown_text(type(content).__name__, SHORT)}"


def _content(message: object) -> object:
    carries = isinstance(message, Caller) or (
        isinstance(message, SystemMessage) and message.from_user
    )
    carrier: Any = message
    return carrier.message if carries else message


def place_text(place: Place) -> str:
    """Render a place as `file:line`, with the name of the file alone."""
    return shown_text(f"{PurePath(place[0]).name}:{place[1]}", SHORT)


def place_line(place: Place) -> str:
    """Render a place as `file:line in function`, as reports do."""
    return f"{place[0]}:{place[1]} in {place[2]}"


def seconds_text(seconds: float) -> str:
    """Render a time for people."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{max(seconds, 0.0):.2g} s"
