"""Restart back-off: how long a child that fails waits for its next start."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .._exits.errors import SpecError
from .._util.bounded import bounded
from .._util.checks import is_number, is_seconds
from .._util.public import public


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a child waits before each restart: longer each time, until it runs well again.

    An option of a child, `.having(backoff=otp.Backoff())`, or `backoff=` of a supervisor for all
    its children. Without it children are restarted at once, as in OTP.

    Args:
        min_delay: seconds before the first restart.
        max_delay: the longest delay in seconds, jitter included.
        factor: each delay is the one before times this.
        jitter: the part of a delay that is added at random at most, so that children that failed
            together do not restart together: with 0.2 a delay of 10 s becomes 10 to 12 s.
        reset_after: seconds that a child has to run for its delays to begin with `min_delay` again;
            `math.inf` for never.

    Raises:
        SpecError: an argument is invalid; the text says what was expected.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import virtual_clock
    >>> async def broken():
    ...     print("tried at", trio.current_time())
    ...     raise OSError("no database")
    >>> async def main():
    ...     child = otp.child(broken).having(backoff=otp.Backoff(jitter=0))
    ...     with trio.move_on_after(10):
    ...         async with otp.open_supervisor([child]) as sup:
    ...             await sup.wait()
    >>> trio.run(main, clock=virtual_clock())
    tried at 0.0
    tried at 0.5
    tried at 1.5
    tried at 3.5
    tried at 7.5

    Follows: Akka's `BackoffSupervisor`; OTP has no back-off.
    """

    min_delay: float = 0.5
    max_delay: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        _check("min_delay", self.min_delay, _is_delay(self.min_delay), "a finite number > 0")
        expected = f"a finite number of seconds >= min_delay={self.min_delay}"
        longer = _is_delay(self.max_delay) and self.max_delay >= self.min_delay
        _check("max_delay", self.max_delay, longer, expected)
        grows = is_number(self.factor) and 1 <= self.factor <= sys.float_info.max
        _check("factor", self.factor, grows, "a finite number >= 1")
        is_part = is_number(self.jitter) and 0 <= self.jitter <= 1
        _check("jitter", self.jitter, is_part, "a number from 0 to 1")
        _check("reset_after", self.reset_after, is_seconds(self.reset_after), "seconds >= 0")


# Of a child: its own, none, or that of its supervisor.
BackoffOption: TypeAlias = Backoff | Literal["supervisor"] | None


def _is_delay(value: Any) -> bool:
    return is_seconds(value) and 0 < value < math.inf


def _check(name: str, value: object, accepted: bool, expected: str) -> None:
    if not accepted:
        raise SpecError(f"{name}={bounded(value)}: expected {expected}")
