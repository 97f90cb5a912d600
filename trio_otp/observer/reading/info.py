"""All that there is to know of one process: what the inspector and `trio-otp info` show.

Most of it is read in the observer's thread, also while the loop is stuck. What needs code of the
user, as the repr of a message or `format_status`, is asked of the loop, which has a moment for it;
without an answer what was shown before stays, and is said to be stale.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import trio

from ..._behaviour.messages import content_of, shown_client, shown_message_of
from ..._behaviour.system_messages import SystemCall
from ..._inspect.introspect import info_of, loop_of, slot_of
from ..._process.names import takes_messages
from ..._process.pid import Pid
from ..._process.request import From
from ..._process.status import NOT_SHOWN, takes_status
from ..._util.bounded import bounded, shown_text
from ..._util.unset import UNSET
from ..session.protocol import Refused
from . import states
from .again import read_again
from .budget import budget_of, ends_of_children
from .references import find
from .stacks import stack_lines
from .states import Question
from .texts import kind_of, who

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..._process.process import Process
    from ..hub import Hub

    Fields = dict[str, Any]

MOST: Final = 100  # links, monitors, keys of a dictionary
MESSAGES: Final = 50
MESSAGE: Final = 200  # characters of one
ENDS: Final = 20  # of children


async def info(hub: Hub, memory: Fields, arguments: Fields, *, once: bool) -> Fields:
    """Answer `info`."""
    process = _find(hub, arguments["ref"])
    # First: once it is asked, it is seen in its answer, and not where it was.
    seen = _read(hub, process)
    return {"info": {**seen, **await _told(hub, memory, process)}}


def _find(hub: Hub, ref: str | int) -> Process:
    """Return the process that is meant; of one that has just ended, say why."""
    try:
        return find(hub.tables, ref)
    except Refused:
        reasons = {str(number): why for _, number, why in list(hub.records.ends)}
        if str(ref) not in reasons:
            raise
        raise Refused("NoProcess", f"process {ref} has ended: {reasons[str(ref)]}") from None


def _read(hub: Hub, process: Process) -> Fields:
    """Return what the thread reads by itself."""
    return read_again(lambda: _facts(hub, process))


def _facts(hub: Hub, process: Process) -> Fields:
    now = hub.tables.now()
    requests = [each for each in list(process.requests or ()) if type(each) is not Question]
    slot, loop = slot_of(process), loop_of(process)
    known = info_of(process, None)
    kind = known.behaviour
    return {
        **who(process),
        "label": shown_text(known.label),
        "behaviour": None if kind is None else f"{kind.__module__}.{kind.__qualname__}",
        "status": known.status,
        "parent": _link(known.parent),
        "supervisor": _link(known.supervisor),
        "child_id": None if known.child_id is None else bounded(known.child_id),
        "restarts": known.restarts,
        "restart": None if slot is None else slot.spec.restart,
        "ancestors": _links(known.ancestors),
        "callers": _links(known.callers),
        "links": _links(known.links),
        "monitors": _links(known.monitors),
        "monitored_by": _links(known.monitored_by),
        "trap_exit": known.trap_exit,
        "message_queue_len": len(hub.states.queue_of(process)),
        "mailbox": None if process.mailbox.bound is None else repr(process.mailbox.bound),
        "unanswered": len(requests),
        "waiting_for_it": _waiting(process, now),
        "handled": known.handled,
        "seconds": round(known.seconds, 3),
        "waits_for": _link(known.waits_for),
        "stack": stack_lines(process),
        "summary": known.summary,
        "budget": None if loop is None or (b := budget_of(loop, now)) is None else b._asdict(),
        "os_pid": known.os_pid,
        "thread": known.thread,
    }


def _waiting(process: Process, now: float) -> list[Fields]:
    """List the calls that it has not answered, with who waits for how long."""
    found: list[Fields] = []
    calls = [each for each in list(process.requests or ()) if not isinstance(each, SystemCall)]
    for request in calls[:MESSAGES]:
        caller = request.caller
        task = request._task
        name = "a request id" if task is None else shown_text(task.name)
        link = {"pid": None, "name": name} if caller is None else _link_of(caller)
        found.append(
            {**link, "request": kind_of(request), "seconds": round(now - request._since, 1)}
        )
    return found


def _link(pid: Pid | None) -> Fields | None:
    return None if pid is None else _link_of(pid)


def _links(pids: Iterable[object]) -> list[Fields]:
    return [_link_of(pid) for pid in islice(pids, MOST)]


def _link_of(what: object) -> Fields:
    """Return a pid, or a name, as what a client can follow; a pid of the dead leads nowhere."""
    if not isinstance(what, Pid):
        return {"pid": None, "name": bounded(what)}
    process = what._process
    if process is None:
        return {"pid": what._number, "name": shown_text(what._shown()), "dead": True}
    return who(process)


# -- what needs code of the user -------------------------------------------------------------------


async def _told(hub: Hub, memory: Fields, process: Process) -> Fields:
    """Return what the loop tells; asked only if something has changed since it did."""
    state = hub.states.of(process)
    mark = _mark(hub, process)
    if memory.get("mark") != mark:
        try:
            memory["texts"] = await hub.in_loop(lambda: _texts(hub, process))
            memory["mark"] = mark
        except Refused:
            memory["texts"] = _quick(hub, process)
            memory["mark"] = None
    # What has just been answered is that of now, though the process is not yet at rest again.
    is_new = state.is_new(process) or await _has_answered(hub, process, state)
    shown = None if state.shown is None else dict(state.shown)
    stale = None if is_new else _why_stale(hub, process)
    return {**memory["texts"], "state": shown, "stale": stale}


def _mark(hub: Hub, process: Process) -> tuple[object, ...]:
    """Return what changes when the texts do."""
    queue = read_again(lambda: hub.states.queue_of(process))
    head = read_again(lambda: next(iter(queue), None))
    current = None if process.current is UNSET else id(process.current)
    handled = process.messages_handled
    return process.pid, handled, len(queue), id(head), current, process.since


async def _has_answered(hub: Hub, process: Process, state: states.State) -> bool:
    """Ask for the state, unless another client has; return whether the answer came in time."""
    news = trio.Event()
    here = trio.lowlevel.current_trio_token()

    def told() -> None:
        with suppress(trio.RunFinishedError):  # the observer has ended meanwhile
            here.run_sync_soon(news.set)

    if not state.is_asked:
        try:
            await hub.in_loop(lambda: states.ask(process, state, news, told))
        except Refused:
            return False
        state.until = trio.current_time() + hub.patience
    answered = state.news
    if answered is None:  # it has no state
        return False
    with trio.move_on_at(state.until):
        await answered.wait()
    return answered.is_set()


def _why_stale(hub: Hub, process: Process) -> str | None:
    """Return why the state is not that of now; None for a process that has no state."""
    if not takes_messages(process):
        return None
    message: Any = process.current
    if message is UNSET or isinstance(message, SystemCall):
        return "stale: it has not answered"
    return f"stale: handler busy {max(hub.tables.now() - process.since, 0.0):.0f} s"


def _texts(hub: Hub, process: Process) -> Fields:
    """Render what is in the process; in its loop, between two steps."""
    now = process.runtime.now()
    hidden = takes_status(process.instance)
    loop = loop_of(process)
    queue = list(islice(hub.states.queue_of(process), MESSAGES))
    started = process.extras.started
    return {
        "message": _shown(process.current, hidden),
        "client": shown_client(process.current),
        "messages": [_message(message, hidden, now) for message in queue],
        "dictionary": [bounded(key) for key in islice(process.dictionary or (), MOST)],
        "started": None if started is None else bounded(started),
        "history": [] if loop is None else _history(loop, now),
    }


def _quick(hub: Hub, process: Process) -> Fields:
    """Return as much of that as needs no code of the user."""
    queue = read_again(lambda: list(islice(hub.states.queue_of(process), MESSAGES)))
    current: Any = process.current
    return {
        "message": None if current is UNSET else kind_of(current),
        "client": None,
        "messages": [{"kind": "", "text": kind_of(each), "seconds": None} for each in queue],
        "dictionary": [],
        "started": None,
        "history": [],
    }


def _history(loop: Any, now: float) -> list[Fields]:
    ends = ends_of_children(loop, now)[-ENDS:]
    return [{"ago": round(ago, 1), "id": child, "reason": why} for ago, child, why in ends]


def _shown(message: Any, hidden: bool) -> str | None:
    return shown_message_of(message, NOT_SHOWN if hidden else content_of(message))


def _message(message: Any, hidden: bool, now: float) -> Fields:
    is_call = isinstance(message, From)
    kind = "call" if is_call else type(message).__name__.lower()
    return {
        "kind": "system" if isinstance(message, SystemCall) else kind,
        "text": _shown(message, hidden),
        "from": shown_client(message),
        "seconds": round(now - message._since, 1) if is_call else None,
    }
