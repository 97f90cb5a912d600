"""A child that its supervisor begins to start in the task of the caller, while it waits itself.

Of a supervisor that waits, with nothing in its mailbox, `start_child` would be the next thing to do
anyway. To begin it takes no waiting; so it is done at once, and when the init of the child is over
the caller is answered at once too. The supervisor sleeps on, which saves it two turns of the
scheduler, a third of such a call. What anybody could tell from the ordinary way stays with that: an
event that somebody listens to, a name, a time-out, an id whose hash is a user's code, a failure.

As ever a supervisor does one thing at a time: what wakes it meanwhile, a message or a signal, finds
the start `under_way` and first waits for its end, as if it had begun it by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import enable_ki_protection

from .._process.process import UNSET
from .._process.request import From
from .._start.start import Start
from .data import Command

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .._process.process import Process
    from .data import Slot
    from .loop import SupervisorLoop


class DirectStart(Start):
    """A start that has begun without the task of its supervisor."""

    __slots__ = ("from_", "loop", "result", "slot")
    begun = True

    def __init__(self, loop: SupervisorLoop, slot: Slot, from_: From[Any]) -> None:
        supervisor = loop.process
        home = supervisor.children
        assert home is not None
        super().__init__(loop.blueprint(slot), home, supervisor, link=True, supervisor=supervisor)
        self.loop = loop
        self.slot = slot
        self.from_ = from_
        self.result: Any = None  # how it failed, while nobody waits

    def begin(self) -> None:
        """Create the child, and note what the supervisor is doing."""
        loop, supervisor = self.loop, self.loop.process
        supervisor.current = self.from_
        supervisor.since = supervisor.runtime.now()
        loop.under_way = self
        loop.starting = self.slot
        supervisor.waits_for = child = self.create()
        child.starting = self

    def ack(self) -> None:
        """Init is over; answer the caller, unless the supervisor waits by now, or is to end.

        If the caller was cancelled meanwhile, the supervisor wakes and takes the child back.
        """
        loop = self.loop
        if self.task is not None or loop.is_void():
            super().ack()
        elif self.process.pending_exit is UNSET:
            self.process.starting = None
            if loop.process.pending_exit is UNSET:
                self.done = True
                self.slot.process = self.process
                loop.settle(self.slot)
                loop.process.waits_for = None
                self.over()
                self.from_.answer(self.process.pid)

    def wait(self) -> Coroutine[Any, Any, Process | None]:
        """Wait for the end of init, which may be over, as a supervisor that something has woken."""
        return super().wait() if self.result is None else self._fail()

    async def _fail(self) -> Process | None:  # noqa: ASYNC124 - in place of one that waits
        started: Process | None = self.result.unwrap()
        return started

    def over(self) -> None:
        """Note that the supervisor is free again."""
        loop, supervisor = self.loop, self.loop.process
        loop.under_way = loop.starting = None
        supervisor.current = UNSET
        supervisor.handled += 1

    def _finish(self, result: Any) -> None:
        """Leave it to the supervisor to do what a start that failed calls for."""
        if self.task is not None:
            super()._finish(result)
        else:
            self.done = True
            self.result = result
            self.loop.process.mailbox.wake()


@enable_ki_protection
def begin_start(loop: SupervisorLoop, message: Any) -> bool:
    """Begin what a message to a waiting supervisor asks for; False if it is to be queued."""
    if message.__class__ is not From or loop.under_way is not None or not loop.idle:
        return False
    command = message.message
    if command.__class__ is not Command or command.name != "start_child" or _is_watched(loop):
        return False
    try:
        slot = loop.admit(command.argument)
    except BaseException:  # noqa: ASYNC103 - nothing awaits; the supervisor meets the same
        return False  # noqa: ASYNC104 - and the caller is told or hears of it
    if not _is_plain(slot):
        return False
    loop.enrol(slot)
    DirectStart(loop, slot, message).begin()
    return True


def _is_watched(loop: SupervisorLoop) -> bool:
    """Check whether somebody is told of the start, who could see in which task it is done."""
    events = loop.process.runtime.events
    if loop.process.debug is not None or events.process_start is not None:
        return True
    progress = events.progress if loop.tells_progress else None
    return progress is not None and not progress.is_deaf()


def _is_plain(slot: Slot) -> bool:
    spec = slot.spec
    return (
        spec.name is None
        and spec.timeout is None
        and not spec.debug
        and spec.id.__class__ in (str, int)
    )
