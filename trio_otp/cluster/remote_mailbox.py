"""The mailbox of a process of another node: what is put into it is written to the connection.

A message is encoded where it is sent, so that what has no form on the wire is the sender's error,
and what is changed later does not matter.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import Cast, Terminate
from .._behaviour.system_messages import SystemCall
from .._exits.call_errors import CallError
from .._process.mailbox import NO_QUEUE, Mailbox
from .._process.request import From
from .._process.room import RoomRequest, put_when_room
from .._process.signals import Down
from ..events import NoticeReport
from .remote_process import sender_of
from .travelling import SYSTEM, as_term
from .wire.control import MonitorExit
from .wire.opaque import Reference, opaque
from .wire.terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.pid import Pid
    from .remote_process import RemoteProcess
    from .wire.heads import Heads

_TERMINATE = Atom("terminate")


class RemoteMailbox(Mailbox):
    """Writes to the connection.

    Args:
        process: whose mailbox it is.
    """

    __slots__ = ("process",)

    def __init__(self, process: RemoteProcess) -> None:
        super().__init__()
        self.process: RemoteProcess = process

    @enable_ki_protection
    def put(self, message: Any) -> bool | None:
        """Send a message.

        Raises:
            TypeError: it has no form on the wire.
            trio.BrokenResourceError: the connection is lost.
        """
        if self.queue is NO_QUEUE:
            raise trio.BrokenResourceError("the connection to the process is lost")
        kind = message.__class__
        if kind is Cast:
            self.process.node.add(self._heads.cast(as_term(message.message)))
        elif issubclass(kind, From):
            self._request(message)
        elif kind is Terminate:
            self._stop(message.reason)
        elif kind is Down and message.ref in self.process.node.watches:
            self._tell_down(message)
        else:
            self._send(message)
        return None

    offer = put

    @enable_ki_protection
    def deliver(self, message: object) -> bool | None:
        """Send what nobody waits for: a message that has no form on the wire is dropped."""
        try:
            return self.put(message)
        except TypeError as exc:
            process = self.process
            text = f"a message to {process.pid!r} could not be sent: {exc}"
            process.runtime.events.emit("notice", NoticeReport(process.pid, text))
            return self.drop(message, "it has no form on another node")

    def drop(self, message: object, why: str) -> bool:
        """Drop a message; return False."""
        self.process.runtime.drop(self.process.pid, message, why)
        return False

    # -- what is sent ----------------------------------------------------------------------------

    @property
    def _heads(self) -> Heads:
        return self.process.heads(sender_of(self.process.node))

    def _send(self, message: object) -> int:
        return self.process.node.add(self._heads.send(message))

    def _request(self, request: From[Any]) -> None:
        """Send a request, at once or when there is room for it; its caller waits for the answer."""
        process = self.process
        sender = sender_of(process.node)
        waits = request._deliver is None or request._timeout is not None
        if waits and process.node.is_busy:
            process.node.line[request] = partial(self._post, request, sender)
        else:
            self._post(request, sender)

    def _post(self, request: Any, sender: Pid) -> None:
        """Send a call behind its monitor: two frames. What has no form is the caller's error."""
        process = self.process
        node, requests = process.node, process.requests
        if requests is None or process.dead:  # pragma: no cover - then it has been answered
            return
        try:
            if isinstance(request, RoomRequest):
                self.put(request.brings)
                request._answer(None)
                return
            if isinstance(request, SystemCall):
                raise TypeError(f"{request.message!r} has no form on another node")
            ref = node.new_ref()
            frames = process.heads(sender).call(ref, as_term(request.message))
        except TypeError as exc:
            request._fail(exc)
            return
        requests[request] = (ref, node.added + 1, sender)  # type: ignore[assignment]  # OpenCalls
        node.awaited[ref] = request
        node.add(frames)

    def _stop(self, reason: object) -> None:
        """Ask the process to end; that it says `ok` before it does so is not waited for."""
        process = self.process
        assert process.watch is not None  # it is what `incarnation` gives
        ref, sender = process.watch
        tag = sender, opaque(Reference, ref)
        process.asked = self._send((SYSTEM, tag, (_TERMINATE, reason)))

    def _tell_down(self, down: Down) -> None:
        """Tell a process there of the end of one here that it monitors."""
        node = self.process.node
        ref, what = node.watches.pop(down.ref)
        node.watching.pop(ref._data, None)
        node.send(MonitorExit(what, self.process.pid, ref, down.reason))

    # -- who waits for room ----------------------------------------------------------------------

    def has_room(self) -> bool:
        """Check whether the next message would not wait for others to be sent."""
        return not self.process.node.is_busy

    @enable_ki_protection
    def take_back(self, message: object) -> None:
        """Take back a call that was cancelled before it was made: `OpenCalls.pop` has done so."""

    @enable_ki_protection
    async def send(self, end: object, message: object) -> None:
        """Send what comes through a send end, when there is room for it."""
        try:
            await put_when_room(self.process, self.process.pid, message, message, end)
        except CallError:
            raise trio.BrokenResourceError("the connection to the process is lost") from None

    @enable_ki_protection
    def close_end(self, end: object) -> None:
        """Count a send end no more; who waits for room on it gets `ClosedResourceError`."""
        super().close_end(end)
        line: dict[Any, Callable[[], object]] = self.process.node.line
        for waiter in [each for each in line if isinstance(each, RoomRequest) and each.end is end]:
            waiter._fail(trio.ClosedResourceError("this send end was closed"))
