"""The loop of a GenServer: which callback a message is for, and what its return value means.

Follows: Erlang's `gen_server`, section "Callback functions".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

import trio

from .._behaviour.messages import Cast, Handled
from .._behaviour.results import OUTCOMES, NoReply, Reply, Stop, as_outcome, is_value
from .._behaviour.stopping import Stopping
from .._exits.errors import BadReturn
from .._process.request import From
from .._util.checks import check_timeout
from .._util.sent import SENT
from .._util.unset import UNSET
from .handling import Handling
from .message_loop import MessageLoop
from .method_messages import Message

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .._process.debug import Debug

_GO_ON: Final = "None, NoReply() or Stop(reason)"


@dataclass(slots=True)
class Continue:
    """The token of a `continue_`, on its way to `handle_continue`."""

    token: object


class ServerLoop(MessageLoop):
    """The shell around one instance of a GenServer."""

    __slots__ = ()

    def _begin(self, result: object) -> None:
        """Carry out what init returned."""
        if result is not None:
            self._carry_on("init", result, "None, NoReply(), Stop(reason) or IGNORE")

    def _handle(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        """Report a message, call its callback, and do what that returned."""
        process, instance, kind = self.process, self.instance, message.__class__
        debug = process.debug
        if debug is not None:
            self._tell(debug, message)
        if process.runtime.events._on_handle:
            kind_told, told = self._told_as(message)
            context = message.context if kind_told in _CARRIERS else None
            self._handling = Handling(process, kind_told, told, context)
        if kind is Cast:
            content = message.message
            if isinstance(content, Handled):
                result = content.run(instance, None)
            else:
                result = instance.handle_cast(content)
            if result is None and self._handling is None and debug is None:  # as for most
                process.messages_handled += 1
                return None
        elif kind is From and message._server is process:
            request = message.message
            if isinstance(request, Handled):
                result = request.run(instance, message)
            else:
                result = instance.handle_call(request, message)
        elif kind is Continue:
            process.current = message.token
            result = instance.handle_continue(message.token)
        else:
            result = instance.handle_info(message)
        if result.__class__ is CoroutineType:
            return result
        self._done(message, result)
        del result  # the traceback of an error that is the answer may keep this frame alive
        return None

    def _done(self, message: Any, result: object) -> None:
        """Report the end of a callback, and do what it returned."""
        if self._handling is not None:
            self._done_told(self._handling, message, result)
            return
        process, kind = self.process, message.__class__
        if process.debug is not None:
            self._tell_result(process.debug, message, result)
        if kind is From and message._server is process:
            if process.pending_exit is UNSET:
                self._answer(message, result)
        elif result is not None:
            self._carry_on(_CALLBACKS.get(kind, "handle_info"), result)
        if kind is not Continue:
            process.messages_handled += 1

    def _answer(self, from_: From[Any], result: Any) -> None:
        """Do what `handle_call` returned."""
        if result.__class__ is Reply:
            value = result.value
        elif is_value(from_.message, result):
            value = result
        elif isinstance(result, NoReply):
            from_._defer()
            self._go_on(result)
            return
        elif isinstance(result, Stop):
            raise Stopping(result.reason, from_, result.reply)
        else:
            raise _bad_answer(from_, result)
        if value.__class__ in OUTCOMES:
            from_._answer_with(as_outcome(value))
        else:
            from_._answer(value)
        if value is not result and (result.continue_ is not None or result.timeout is not None):
            self._go_on(result)

    def _carry_on(self, callback: str, result: object, accepted: str = _GO_ON) -> None:
        """Do what a callback that answers nobody returned."""
        if isinstance(result, NoReply):
            self._go_on(result)
        elif isinstance(result, Stop):
            raise Stopping(result.reason)
        elif result is not SENT:
            raise BadReturn(_written(callback, self.process.current), result, accepted)

    def _go_on(self, result: Reply[Any] | NoReply) -> None:
        if result.continue_ is not None:
            self._internal = Continue(result.continue_)
        if result.timeout is not None:
            check_timeout("timeout", result.timeout)
            self._deadline = trio.current_time() + result.timeout

    # -- who listens and who watches ---------------------------------------------------------

    def _told_as(self, message: Any) -> tuple[str, object]:
        """Return what hooks are told of a message: its kind and its content."""
        kind = message.__class__
        if kind is From and message._server is self.process:
            return "call", message.message
        if kind is Cast:
            return "cast", message.message
        return ("continue", message.token) if kind is Continue else ("info", message)

    def _tell(self, debug: Debug, message: object) -> None:
        """Report a message in hand to the watchers."""
        kind, content = self._told_as(message)
        if kind == "call":
            debug.event("in", content, client=message)
        else:
            debug.event("continue" if kind == "continue" else "in", content)

    def _tell_result(self, debug: Debug, message: Any, result: Any) -> None:
        """Report to the watchers what has come of it: an answer, or none."""
        kind, content = self._told_as(message)
        if kind == "call" and result.__class__ is Reply:
            debug.event("out", result.value, client=message)
        elif kind == "call" and is_value(content, result):
            debug.event("out", result, client=message)
        elif kind != "continue" and not isinstance(result, Stop):
            debug.event("noreply")


def _written(callback: str, message: Any) -> str:
    """Return the name of the callback that was written: a decorated method has one of its own."""
    content = message.message if message.__class__ in (Cast, From) else None
    return content.method.name if isinstance(content, Message) else callback


def _bad_answer(from_: From[Any], result: object) -> BadReturn:
    if isinstance(from_.message, Message):  # a deferred one: of any other each value is an answer
        accepted = (
            "None: the answer is sent by otp.reply(from_, value); to return it take @otp.on_call"
        )
    else:
        hint = "; to answer None write Reply(None)" if result is None else ""
        accepted = f"Reply(value), NoReply() or Stop(reason, reply=){hint}"
    return BadReturn(_written("handle_call", from_), result, accepted)


_CARRIERS: Final = ("call", "cast")  # the kinds of messages with which something travels
_CALLBACKS: Final[dict[type[object], str]] = {Cast: "handle_cast", Continue: "handle_continue"}
