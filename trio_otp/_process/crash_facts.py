"""What a report tells of other tasks: where they wait, and who ends with a process that crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._exits.log_text import nearness
from .._util.public import is_ours
from ..events.data import Neighbour
from .runtime import current_process, running_task
from .stack import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trio

    from .._exits.log_text import Place
    from .process import Process

MOST: Final = 20  # neighbours that a report names


def place_of(task: trio.lowlevel.Task | None) -> str | None:
    """Return where a task waits: the innermost line of a user's code, else of any.

    None for a task that does not wait, as the one that asks.
    """
    place = waiting_place(task)
    return None if place is None else f"{place[0]}:{place[1]} in {place[2]}"


def waiting_place(task: trio.lowlevel.Task | None) -> Place | None:
    """Return that place as file, line and function."""
    if task is None or getattr(task.coro, "cr_frame", None) is None:
        return None
    process = task.context.get(current_process)
    tables = None if process is None else process.runtime
    if task is running_task(tables):
        return None
    frames = list(task.iter_await_frames()) if tables is None else frames_of(task, tables)
    codes = [(frame.f_code, line) for frame, line in frames]
    places = [(code.co_filename, line, code.co_name) for code, line in reversed(codes)]
    return max(places, key=nearness, default=None)


def initial_call(process: Process) -> str:
    """Name the class or function that a process was started with."""
    cls: type[object] | None = process.behaviour
    return process.first_label if cls is None else f"{cls.__module__}.{cls.__qualname__}"


def behaviour_name(process: Process) -> str:
    """Name the kind of process: the class of this library that its own class is made of."""
    cls: type[object] | None = process.behaviour
    ours = () if cls is None else cls.__mro__
    return next((c.__name__ for c in ours if is_ours(c)), "Process")


def neighbours_of(process: Process) -> tuple[Neighbour, ...]:
    """List the processes that links end with this one: those that do not trap exits.

    They are found over any number of links, the nearest first, and at most `MOST` of them.
    """
    found: list[Neighbour] = []
    for peer in _ending_with(process):
        found.append(_neighbour(peer))
        if len(found) == MOST:
            break
    return tuple(found)


def _ending_with(process: Process) -> Iterator[Process]:
    seen = {process}
    queue = [process]
    for each in queue:  # grows while it is walked
        for peer in each.links or ():
            if peer not in seen and peer.alive and not peer.trap_exit:
                seen.add(peer)
                queue.append(peer)
                yield peer


def _neighbour(peer: Process) -> Neighbour:
    return Neighbour(
        pid=peer.pid,
        name=peer.name,
        initial_call=initial_call(peer),
        message_queue_len=len(peer.mailbox),
        links=tuple(each.pid for each in peer.links or ()),
        place=place_of(peer.task),
    )
