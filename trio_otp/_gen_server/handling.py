"""One message in the hands of a server, as listeners of `otp.events` and propagators see it.

There is one while somebody listens or something travels with messages; otherwise a server pays one
test for each message. Each `handle_start` has one end: `handle_stop`, or `handle_error` if the
handler raised or was cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._exits.bare import reason_of

if TYPE_CHECKING:
    from .._process.process import Process


class Handling:
    """A message that is being handled; making one tells that it has begun.

    Args:
        process: of the server.
        kind: `call`, `cast`, `info` and so on.
        content: what the message carries.
        context: what has travelled with it, None if nothing has.
    """

    __slots__ = ("_attached", "_content", "_is_open", "_kind", "_process")

    def __init__(self, process: Process, kind: str, content: object, context: Any) -> None:
        self._process = process
        self._kind = kind
        self._content = content
        self._is_open = True
        events = process.runtime.events
        self._attached = None if context is None else events._attached(context)
        events.emit("handle_start", process.pid, kind, content)

    def stop(self) -> None:
        """Emit `handle_stop`."""
        self._is_open = False
        self._emit("handle_stop")

    def fail(self, exc: BaseException) -> None:
        """Emit `handle_error`: the handler has raised, or was cancelled, before it returned."""
        if self._is_open:
            self._is_open = False
            reason = reason_of(exc)
            self._emit("handle_error", reason if isinstance(reason, BaseException) else exc)

    def detach(self) -> None:
        """Detach what has travelled with the message."""
        if self._attached is not None:
            self._attached.detach()
            self._attached = None

    def _emit(self, event: str, *more: object) -> None:
        events, pid = self._process.runtime.events, self._process.pid
        events.emit(event, pid, self._kind, self._content, *more)
