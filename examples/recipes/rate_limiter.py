"""Rate limiter: at most a number of permissions in a period, first come first served.

A server grants permission to begin, `rate` times per second, at most `burst` times at once after
a pause. A caller that has to wait is answered when its turn comes; one that has given up by then
delays no other. To limit each user separately, start a limiter per user with `ensure_child`.
"""

from __future__ import annotations

from collections import deque

import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock


class Next:
    """A message that the limiter sends itself: it is the next caller's turn."""


class Limiter(otp.GenServer):
    def __init__(self, *, rate: float, burst: int = 1) -> None:
        self.interval = 1 / rate
        self.slack = (burst - 1) * self.interval
        self.booked = 0.0  # until when all permissions are taken
        self.line: deque[otp.From[None]] = deque()

    @otp.on_call
    def try_take(self) -> bool:
        """Take a permission if one is available now."""
        return not self.line and self.take_now()

    @otp.on_call_deferred(timeout=None)
    def take(self, from_: otp.From[None]) -> None:
        """Wait for a permission; limit the wait with a cancel scope."""
        self.line.append(from_)
        if len(self.line) == 1:
            self.serve(Next())

    @otp.on_info(Next)
    def serve(self, _: Next) -> None:
        while self.line and self.line[0].abandoned:
            self.line.popleft()
        while self.line and self.take_now():
            otp.reply(self.line.popleft(), None)
        if self.line:
            otp.send_after(otp.self(), Next(), self.booked - self.slack, absolute=True)

    def take_now(self) -> bool:
        now = trio.current_time()
        if now < self.booked - self.slack:
            return False
        self.booked = max(self.booked, now) + self.interval
        return True


async def main() -> None:
    limiter = Limiter.at("limiter")

    async def work(name: str) -> None:
        await limiter.take()
        print(f"{trio.current_time():g} s: {name}")

    child = otp.child(Limiter, rate=2, burst=3).having(name="limiter")
    async with otp.open_supervisor([child]), trio.open_nursery() as nursery:
        for name in ("ada", "bob", "cyd", "dan", "eve"):
            nursery.start_soon(work, name)
            await trio.sleep(0.01)
        print("now or not:", await limiter.try_take())


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
