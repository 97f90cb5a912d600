"""The process behind `gen_event`: it runs its handlers one after another, and survives them.

Rules this file keeps:

* Whatever a handler raises or returns ends that handler alone: it is taken out of the table, its
  `terminate` runs, the crash is reported, its owner is told.
* What is not a handler's fault passes through: the end of the manager, Ctrl-C.
* The manager traps exits. The exit of an owner ends the owner's handlers, that of its own parent
  ends it; before it dies it lets go of the owners, so that its end is no signal to them.

It is long because every way for a handler to come and go keeps all of these rules.

Follows: Erlang's `gen_event`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import (
    STATE,
    Handled,
    as_log,
    content_of,
    log_unexpected,
    shown_message_of,
)
from .._behaviour.results import Reply
from .._exits.bare import reason_of
from .._exits.errors import BadReturn, StartError
from .._exits.reasons import NOPROC, NORMAL, SHUTDOWN, passes_through
from .._gen_server.server import GenServer
from .._process.runtime import need_process
from .._process.signals import Exit
from .._process.status import formatted, takes_status, told
from .._util.bounded import bounded
from .._util.public import public
from .._util.sent import SENT
from .._util.unset import UNSET
from .._util.user_code import call_back, interruptible
from .handler import (
    GenEvent,
    HandlerExit,
    HandlerKey,
    OwnerExited,
    SwapHandler,
    Swapped,
    check_handler,
    split_key,
)
from .outcomes import Crash, HandlerCrashed, NoHandler, Returned
from .results import (
    ANSWERS,
    GO_ON,
    bad_return,
    is_answer,
    leaves,
    refusal,
)
from .table import HandlerEntry, HandlerTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .._process.request import From
    from .outcomes import Ran


@public
class EventManager(GenServer):
    """The event manager, a child like any other; use it through `otp.gen_event`.

    Args:
        handlers: what makes the handlers it has from the start, oldest first: GenEvent classes, or
            functions without arguments. They are made anew at every restart; one that refuses to
            start lets the start of the manager fail.
    """

    system_module: ClassVar[str] = "gen_event"
    takes_marks: ClassVar[tuple[str, ...]] = ()

    def __init__(self, handlers: Iterable[Callable[[], GenEvent]] = ()) -> None:
        if not isinstance(handlers, Iterable):
            raise TypeError(
                f"handlers={bounded(handlers)}: expected a list; write [{bounded(handlers)}]"
            )
        self.makers: tuple[Callable[[], GenEvent], ...] = tuple(handlers)
        for make in self.makers:
            if not callable(make):
                raise TypeError(_no_maker(make))
        self.table: HandlerTable = HandlerTable()
        self._process: Process

    def init(self) -> Any:
        """Trap exits, and add the handlers of the start."""
        self._process = need_process("EventManager")
        self._process.trap_exit = True
        return self._install()

    @enable_ki_protection
    async def _install(self) -> None:
        try:
            for make in self.makers:
                handler = interruptible(make)
                check_handler(handler, "handlers")
                await self.add(HandlerEntry(handler))
        except Exception:
            await self._end_all()
            raise

    def handle_call(self, request: Any, from_: From[Any]) -> Any:
        """Refuse a call that is none of `gen_event`: it is for no handler in particular."""
        text = f"EventManager does not take the call {bounded(request)}; write otp.gen_event.call"
        return Reply(outcome.Error(TypeError(text)))

    def handle_cast(self, message: Any) -> Any:
        """Log a cast that is none of `gen_event`."""
        log_unexpected(self._process, message)

    def handle_info(self, message: Any) -> Any:
        """Return a plain message to all handlers; an exit signal first ends those of its sender."""
        if isinstance(message, Exit):
            return self._take_exit(message)
        return self.tell_all("handle_info", message)

    def terminate(self, reason: object) -> Any:
        """End all handlers, newest first, and let go of their owners."""
        return self._end_all()

    def _status(self) -> Any:
        """Show what each handler shows."""
        return {
            entry.key: formatted(entry.handler, {"state": entry.handler._status()})["state"]
            for entry in self.table
        }

    def _sys_state(self) -> list[tuple[HandlerKey, GenEvent]]:
        """List the handlers with what they are called, newest first."""
        return [(entry.key, entry.handler) for entry in self.table]

    def _sys_replace(self, state: Any) -> EventManager:
        """Take such a list, with the same or other objects of the same classes in their places."""
        entries = list(self.table)
        given: list[Any] = state if state.__class__ is list else []
        if [type(entry.handler) for entry in entries] != [type(pair[1]) for pair in given]:
            raise BadReturn("the function", state, "the list it was given, class by class")
        for entry, (_, handler) in zip(entries, given, strict=True):
            entry.handler._is_installed = False
            entry.handler = handler
            handler._is_installed = True
        return self

    @enable_ki_protection
    async def _end_all(self) -> None:
        owners = self.table.owners()
        for entry in self.table:
            await self.take_out(entry, SHUTDOWN, told=SHUTDOWN)
        for owner in owners:
            if owner is not self._process.parent:
                owner.remove_link(self._process)

    async def _take_exit(self, signal: Exit) -> None:
        for entry in self.table.owned_by(signal.pid):
            await self.take_out(entry, OwnerExited(signal.reason), told=SHUTDOWN)
        await self.tell_all("handle_info", signal)

    # -- what the commands of gen_event do -----------------------------------------------------

    def need(self, key: HandlerKey) -> HandlerEntry:
        """Return a handler, or raise `NoHandler`."""
        entry = self.table.find(*split_key(key))
        if entry is None:
            raise NoHandler(key)
        return entry

    @enable_ki_protection
    async def add(self, entry: HandlerEntry, *, place: int = 0, swapped: Any = UNSET) -> None:
        """Start a handler and put it into the table.

        Args:
            entry: the handler, its id and owner.
            place: where in the table; 0 is that of the newest.
            swapped: what the handler before it left behind, if it comes by a swap.

        Raises:
            StartError: its init failed; nothing is added.
            ValueError: a manager has this very object already.
        """
        handler: GenEvent = entry.handler
        _check_free(handler)
        handler._is_installed = True
        if swapped is UNSET:
            ran = await self.attempt(handler.init)
        else:
            ran = await self.attempt(handler.init_swapped, swapped)
        if isinstance(ran, Crash) or ran.value is not None:
            handler._is_installed = False
            raise StartError(refusal(ran), bounded(entry.key))
        self.table.add(entry, place)
        if entry.owner is not None:
            self._link(entry.owner)

    def _link(self, owner: Process) -> None:
        if owner.dead:
            self._process.mailbox.put(Exit(owner.pid, NOPROC))
        else:
            owner.add_link(self._process)

    async def tell_all(self, callback: str, message: Any) -> None:
        """Call `handle_event` or `handle_info` of all handlers, newest first."""
        for entry in self.table:
            ran = await self.attempt(getattr(entry.handler, callback), message)
            if isinstance(ran, Crash):
                await self._crash(entry, ran.reason)
            elif leaves(ran.value):
                await self._let_go(entry, ran.value)
            elif ran.value is not None:
                await self._crash(entry, bad_return(callback, ran.value, GO_ON))

    async def ask(self, key: HandlerKey, request: Any, from_: From[Any]) -> Any:
        """Ask a handler to answer a call.

        Raises:
            NoHandler: there is no such handler.
            HandlerCrashed: it could not answer, and is not there any more.
        """
        entry = self.need(key)
        ran = await self._answer(entry, request, from_)
        if isinstance(ran, Crash):
            reason = ran.reason
        else:
            result = ran.value
            if result.__class__ is Reply and result.timeout is result.continue_ is None:
                return result.value
            if leaves(result) and result.reply is not UNSET:
                await self._let_go(entry, result)
                return result.reply
            reason = bad_return("handle_call", result, ANSWERS)
        await self._crash(entry, reason)
        raise HandlerCrashed(entry.key, reason)

    async def _answer(self, entry: HandlerEntry, request: object, from_: From[Any]) -> Ran:
        if not isinstance(request, Handled):
            return await self.attempt(entry.handler.handle_call, request)
        ran = await self.attempt(request.run, entry.handler, from_)
        if isinstance(ran, Returned) and is_answer(request, ran.value):
            return Returned(Reply(ran.value))
        return ran

    async def _let_go(self, entry: HandlerEntry, result: object) -> None:
        """Do what a handler asks for that wants to leave."""
        if isinstance(result, SwapHandler):
            await self._give_place(entry, result)
        else:
            await self.take_out(entry, NORMAL)

    @enable_ki_protection
    async def swap(self, old: HandlerKey, reason: object, new: HandlerEntry, *, sup: bool) -> None:
        """Put a handler in place of another, as the newest.

        Args:
            old: the handler that has to go; it may be absent.
            reason: what its `terminate` gets.
            new: the handler that comes.
            sup: whether it comes with an owner of its own; else it has that of the old one.

        Raises:
            StartError: the new one did not start; the old one is gone all the same.
            ValueError: a manager has the new one already; nothing is done.
        """
        entry = self.table.find(*split_key(old))
        if entry is None or entry.handler is not new.handler:
            _check_free(new.handler)
        if entry is None:
            left: object = NoHandler(old)
        else:
            new.owner = new.owner if sup else entry.owner
            left = _left_behind(entry, await self.take_out(entry, reason, told=_swapped(new)))
        await self.add(new, swapped=left)

    @enable_ki_protection
    async def _give_place(self, entry: HandlerEntry, swap: SwapHandler) -> None:
        """Put another handler in the very place of one that asked for it."""
        new = HandlerEntry(swap.new, swap.id, entry.owner)
        place = self.table.place_of(entry)
        left = _left_behind(entry, await self.take_out(entry, swap.reason, told=_swapped(new)))
        try:
            await self.add(new, place=place, swapped=left)
        except (StartError, ValueError) as exc:
            reason = exc.reason if isinstance(exc, StartError) else exc
            self._report(new, reason)
            self._tell_owner(new, reason)

    @enable_ki_protection
    async def take_out(self, entry: HandlerEntry, reason: object, *, told: object = NORMAL) -> Ran:
        """Take a handler out, run its `terminate`, tell its owner.

        Returns:
            What came of `terminate`.
        """
        self.table.remove(entry)
        entry.handler._is_installed = False
        ran = await self.attempt(entry.handler.terminate, reason)
        if isinstance(ran, Crash):
            self._report(entry, ran.reason)
        self._tell_owner(entry, told)
        return ran

    @enable_ki_protection
    async def _crash(self, entry: HandlerEntry, reason: object) -> None:
        self._report(entry, reason)
        await self.take_out(entry, reason, told=reason)

    # -- handlers that fail --------------------------------------------------------------------

    async def attempt(self, callback: Callable[..., Any], *args: Any) -> Ran:
        """Run a callback of a handler. What it returned is never mistaken for what it raised."""
        ran: Ran
        try:
            value = await call_back(callback, *args)
            ran = Returned(None if value is SENT else value)
        except BaseException as exc:  # noqa: ASYNC103 - a cancellation passes through
            if passes_through(exc) or self._is_over():
                raise
            ran = Crash(reason_of(exc))
        if self._is_over():  # a callback without a checkpoint has not noticed
            await trio.lowlevel.checkpoint()
        try:
            return ran
        finally:
            del ran  # else this frame and the traceback of a crash keep each other alive

    def _is_over(self) -> bool:
        """Check whether an exit signal ends the manager here; others run `terminate`."""
        process = self._process
        ends_in_order = process.runs_terminate and process.terminate_scope is not None
        return process.is_exiting and not ends_in_order

    def _tell_owner(self, entry: HandlerEntry, reason: object) -> None:
        owner: Process | None = entry.owner
        if owner is not None and not owner.dead:
            owner.mailbox.put(HandlerExit(self._process.pid, entry.key, reason))

    def _report(self, entry: HandlerEntry, reason: object) -> None:
        process = self._process
        heard = process.runtime.events.is_heard("crash")
        if not (heard or takes_status(entry.handler)):
            return
        message = process.current
        status = formatted(
            entry.handler,
            {
                "state": entry.handler._status(),
                "message": content_of(message),
                "reason": reason,
                "log": process.log,
            },
        )
        details = told(process, reason, status["reason"])
        if not heard:
            return
        report = process.crash_report(
            status["reason"],
            last_message=shown_message_of(message, status["message"]),
            state=bounded(status["state"], STATE),
            log=as_log(status["log"]),
            **details,
        )
        label = f"handler {bounded(entry.key)} of {process.pid!r}"
        process.runtime.events.emit("crash", replace(report, label=label))


def _check_free(handler: GenEvent) -> None:
    if handler._is_installed:
        text = f"handler={bounded(handler)} is in a manager already; make a new object"
        raise ValueError(text)


def _no_maker(what: object) -> str:
    hint = ""
    if isinstance(what, GenEvent):  # one object would be there before and after a restart
        hint = f"; write [{type(what).__name__}] or [lambda: {type(what).__name__}(...)]"
    expected = "GenEvent classes or functions that make handlers"
    return f"handlers: {bounded(what)}; expected {expected}{hint}"


def _left_behind(entry: HandlerEntry, ran: Ran) -> object:
    """Return what `init_swapped` of the next handler gets."""
    return HandlerCrashed(entry.key, ran.reason) if isinstance(ran, Crash) else ran.value


def _swapped(new: HandlerEntry) -> Swapped:
    return Swapped(new.key, None if new.owner is None else new.owner.pid)
