"""One call on its way: who waits, for whom, until when, and how the answer gets back.

A request is answered exactly once: by a reply, by the death of its server, by its time-out, or
given up because its caller was cancelled. Whatever comes second finds `done` set and is counted as
dropped. The server lists its open requests in `Process.requests`, so its death can answer every
one, wherever it is: queued, in hand or deferred.

It is long because each way to end a request has to keep that rule, and because the path of a call
is written out where a function more would be felt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, TypeVar, final, overload

import outcome
import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from .._exits.bare import raisable
from .._exits.call_errors import CallError, CallTimeout, ServerExited
from .._util.copies import Handle, NoConstructor
from .._util.public import public
from .caller import Caller
from .callers_turn import TURN, is_free, refuse_nested, resume
from .doing import doing_text
from .runtime import current_process, need_task
from .status import shown_request, told_reason
from .wait_edges import enter_wait, leave_wait, set_edge

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .pid import Pid
    from .process import Process
    from .timers import Fifo

DEFAULT_TIMEOUT: Final = 5.0  # seconds, of everything that asks a server
GIVEN_UP: Final = "its caller has given up"  # why a call is dropped unhandled
T = TypeVar("T")
R = TypeVar("R", bound="From[Any]")
_new: Final = object.__new__


@final
@public
class From(NoConstructor, Handle, Caller, Generic[T]):
    """The caller of one call: opaque, used once, by `otp.reply` from any process at any time.

    `message` is what the caller sent, `caller` its pid, and `abandoned` True once it has given
    up. `context` is what propagators have captured at the caller, None if there is nothing.
    """

    _origin: ClassVar[str] = "otp.call makes one, for handle_call"

    # A call is made of this one object, which is also the outcome that its caller wakes with.
    __slots__ = (
        "_caller",
        "_deliver",
        "_done",
        "_fifo",
        "_ref",
        "_result",
        "_server",
        "_since",
        "_task",
        "_timeout",
        "_told",
        "_value",
        "abandoned",
        "context",
        "message",
    )
    _is_call: ClassVar[bool] = True  # whether `otp.events` tells of it

    _server: Process
    _ref: object
    message: object
    _timeout: float | None
    _since: float
    _task: trio.lowlevel.Task | None
    # Set while a process's own task waits, or a plain one that holds a worker: the wait-for edge.
    _caller: Process | None
    _deliver: Callable[[outcome.Outcome[T]], object] | None  # gets the answer if no task waits
    _fifo: Fifo | None  # of its time-out, while it stands in there
    _value: Any  # the answer; if no task waited for it, its outcome
    _result: outcome.Error | None  # an answer that came in the caller's turn, and is an error
    _done: bool
    _told: bool  # whether its end is to be told, as its start was
    abandoned: bool
    context: Any

    @property
    def caller(self) -> Pid | None:
        """The process that called; None for plain Trio code, and for a request id."""
        if self._deliver is not None:  # a call of another node says whose it is
            return getattr(self._deliver, "caller", None)
        process = None if self._task is None else self._task.context.get(current_process)
        return None if process is None else process.pid

    def __repr__(self) -> str:
        who = self._task.name if self._task is not None else "nobody"
        return f"<From {who!r} {'done' if self._done else 'waiting'}>"

    def _wait(
        self,
        abort: Callable[[RaiseCancelT], Abort] | None = None,
        at_once: bool = True,
    ) -> Coroutine[object, None, T]:
        """Put the request into the server's mailbox; return the wait for the answer.

        The caller awaits that at once, with Ctrl-C held off. It is long because a coroutine of its
        own would cost some percent of a call, and each further function is felt as well.

        Args:
            abort: what a cancellation calls in place of `_abort`.
            at_once: whether it could be handled in the turn of this task.
        """
        timeout = self._timeout
        server = self._server
        runtime = server.runtime
        if runtime.turn is not None:
            return refuse_nested(runtime.turn)
        if timeout == 0:
            return self._give_up_at_once()
        task = current_task()
        self._since = since = runtime.now()
        if runtime.events._on_call:
            self._begin(task)
        caller = current_process.get(None)
        if caller is None or caller.task is not task or caller.dead:
            caller = runtime.plain_tasks.get(task) if runtime.plain_tasks else None
        if caller is not None:
            try:
                set_edge(caller, server, self._ref, self.message)
            except CallError as exc:
                self._tell_end(exc)
                raise
            self._caller = caller
        mailbox = server.mailbox
        may = at_once and server.serves and mailbox._waiter is not None
        if may and self.__class__ is From and is_free(task, server):
            return self._in_turn(server, task, abort)
        if server.requests is None:  # as `add_request`, to save a call
            server.requests = {}
        server.requests[self] = None
        mailbox.offer(self)
        self._task = task  # not before: an answer inside `put` must not wake a task that runs
        if self._done:  # a server answers later; what is no server may have refused it by now
            return self._refused()
        if timeout is not None and timeout != math.inf:
            self._fifo = runtime.timers.limit(self, timeout, since)
        abort = self._abort if abort is None else abort
        return wait_task_rescheduled(abort)  # noqa: ASYNC105 - the caller of this awaits it

    @enable_ki_protection
    async def _in_turn(
        self,
        server: Process,
        task: trio.lowlevel.Task,
        abort: Callable[[RaiseCancelT], Abort] | None,
    ) -> T:
        """Have a server that waits handle the request at once, see `callers_turn`; wait for it.

        It is one frame for the sake of speed. The answer is there when the server has handled the
        call, or comes later, as that of any other.
        """
        runtime, mailbox = server.runtime, server.mailbox
        try:
            await checkpoint_if_cancelled()
        except BaseException as exc:  # nothing has run
            self.abandoned = True
            self._leave()
            mailbox.give_up(self)
            self._tell_end(exc)
            raise
        # -- resume the server, to which Trio's task is as good as woken
        own: Any
        self._task, self._result, runtime.turn = task, None, self
        own, mailbox._waiter = mailbox._waiter, None
        try:
            mailbox.offer(self)
            if own is not None:  # else a `__del__` has woken it since
                own.context.run(own.coro.send, TURN)
        finally:
            runtime.turn = None
        goes_on = mailbox._waiter is None  # in its task, which is to be before this one
        # -- it is answered: what is left is the one checkpoint that each `await` owes
        if self._done:
            await checkpoint_if_cancelled()  # by the callback
            await cancel_shielded_checkpoint()
            if goes_on:
                await cancel_shielded_checkpoint()
            try:
                if self._result is not None:
                    self._result.unwrap()
                return self.unwrap()
            finally:
                self._result = None  # else the frame and the traceback keep each other alive
        # -- it is not: wait, as `_wait` does
        server.add_request(self)
        if self._timeout is not None and self._timeout != math.inf:
            self._fifo = runtime.timers.limit(self, self._timeout, self._since)
        answer: T = await wait_task_rescheduled(self._abort if abort is None else abort)
        return answer

    async def _refused(self) -> T:
        await trio.lowlevel.checkpoint()
        result: outcome.Outcome[T] = self._value
        return result.unwrap()

    def _begin(self, task: trio.lowlevel.Task | None) -> None:
        """Emit `call_start`, and capture what propagates with the call."""
        if not self._is_call:
            return
        events = self._server.runtime.events
        self._told, self._task = True, task  # `caller` reads it
        if events.call_start is not None:
            events.call_start(self)
        if events._propagators:
            self.context = events._capture()
        self._task = None

    def _tell_end(self, error: BaseException | None) -> None:
        """Emit `call_stop`, if `call_start` was emitted."""
        if self._told:
            self._server.runtime.events.emit("call_stop", self, error)

    async def _give_up_at_once(self) -> NoReturn:
        """Leave a request that has no time to be answered in the mailbox, where it is handled."""
        need_task()
        await checkpoint_if_cancelled()
        self._since = trio.current_time()
        task = current_task()
        if self._server.runtime.events._on_call:
            self._begin(task)
        try:
            leave_wait(
                enter_wait(self._server, self._ref, self.message)
            )  # refuse what can never be
        except CallError as exc:
            self._tell_end(exc)
            await cancel_shielded_checkpoint()
            raise
        self._task = task
        self._done = self.abandoned = True
        self._server.mailbox.offer(self)
        error = CallTimeout(self._ref, self.message, 0.0, shown=shown_request(self._server))
        self._tell_end(error)
        try:
            await cancel_shielded_checkpoint()
            raise error
        finally:
            del error  # else the frame and the traceback keep each other alive

    @enable_ki_protection
    def _post(self, deliver: Callable[[outcome.Outcome[T]], object], at_once: bool = False) -> None:
        """Put the request into the server's mailbox; `deliver` gets the answer, nobody waits.

        Args:
            deliver: gets the answer.
            at_once: whether a server that waits is to handle it now, in the turn of this task.
        """
        server = self._server
        self._deliver = deliver
        self._since = trio.current_time()
        if server.runtime.events._on_call:
            self._begin(None)
        server.add_request(self)
        waits = at_once and server.serves and server.mailbox._waiter is not None
        if waits and is_free(current_task(), server):
            self._result = None
            resume(server, self)
            if self._done:
                result, self._result = self._result, None
                self._keep(outcome.Value(self.unwrap()) if result is None else result)
        else:
            server.mailbox.offer(self)

    @enable_ki_protection
    def _abandon(self, error: BaseException | None = None) -> None:
        """Abandon the answer, for an error perhaps; the server handles the request all the same."""
        if not self._done:
            self._is_given_up()
            self._leave()
            self._server.mailbox.give_up(self)
            self._tell_end(error)

    @enable_ki_protection
    def _answer(self, value: T) -> bool:
        """Answer the waiting caller with a value that is no outcome; False if it waits no more."""
        is_done, self._done = self._done, True  # in one step: a `__del__` may cancel the caller
        if is_done:
            self._is_over()
            return False
        self._leave()
        if self._server.runtime.turn is self:
            self._value = value
        elif self._task is not None:
            self._value = value
            reschedule(self._task, self)  # type: ignore[arg-type]  # Trio calls its `unwrap`, no more
        else:
            self._keep(outcome.Value(value))
        if self._told:
            self._tell_end(None)
        return True

    def _answer_with(self, result: outcome.Outcome[Any]) -> bool:
        """Do as `_answer` or `_fail`, with what an outcome holds."""
        if isinstance(result, outcome.Error):
            return self._fail(result.error)
        value: Any = result
        return self._answer(value.value)

    @enable_ki_protection
    def _fail(self, error: BaseException) -> bool:
        """Raise an error in the waiting caller; False if it waits no more."""
        is_done, self._done = self._done, True  # in one step: a `__del__` may cancel the caller
        if is_done:
            self._is_over()
            return False
        result = outcome.Error(raisable(error))
        self._leave()
        if self._server.runtime.turn is self:
            self._result = result
        elif self._task is not None:
            reschedule(self._task, result)
        else:
            self._keep(result)
        self._tell_end(result.error)
        return True

    def _enter(self) -> object:
        """Return what enters a mailbox with a bound when it has room: the call itself."""
        return self

    def _keep(self, result: outcome.Outcome[T]) -> None:
        """Take an answer while no task waits: that of an id, or of a caller who will wait."""
        if self._deliver is not None:
            self._deliver(result)
        else:
            self._value = result

    def unwrap(self) -> T:
        """Return the answer to the task that wakes with this as its outcome."""
        value: T = self._value
        del self._value
        return value

    def _defer(self) -> None:
        """Record that the server answers later: the caller waits for nobody in particular."""
        leave_wait(self._caller)
        self._caller = None
        if self.abandoned and (put_off := self._server.extras.put_off) is not None:
            put_off.setdefault(self, True)  # a state machine says so also of what it has answered

    def _is_given_up(self) -> None:
        """Record that the caller waits no more; a server may have put the call off."""
        self.abandoned = True
        server = self._server
        put_off = server.extras.put_off
        if put_off is None or self is server.current:
            return
        if not any(message is self for message in server.mailbox.queue):
            put_off[self] = True

    def _is_over(self) -> None:
        """Record that the server is through with a call whose caller waits no more."""
        extras = self._server.extras
        if self.abandoned and extras.put_off is not None:
            extras.put_off[self] = False
            if extras.watch_idle is not None:
                extras.watch_idle()

    def _server_died(self, reason: object) -> None:
        """Answer with the end of the server."""
        why = told_reason(self._server.pid, reason)
        shown = shown_request(self._server)
        error = ServerExited(self._ref, reason, self.message, self._elapsed(), shown=shown, why=why)
        self._fail(error)

    def expire(self) -> None:
        """Answer with the time-out; a reply that comes later is dropped."""
        self._is_given_up()
        self._server.runtime.timed_out.append((trio.current_time(), self._server.pid))
        shown = shown_request(self._server)
        doing = doing_text(self._server, self)
        error = CallTimeout(self._ref, self.message, self._elapsed(), shown=shown, doing=doing)
        self._fail(error)
        self._server.mailbox.give_up(self)

    def _abort(self, raise_cancel: RaiseCancelT) -> Abort:
        """Release the caller, which was cancelled."""
        is_done, self._done = self._done, True
        if is_done:  # by a listener, who is told that it is
            return Abort.FAILED
        self._is_given_up()
        self._leave()
        if self._is_at_its_call():
            self._server.mailbox.take_back(self)
        self._server.mailbox.give_up(self)
        if self._told:
            self._tell_end(outcome.capture(raise_cancel).error)
        return Abort.SUCCEEDED

    def _is_at_its_call(self) -> bool:
        """Check whether the caller was cancelled before it called: no other task has run since.

        To ask at the end of the call costs nothing; a checkpoint before it, a thirtieth of it.
        """
        try:
            return current_task() is self._task
        except RuntimeError:  # a deadline of the caller has passed
            return False

    def _leave(self) -> None:
        """Take the call out of all tables.

        Its end is told after that, when the caller has its answer: a listener may cancel the
        caller, or end the server.
        """
        self._done = True
        server = self._server
        if self._fifo is not None:
            self._fifo.pop(self, None)
            self._fifo = None
        if server.requests is not None:
            server.requests.pop(self, None)
        if self._caller is not None:
            self._caller.waits_for = None
            self._caller = None
        if server.extras.watch_idle is not None:
            server.extras.watch_idle()

    def _elapsed(self) -> float:
        return trio.current_time() - self._since


@overload
def new_request(
    server: Process, ref: object, message: object, timeout: float | None
) -> From[Any]: ...
@overload
def new_request(
    server: Process, ref: object, message: object, timeout: float | None, kind: type[R]
) -> R: ...
def new_request(
    server: Process,
    ref: object,
    message: object,
    timeout: float | None,
    kind: type[From[Any]] = From,
) -> From[Any]:
    """Make a request: what each call is made of, so it takes no longer than a constructor."""
    request: From[Any] = _new(kind)
    request._server = server
    request._ref = ref
    request.message = message
    request._timeout = timeout
    request._task = request._caller = request._deliver = request._fifo = None
    request.context = None
    request._done = request.abandoned = request._told = False
    return request
