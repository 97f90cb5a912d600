"""The states of processes, as they show them: asked between two messages, as by `otp.sys`.

A process that handles a message cannot answer. So one question to it is open at a time, however
many clients look at it and however often, and until it is answered the last answer is shown, as
stale. A process that has handled nothing since it answered is not asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ..._behaviour.system_messages import SystemCall
from ..._behaviour.system_requests import GetStatus
from ..._inspect.introspect import loop_of
from ..._process.names import takes_messages
from ..._process.request import new_request
from ..._util.bounded import bounded, shown_text
from ..._util.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import outcome
    import trio

    from ..._process.process import Process

TEXT: Final = 4000  # characters of a state
ITEMS: Final = 60  # attributes of a state
ITEM: Final = 1000  # characters of one
KEPT: Final = 200  # states that are remembered


class Question(SystemCall):  # type: ignore[misc]  # `From` is final for users alone
    """The question of the observer on its way, which is not among what it shows."""

    __slots__ = ()


class State:
    """What is known of the state of one process."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] | None = None  # the last answer
        self.handled = -1  # messages it had handled by then
        self.is_asked = False  # whether a question is open
        self.news: trio.Event | None = None  # set when that is answered; in the observer's thread
        self.until: float = 0.0  # when the client stops waiting for it

    def is_new(self, process: Process) -> bool:
        """Check whether the last answer is what the process would say now."""
        at_rest = process.current is UNSET and self.handled == process.messages_handled
        return at_rest and self.shown is not None


class States:
    """What is known of the states of all processes that somebody looks at."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}

    def queue_of(self, process: Process) -> Collection[object]:
        """Return the messages that wait for a process, without what the observer asks it."""
        queue = process.mailbox.queue
        state = self._states.get(process.pid._number)
        if state is None or not state.is_asked:
            return queue
        return [each for each in list(queue) if type(each) is not Question]

    def of(self, process: Process) -> State:
        """Return what is known of the state of a process; the oldest is forgotten for it."""
        number = process.pid._number
        if number not in self._states and len(self._states) >= KEPT:
            del self._states[next(iter(self._states))]
        return self._states.setdefault(number, State())


def ask(process: Process, state: State, news: trio.Event, told: Callable[[], object]) -> None:
    """Ask a process for its state, unless a question to it is open; in its loop.

    Args:
        process: whom.
        state: where the answer is put.
        news: an event for those who wait for it.
        told: called when it has come; sets the event.
    """
    if process.dead or not takes_messages(process):
        state.news = None
        return
    if state.is_asked:
        return

    def take(answer: outcome.Outcome[Any]) -> None:
        state.is_asked = False
        state.shown = _shown(answer)
        # The loops of supervisors count the question itself, when this is over.
        state.handled = process.messages_handled + (loop_of(process) is not None)
        told()

    state.news, state.is_asked = news, True
    new_request(process, process.pid, GetStatus(), None, Question)._post(take)


def _shown(answer: outcome.Outcome[Any]) -> dict[str, Any]:
    """Render an answer: as one text, and by attributes where it has some."""
    try:
        status: Any = answer.unwrap()
    except Exception as exc:
        return {"text": f"<no state: {bounded(exc)}>", "items": None}
    state: Any = status.state
    misc = {name: value for name, value in status.misc.items() if value is not None}
    items = [*misc.items(), *(_attributes(state) or ())]
    listed = [[shown_text(str(name), 80), bounded(value, ITEM)] for name, value in items[:ITEMS]]
    return {"text": bounded(state, TEXT), "items": listed or None}


def _attributes(state: Any) -> list[tuple[str, Any]] | None:
    if type(state) is not dict:
        return None
    known = cast("dict[Any, Any]", state)  # type: ignore[redundant-cast]  # not for pyright
    return list(known.items()) if all(type(name) is str for name in known) else None
