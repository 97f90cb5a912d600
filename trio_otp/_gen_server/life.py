"""The life of a server or state machine: its init, its end, and the report of a crash.

Rules this file keeps:

* `terminate` runs at most once, shielded, inside whatever limit its stopper has.
* A crash is reported before `terminate` runs, with the message in hand and the state.
* Who waits for the answer of a `Stop(reason, reply=)` gets it when `terminate` is over.

Follows: Erlang's `gen_server`, section "Callback functions".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._behaviour.behaviour import ignore
from .._behaviour.messages import (
    STATE,
    as_log,
    client_place,
    content_of,
    shown_client,
    shown_message_of,
)
from .._behaviour.results import IGNORE, Stop, as_outcome
from .._behaviour.stopping import Stopping
from .._exits.bare import raise_bare, reason_of
from .._exits.nurseries import WholeScope
from .._exits.reasons import ProcessExit, is_quiet, passes_through
from .._process.callers_turn import leave_turn
from .._process.hibernation import fall_asleep
from .._process.status import formatted, takes_status, told
from .._util.bounded import bounded
from .._util.unset import UNSET
from .._util.user_code import interruptible, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._process.status import Status
    from .handling import Handling


class Life(ABC):
    """What drives one instance from its init to its end; subclasses say what it does meanwhile."""

    __slots__ = ("_handling", "instance", "process")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.instance: Any = None
        self._handling: Handling | None = None  # of the message in hand, if anybody is to know

    @abstractmethod
    def _begin(self, result: object) -> None:
        """Carry out what an init that went well returned."""

    @abstractmethod
    async def _serve(self) -> None:
        """Handle messages until an exception ends that; return only to fall asleep."""

    # -- from the init on --------------------------------------------------------------------

    def run(self, make: Callable[[], Behaviour]) -> Coroutine[object, object, Any]:
        """Run the body of the process; what it returns is to be done at the end of its task."""
        return self._live(make)

    async def enter(self, result: object) -> None:
        """Go on as the body of a process that runs already; `result` is as of init."""
        self._begin(result)
        self.process.tell_followers()
        await self._live(None)

    @enable_ki_protection
    async def _live(self, make: Callable[[], Behaviour] | None) -> Any:
        # One coroutine from the init to the end: a server that waits keeps each of its frames.
        process = self.process
        if make is not None:
            result = self._make(make)
            if result.__class__ is CoroutineType:
                process.enter_scope()
                result = await wait_for(result)
            if result is IGNORE:
                ignore(process)
            if isinstance(result, Stop):
                raise ProcessExit(result.reason)
            if process.is_exiting:  # an init without a checkpoint has not noticed
                process.enter_scope()
                await trio.lowlevel.checkpoint()
            self._begin(result)
            assert process.starting is not None
            process.starting.ack()
        try:
            if process.is_exiting and process.scope is None:
                raise ProcessExit(process.pending_exit)  # it has slept, and was woken to end
            await self._serve()
            return fall_asleep
        except Stopping as stopping:
            await self._stop(stopping)
        except BaseException as exc:  # noqa: ASYNC103 - `_end` raises
            if self._handling is not None:
                self._handling.fail(exc)
            await self._end(exc)
        finally:
            # What travelled with the last message is there while its crash is reported.
            if self._handling is not None:
                self._handling.detach()
            await leave_turn(process)  # also if a listener has raised: Trio is to see it end

    @disable_ki_protection
    def _make(self, make: Callable[[], Behaviour]) -> Any:
        """Make the instance and call its init; return what that returned, maybe to be awaited."""
        self.instance = make()
        self.process.become(self.instance)
        return self.instance.init()

    # -- the end -----------------------------------------------------------------------------

    async def _stop(self, stopping: Stopping) -> None:
        if not self.process.may_terminate:
            await leave_turn(self.process)
            await self._give_way()  # killed before it took the order: no terminate
        try:
            try:
                self._report(stopping.reason)
            finally:
                await leave_turn(self.process)
                await self._terminate(stopping.reason)
        finally:
            killed = self.process.is_exiting  # then the callers learn of that
            if stopping.from_ is not None and stopping.reply is not UNSET and not killed:
                stopping.from_._answer_with(as_outcome(stopping.reply))
        raise ProcessExit(stopping.reason)

    async def _end(self, exc: BaseException) -> None:
        """End by what came out of the loop: an exit signal, Ctrl-C, or a crash."""
        process, reason = self.process, reason_of(exc)
        if process.alive and not passes_through(exc):
            try:
                self._report(reason)
            finally:  # also if Ctrl-C breaks off a `format_status`
                await leave_turn(process)
                await self._terminate(reason)
            raise ProcessExit(reason)
        await leave_turn(process)
        try:
            if process.alive:
                await self._terminate(reason, process.shutdown)
            elif process.runs_terminate:
                await self._terminate(process.pending_exit)
        except (trio.Cancelled, ProcessExit):  # noqa: ASYNC103 - `exc` goes on below
            if not passes_through(exc):
                raise
        try:
            if passes_through(exc) and isinstance(reason, BaseException):
                raise_bare(reason)  # Ctrl-C goes on whatever `terminate` has met
            raise exc
        finally:
            del exc, reason  # else the frame and the traceback keep each other alive

    async def _terminate(self, reason: object, limit: float | None = None) -> None:
        """Run the user's `terminate`, once, where only a kill or another exit signal ends it."""
        process = self.process
        if process.debug is not None:
            process.debug.event("terminate", reason)
        deadline = math.inf if limit is None else trio.current_time() + limit
        process.terminate_scope = trio.CancelScope(shield=True, deadline=deadline)
        try:
            result = interruptible(self.instance.terminate, reason)
            if result.__class__ is CoroutineType:  # a `def` needs neither of the two scopes
                await self._finish_terminate(result)
        except BaseException as exc:
            if passes_through(exc):
                raise
            crash = reason_of(exc)
            self._report(crash)
            if process.runs_terminate:  # it did not end as it was asked to
                process.pending_exit = crash
            raise ProcessExit(crash) from exc  # noqa: ASYNC104 - a crash ends it by ProcessExit
        await self._give_way()

    async def _finish_terminate(self, running: Coroutine[object, object, object]) -> None:
        scope = self.process.terminate_scope
        assert scope is not None
        self.process.enter_scope()
        try:
            with WholeScope(scope):
                await wait_for(running)
        finally:
            running.close()  # if Ctrl-C came before it began; else it has ended

    async def _give_way(self) -> None:
        """Let an exit signal end it that is pending, as a checkpoint in its scope does."""
        if self.process.scope is not None:
            await trio.lowlevel.checkpoint_if_cancelled()
        elif self.process.is_exiting:
            raise ProcessExit(self.process.pending_exit)

    def _report(self, reason: object) -> None:
        if is_quiet(reason):
            return
        process = self.process
        heard = process.runtime.events.is_heard("crash")
        if not heard and not takes_status(self.instance):
            return
        message = process.current
        status = formatted(
            self.instance,
            {
                **self._status(),
                "message": content_of(message),
                "reason": reason,
                "log": process.log,
            },
            self.state_key,
        )
        details = told(process, reason, status["reason"])
        if not heard:
            return
        report = process.crash_report(
            status["reason"],
            last_message=shown_message_of(message, status["message"]),
            state=self._shown_state(status),
            client=shown_client(message),
            client_place=client_place(message),
            log=as_log(status["log"]),
            **details,
        )
        process.runtime.events.emit("crash", report)

    state_key: ClassVar = "state"  # what a `format_status` without an argument gives

    def _status(self) -> Status:
        """Return what there is to be shown of the state."""
        return {"state": self.instance._status()}

    def _shown_state(self, status: Status) -> str:
        return bounded(status["state"], STATE)
