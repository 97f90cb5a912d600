"""The error of a checkout that times out."""

from __future__ import annotations

from .._exits.call_errors import CallError, TimedOut
from .._exits.reasons import TIMEOUT
from .._util.bounded import bounded
from .._util.public import public


@public
class CheckoutTimeout(CallError, TimedOut):
    """No worker of the pool was free in time; if the last start has failed, that is the cause."""

    def __init__(self, server: object, elapsed: float, *, timeout: float, doing: str = "") -> None:
        text = f"no worker of {bounded(server)} was free within {timeout:g} s{doing}"
        super().__init__(text, server, None, elapsed)
        self.reason = TIMEOUT
