"""How a `Stop` leaves the loop of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._exits.bare import as_reason
from .._exits.reasons import Internal
from .._util.unset import UNSET

if TYPE_CHECKING:
    from .._process.request import From


class Stopping(Internal, Exception):
    """Carries a Stop out of the loop."""

    def __init__(
        self, reason: object, from_: From[Any] | None = None, reply: object = UNSET
    ) -> None:
        super().__init__(reason)
        self.reason = as_reason(reason)
        self.from_ = from_
        self.reply = reply
