"""Calls, casts and system requests of other nodes, as they reach a process here.

Follows: Erlang's `gen`, `gen:reply/2`; `sys`, section "System Messages".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import outcome

from .._behaviour.messages import Cast
from .._behaviour.system_messages import SystemCall
from .._behaviour.system_requests import End, GetState, GetStatus, Resume, Suspend
from .._gen_server.method_messages import Message
from .._process.names import send_to_all, takes_messages
from .._process.request import new_request
from .._util.bounded import bounded
from ..events import NoticeReport
from .remote_pid import RemotePid
from .travelling import ERROR, OK, typed_call, typed_cast
from .wire.opaque import WirePid
from .wire.reasons import error_reply, reason_of
from .wire.terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.process import Process
    from .remote_node import RemoteNode

_TERMINATE: Final = "terminate"
_KEPT: Final = 2000  # characters of a state that has no form on the wire


class Answer:
    """What takes the answer to a call of another node there.

    Args:
        node: the node.
        process: the server, whose death the caller hears of by its monitor.
        caller: the process that calls.
        tag: what the caller knows the answer by.
    """

    __slots__ = ("_node", "_process", "_tag", "caller")

    def __init__(self, node: RemoteNode, process: Process, caller: RemotePid, tag: object) -> None:
        self._node = node
        self._process = process
        self.caller: RemotePid = caller
        self._tag = tag

    def __call__(self, result: outcome.Outcome[Any]) -> None:
        """Send the answer; an error goes as `{:error, exception}`."""
        if isinstance(result, outcome.Value):
            self.send(result.value)
        elif isinstance(result, outcome.Error) and not self._process.dead:
            self.send(error_reply(result.error))

    def send(self, value: object) -> None:
        """Send a term as the answer; one that has no form is the caller's error."""
        if not self._node.is_up:
            return
        try:
            self._send(value)
        except TypeError as exc:
            text = f"an answer of {self._process.pid!r} could not be sent: {exc}"
            self._process.runtime.events.emit("notice", NoticeReport(self._process.pid, text))
            self._send(error_reply(exc))

    def _send(self, value: object) -> None:
        node, to = self._node, self.caller.address
        if isinstance(to, WirePid):  # pragma: no branch - as all that come in
            node.add(node.own.codec.answer(self._process.pid, to, self._tag, value))


def deliver(node: RemoteNode, process: Process, ref: object, message: Any) -> None:
    """Hand what has come in to a process, as what it is: a call, a cast, a message.

    Args:
        node: where it comes from.
        process: who gets it.
        ref: its name or pid, for errors.
        message: the term.
    """
    if message.__class__ is tuple and message and message[0].__class__ is Atom:
        match message:
            case ("$gen_call", (RemotePid() as caller, tag), request):
                _call(process, ref, request, Answer(node, process, caller, tag))
                return
            case ("$gen_cast", request):
                _cast(process, request)
                return
            case ("system", (RemotePid() as caller, tag), request):
                _system(process, ref, request, Answer(node, process, caller, tag))
                return
            case _:  # a message of a user
                pass
    send_to_all([process], message)


def _call(process: Process, ref: object, request: object, answer: Answer) -> None:
    try:
        asked: Any = typed_call(process.behaviour, request)
    except (TypeError, ValueError) as exc:
        answer.send(error_reply(exc))
        return
    # What is full says so by the answer. A server that waits handles the call before this returns,
    # unless it is known to need its own task for that.
    at_once = not issubclass(asked.__class__, Message) or asked.method.at_once
    new_request(process, ref, asked, None)._post(answer, at_once)


def _cast(process: Process, request: object) -> None:
    try:
        request = typed_cast(process.behaviour, request)
    except (TypeError, ValueError) as exc:
        process.runtime.drop(process.pid, request, f"a cast of another node: {exc}")
        return
    send_to_all([process], Cast(request))


# -- system requests ---------------------------------------------------------------------------


def _system(process: Process, ref: object, request: Any, answer: Answer) -> None:
    """Pass on what `:sys` and `GenServer.stop` ask, but no functions."""
    made = _system_request(request)
    if made is None:
        answer.send((ERROR, (Atom("unknown_system_msg"), bounded(request))))
        return
    if not takes_messages(process):
        if isinstance(made[0], End):  # a plain process is cancelled, as by a local stop
            process.exit_with(made[0].reason, run_terminate=True)
            answer.send(OK)
        return
    deliver_answer = _Translated(answer, made[1])
    new_request(process, ref, made[0], None, SystemCall)._post(deliver_answer)


def _system_request(request: Any) -> tuple[Any, Callable[[Any], object]] | None:
    match request:
        case Atom("get_state"):
            return GetState(), lambda state: state
        case Atom("get_status"):
            return GetStatus(), _status
        case Atom("suspend"):
            return Suspend(), lambda _: OK
        case Atom("resume"):
            return Resume(), lambda _: OK
        case (Atom("terminate"), reason):
            return End(reason_of(reason)), lambda _: OK
        case _:
            return None


class _Translated:
    """An answer to a system request, in the terms of `sys`."""

    __slots__ = ("_answer", "_translate", "caller")

    def __init__(self, answer: Answer, translate: Callable[[Any], object]) -> None:
        self._answer = answer
        self._translate = translate
        self.caller: RemotePid = answer.caller

    def __call__(self, result: outcome.Outcome[Any]) -> None:
        if isinstance(result, outcome.Error):
            self._answer(result)
            return
        value: Any = result
        try:
            self._answer._send(self._translate(value.value))
        except TypeError:  # the state of a server is an object, as a rule
            self._answer._send(bounded(value.value, _KEPT))


def _status(status: Any) -> object:
    dictionary = [(bounded(key), bounded(value)) for key, value in status.dictionary.items()]
    misc = [dictionary, Atom(status.sys), status.parent, [], bounded(status.state, _KEPT)]
    return Atom("status"), status.pid, (Atom("module"), Atom(status.module)), misc
