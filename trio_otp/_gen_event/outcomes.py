"""What comes of a callback of a handler, and the errors of those who ask for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from .._exits.errors import OtpError, WithReason
from .._exits.reasons import reason_text
from .._util.bounded import bounded
from .._util.public import public


@dataclass(slots=True)
class Returned:
    """What `EventManager.attempt` gives if the callback returned: its value, whatever it is."""

    value: Any


@dataclass(slots=True)
class Crash:
    """What it gives if the callback raised. Neither is itself a value: one has to look which."""

    reason: object


Ran: TypeAlias = Returned | Crash


@public
class NoHandler(OtpError, LookupError):
    """The event manager has no such handler."""

    def __init__(self, handler: object) -> None:
        super().__init__(f"no handler {bounded(handler)}; add it with otp.gen_event.add_handler")
        self.handler = handler


@public
class HandlerCrashed(WithReason):
    """A handler crashed with the request in hand; `reason` says why, also as `__cause__`."""

    def __init__(self, handler: object, reason: object) -> None:
        super().__init__(f"handler {bounded(handler)} crashed: {reason_text(reason)}", reason)
        self.handler = handler
