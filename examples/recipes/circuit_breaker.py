"""Circuit breaker: stop asking a service that is down, and try again after a while.

A service that is down costs each caller a timeout, and the calls keep it down. So callers ask a
breaker first. After several failures in a row it refuses at once; later it allows one new attempt.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock

Service: TypeAlias = Callable[[], Awaitable[Any]]
State = enum.Enum("State", "CLOSED OPEN HALF_OPEN TRYING")


class CircuitOpen(Exception):
    """The service has failed too often, so it was not asked."""


class Breaker(otp.GenStatem[State]):
    initial = State.CLOSED

    def __init__(self, *, failures: int, cool_down: float) -> None:
        self.most, self.cool_down = failures, cool_down
        self.failed = 0  # failures in a row

    def handle_event(self, kind: Any, content: Any, state: State) -> Any:
        if isinstance(kind, otp.From):  # asks for permission
            if state is not State.HALF_OPEN:
                return otp.KeepState(otp.Reply(state is State.CLOSED))
            return otp.NextState(State.TRYING, otp.Reply(True), otp.StateTimeout(self.cool_down))
        if kind is otp.Event.STATE_TIMEOUT:  # also if the trial call never reports
            return otp.NextState(State.HALF_OPEN)
        self.failed = self.failed + 1 if content == "failed" else 0
        if state is State.TRYING and content == "worked":
            return otp.NextState(State.CLOSED)
        if state is State.TRYING or (state is State.CLOSED and self.failed >= self.most):
            return otp.NextState(State.OPEN, otp.StateTimeout(self.cool_down))
        return None  # late reports of earlier calls


async def guarded(breaker: otp.Ref, function: Service) -> Any:
    """Call the service if the breaker allows it, and tell the breaker how it went."""
    if not await otp.call(breaker, "may I?"):
        raise CircuitOpen
    try:
        result = await function()
    except Exception:
        otp.cast(breaker, "failed")
        raise
    otp.cast(breaker, "worked")
    return result


async def service() -> str:
    if trio.current_time() < 25:
        raise OSError("connection refused")
    return "here I am"


async def main() -> None:
    breaker = otp.child(Breaker, failures=3, cool_down=10.0).having(name="breaker")
    async with otp.open_supervisor([breaker]):
        for _ in range(10):
            await trio.sleep(4)
            try:
                print(await guarded("breaker", service))
            except (OSError, CircuitOpen) as exc:
                print(repr(exc))


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
