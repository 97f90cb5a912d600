"""One call on its way: who waits, for whom, until when, and how the answer gets back.

A request is answered exactly once: by a reply, by the death of its server, by its time-out, or
given up because its caller was cancelled. Whatever comes second finds `done` set and is counted as
dropped. The server lists its open requests in `Process.requests`, so its epilogue can answer every
one, wherever it is: queued, in hand or deferred.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

import outcome
import trio
from trio.lowlevel import Abort, enable_ki_protection, reschedule, wait_task_rescheduled

from .bounded import bounded
from .exits import CallingSelf, CallTimeout, DeadlockError, ServerExited
from .runtime import calling_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process

DEFAULT_TIMEOUT: Final = 5.0  # seconds, of everything that asks a server
T = TypeVar("T")


class From(Generic[T]):
    """The caller of one call: opaque, used once, by `otp.reply` from any process at any time.

    `from_.abandoned` tells whether the caller has given up.
    """

    __slots__ = (
        "abandoned",
        "caller",
        "deliver",
        "done",
        "message",
        "ref",
        "server",
        "since",
        "task",
        "timeout",
    )

    def __init__(
        self, server: Process, ref: object, message: object, timeout: float | None
    ) -> None:
        self.server = server
        self.ref = ref
        self.message = message
        self.timeout = timeout
        self.task: trio.lowlevel.Task | None = None
        self.caller: Process | None = (
            None  # set while a process's own task waits: the wait-for edge
        )
        self.deliver: Callable[[outcome.Outcome[Any]], object] | None = (
            None  # gets the answer if no task waits for it
        )
        self.since = 0.0
        self.done = False
        self.abandoned = False

    def __repr__(self) -> str:
        who = self.task.name if self.task is not None else "nobody"
        return f"<From {who!r} {'done' if self.done else 'waiting'}>"

    @enable_ki_protection
    async def wait(self) -> Any:
        """Put the request into the server's mailbox and wait for the answer."""
        await trio.lowlevel.checkpoint_if_cancelled()  # else it would be sent all the same
        self.task = trio.lowlevel.current_task()
        self._enter()
        if self.timeout == 0:
            await self._give_up_at_once()
        try:
            return await wait_task_rescheduled(self._abort)
        finally:
            if self.timeout is not None:
                self.server.runtime.timers.retire(self.timeout)

    @enable_ki_protection
    def _enter(self) -> None:
        server = self.server
        self.since = trio.current_time()
        self.caller = enter_wait(server, self.ref, self.message)
        server.requests[self] = None
        server.mailbox.put(self)
        if self.timeout and self.timeout != math.inf:
            server.runtime.timers.limit(self, self.timeout)

    async def _give_up_at_once(self) -> NoReturn:
        """Leave a request that has no time to be answered in the mailbox, where it is handled."""
        self.abandoned = True
        self._leave()
        await trio.lowlevel.cancel_shielded_checkpoint()
        raise CallTimeout(self.ref, self.message, 0.0)

    @enable_ki_protection
    def post(self, deliver: Callable[[outcome.Outcome[Any]], object]) -> None:
        """Put the request into the server's mailbox; `deliver` gets the answer, nobody waits."""
        self.deliver = deliver
        self.since = trio.current_time()
        self.server.requests[self] = None
        self.server.mailbox.put(self)

    @enable_ki_protection
    def abandon(self) -> None:
        """Give up the answer; the server handles the request all the same."""
        if not self.done:
            self.abandoned = True
            self._leave()

    @enable_ki_protection
    def finish(self, result: outcome.Outcome[Any]) -> bool:
        """Give the waiting caller its answer; False if it is not waiting any more."""
        if self.done:
            return False
        self._leave()
        if self.task is not None:
            reschedule(self.task, result)
        elif self.deliver is not None:
            self.deliver(result)
        return True

    def defer(self) -> None:
        """Note that the server answers later: the caller waits for nobody in particular."""
        leave_wait(self.caller)
        self.caller = None

    def server_died(self, reason: object) -> None:
        """Answer with the end of the server."""
        self.finish(outcome.Error(ServerExited(self.ref, reason, self.message, self._elapsed())))

    def expire(self) -> None:
        """Answer with the time-out; a reply that comes later is dropped."""
        self.abandoned = True
        self.finish(outcome.Error(CallTimeout(self.ref, self.message, self._elapsed())))

    def _abort(self, _raise_cancel: Callable[[], Any]) -> Abort:
        self.abandoned = True
        self._leave()
        return Abort.SUCCEEDED

    def _leave(self) -> None:
        self.done = True
        self.server.requests.pop(self, None)
        leave_wait(self.caller)
        self.caller = None

    def _elapsed(self) -> float:
        return trio.current_time() - self.since


def check_timeout(name: str, value: object) -> None:
    """Refuse a time-out that is no number of seconds from 0 up, or None."""
    if value is None:
        return
    if not is_seconds(value):
        shown = bounded(value)
        raise ValueError(f"{name}={shown}: accepted is a number of seconds >= 0, or None")


def is_seconds(value: object) -> bool:
    """Tell whether a value is a time that the clock can count, or infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max or value == math.inf


def enter_wait(server: Process, ref: object, message: object) -> Process | None:
    """Set the wait-for edge of the calling process, unless it would close a circle.

    Raises:
        CallingSelf: a process waits for itself.
        DeadlockError: the server waits, over others perhaps, for the caller.
    """
    caller = calling_process()
    if caller is None:
        return None
    if server is caller:
        raise CallingSelf(ref, message)
    cycle = [caller]
    link: Process | None = server
    while link is not None:
        cycle.append(link)
        link = link.waits_for
        if link is caller:
            raise DeadlockError(ref, message, [process.pid for process in cycle])
    caller.waits_for = server
    return caller


def leave_wait(caller: Process | None) -> None:
    """Remove the wait-for edge of a process that waits no more."""
    if caller is not None:
        caller.waits_for = None
