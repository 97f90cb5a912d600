"""Virtual time: a clock that jumps to what is next when nothing can happen before.

Follows: Akka's `ManualTime`.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, cast, final

import trio
import trio.testing

from .._process.checkpoints import checkpointed
from .._timers.send_after import check_delay
from .._util.copies import NoConstructor
from .._util.public import public_in
from .standstill import Lookout

if TYPE_CHECKING:
    from trio.abc import Clock
else:
    Clock = object


@final
@public_in("testing")
class VirtualTime(NoConstructor, Clock):  # type: ignore[misc]  # a MockClock has what is missing
    """A `trio.testing.MockClock` that can also do this; the fixture `virtual_time` is one.

    Time stands still while anything can happen, and jumps to the next deadline when the test and
    all processes wait. So a test that waits an hour takes no time, and one that does not wait sees
    no time pass. One that would wait for ever fails with `Standstill`.
    """

    _origin: ClassVar[str] = "otp.testing.virtual_clock() returns one"

    async def advance(self, seconds: float) -> None:
        """Advance time: all that is due until then happens, each at its time.

        Args:
            seconds: how long; 0 is the same as `settle`.

        Raises:
            ValueError: the time is negative or no finite number.
            RuntimeError: this is not the clock of the run.
        """

    async def settle(self) -> None:
        """Wait until nothing can happen unless time passes.

        Threads and other programs are not waited for.

        Raises:
            RuntimeError: this is not the clock of the run.
        """

    def jump(self, seconds: float) -> None:
        """Set the clock forward at once; what was due in between is then late.

        Args:
            seconds: how far.
        """


@public_in("testing")
def virtual_clock() -> VirtualTime:
    """Make a clock for `trio.run(main, clock=...)`, as the fixture `virtual_time` is.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import virtual_clock
    >>> clock = virtual_clock()
    >>> async def main():
    ...     async with otp.open_process() as me:
    ...         otp.send_interval(me, "tick", 60)
    ...         await clock.advance(3600)
    ...         print(trio.current_time(), otp.process_info(me).message_queue_len)
    >>> trio.run(main, clock=clock)
    3600.0 60
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    # Trio lets no class extend its own, so the functions are put on the instance.
    vars(clock).update(
        advance=partial(_advance, clock),
        settle=partial(_settle, clock),
        _autojump=partial(_jump_or_look, clock, Lookout()),
    )
    return cast("VirtualTime", clock)


def rewind(clock: object) -> None:
    """Set such a clock to what it was when it was made: to 0, for a run of its own."""
    if isinstance(clock, trio.testing.MockClock) and "advance" in vars(clock):
        trio.testing.MockClock.__init__(clock, autojump_threshold=0)


def _jump_or_look(clock: trio.testing.MockClock, lookout: Lookout) -> None:
    """Jump to the next deadline, as Trio asks its clock to; if there is none, look why."""
    if trio.lowlevel.current_statistics().seconds_to_next_deadline < inf:
        type(clock)._autojump(clock)
    else:
        lookout.look()


@checkpointed
async def _advance(clock: Any, seconds: float) -> None:
    check_delay(seconds, "seconds")
    _check(clock)
    await trio.sleep(seconds)
    await trio.testing.wait_all_tasks_blocked()


@checkpointed
async def _settle(clock: Any) -> None:
    _check(clock)
    await trio.testing.wait_all_tasks_blocked()


def _check(clock: Any) -> None:
    if trio.lowlevel.current_clock() is not clock:
        raise RuntimeError(
            "virtual_time is not the clock of this run: let the test itself take it, as in "
            "async def test_...(virtual_time), not only a fixture of it"
        )
