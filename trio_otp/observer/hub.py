"""What all clients of one observer share: the samples of a run, and the watch over its loop.

It lives in the observer's own thread, in a Trio run of its own. While nobody subscribes to anything
it does nothing at all: it takes no samples, looks at nothing and has no deadline.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import outcome
import trio

from .._process.doing import place_line, work_text
from .._util.bounded import shown_text
from .reading.records import Records
from .reading.sampler import Sampler
from .reading.states import States
from .reading.texts import who
from .reading.vitals import Beats, Vitals
from .reading.watchdog import Watchdog
from .session.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .._process.runtime import Runtime

T = TypeVar("T")
GAP: Final = 0.2  # seconds between two samples that are compared
SAMPLES: Final = 3  # that a question without a subscription takes
STALE: Final = 3.0  # seconds after which a sample is too old to be compared with; twice `every`
LOOK: Final = 0.1  # seconds between two looks at the loop
PATIENCE: Final = 0.35  # seconds in one step after which the loop is stuck
ANSWER: Final = 0.2  # seconds that the loop has for an answer
NAP: Final = 1e-6  # seconds: the shortest time in which another thread gets the interpreter


class Hub:
    """What is known of one run, and how it is found out.

    Args:
        tables: those of the run.
        token: wakes its loop; None if the hub is used in that loop itself.
        records: what is heard of the run, if anything is.
    """

    def __init__(
        self,
        tables: Runtime,
        token: trio.lowlevel.TrioToken | None = None,
        records: Records | None = None,
    ) -> None:
        self.tables = tables
        self.states: States = States()
        self.sampler: Sampler = Sampler(tables, self.states)
        self.records: Records = Records(tables) if records is None else records
        self.vitals: Vitals = Vitals()
        self.patience: float = ANSWER
        self.actions = False  # whether clients may act
        self.url: str | None = None  # of the page, with its token
        self._token = token
        self._watchdog = Watchdog(tables, PATIENCE)
        self._sampling = trio.Lock()
        self._sampled_at = float("-inf")
        self._longest = 0.0  # the longest `every` of a subscription
        self._attended = 0  # subscriptions
        self._somebody = trio.Event()  # set while there is one
        self._changes = trio.lowlevel.ParkingLot()  # who waits for a change of the loop
        self._was_held = False
        self._beats = None if token is None else Beats(token)

    # -- the loop ----------------------------------------------------------------------------------

    def loop(self) -> dict[str, Any] | None:
        """Return what holds the loop and for how many seconds; None if it is not stuck."""
        held = self._watchdog.held(trio.current_time())
        if held is None:
            return None
        seconds, now = held
        process = now.process
        return {
            "stuck": round(seconds, 1),
            "where": shown_text(place_line(now.place), 300),
            "stack": [shown_text(place_line(place), 300) for place in now.stack[-12:]],
            "task": shown_text(now.task),
            "doing": None if process is None else work_text(process, quick=True),
            **({"pid": None, "name": None} if process is None else who(process)),
        }

    async def look(self) -> None:
        """Find out whether the loop is stuck, if nobody has been looking at it."""
        if self._attended:
            await trio.lowlevel.checkpoint()
            return
        until = trio.current_time() + PATIENCE + LOOK
        while (now := trio.current_time()) < until:
            if not self._watchdog.look(now) or self._watchdog.held(now):
                break
            await trio.sleep(LOOK / 2)
        await trio.lowlevel.checkpoint()

    async def watch(self) -> None:
        """Look at the loop while there are subscriptions; wake them when it is stuck, or free."""
        while True:
            await self._somebody.wait()
            await trio.sleep(LOOK)
            now = trio.current_time()
            busy = self._watchdog.look(now)
            if self._beats is not None:  # pragma: no branch - a hub in the loop does not watch it
                self._beats.look(busy)
            is_held = self._watchdog.held(now) is not None
            if is_held != self._was_held:
                self._was_held = is_held
                self._changes.unpark_all()

    async def wait(self, seconds: float) -> None:
        """Wait for so long, or until the loop has become stuck or free."""
        with trio.move_on_after(seconds):
            await self._changes.park()

    @contextmanager
    def attended(self, every: float) -> Generator[None]:
        """Have the loop watched for a subscription."""
        if not self._attended:
            self._listen(True)
        self._attended += 1
        self._longest = max(self._longest, every)
        self._somebody.set()
        try:
            yield
        finally:
            self._attended -= 1
            if not self._attended:
                self._somebody = trio.Event()
                self._longest = 0.0
                self.sampler.forget()
                self._listen(False)

    def _listen(self, is_watched: bool) -> None:
        """Have the ends of processes recorded, or not any more."""
        self.soon(lambda: self.records.watch(is_watched))

    # -- samples -----------------------------------------------------------------------------------

    async def sample(self, rounds: int = SAMPLES) -> None:
        """Have samples that are not older than `GAP`, and so many of them if there are none yet."""
        async with self._sampling:
            age = trio.current_time() - self._sampled_at
            if age > max(STALE, 2 * self._longest):
                self.sampler.forget()
            needed = max(rounds - self.sampler.rounds, 0 if age < GAP else 1)
            for number in range(needed):
                if number or age < GAP:
                    await self._pause()
                await self._sample()

    async def _pause(self) -> None:
        """Wait until a sample can be compared with the last one, and keep an eye on the loop."""
        for _ in range(2):
            self._watchdog.look(trio.current_time())
            await trio.sleep(GAP / 2)

    async def _sample(self) -> None:
        now = trio.current_time()
        elapsed, self._sampled_at = now - self._sampled_at, now
        self._watchdog.look(now)
        await self.in_slices(self.sampler.sample(self.tables.now(), elapsed))
        self._watchdog.look(trio.current_time())
        if self._attended:
            self.vitals.add(self.sampler, self._beats)

    async def in_slices(self, work: Iterator[None]) -> None:
        """Do some work that takes long, and let others go on at each of its pauses."""
        for _ in work:
            if self._token is not None:
                time.sleep(NAP)  # noqa: ASYNC251 - of a thread beside the loop that is to go on
            await trio.lowlevel.checkpoint()

    # -- questions to the loop ---------------------------------------------------------------------

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the loop of the program when it comes to it, if it ever does.

        Args:
            function: must not block, and must not raise.
        """
        assert self._token is not None
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(function)

    async def in_loop(self, function: Callable[[], T], seconds: float = ANSWER) -> T:
        """Call a function in the loop of the program, between two steps, and return what it gives.

        Args:
            function: must not block.
            seconds: how long to wait for the loop. What has not begun by then is not done at all.

        Raises:
            Refused: the loop did not come to it, as `NoAnswer`; or has ended, as `Ended`.
            Exception: what the function raises.
        """
        assert self._token is not None
        question = _Question(function)
        try:
            self._token.run_sync_soon(question.answer)
        except trio.RunFinishedError:
            raise Refused("Ended", "the program's loop has ended") from None
        try:
            with trio.move_on_after(seconds):
                await question.over.wait()
        finally:  # also if who asks is cancelled
            is_withdrawn = question.take_back()
        if is_withdrawn:
            raise Refused("NoAnswer", f"the loop did not answer within {seconds:g} s")
        await question.over.wait()  # it has begun, and must not block
        result: T = question.result.unwrap()
        return result


class _Question:
    """A call on its way into the loop of the program."""

    result: outcome.Outcome[Any]

    def __init__(self, function: Callable[[], Any]) -> None:
        self.over = trio.Event()
        self._function = function
        self._here = trio.lowlevel.current_trio_token()
        self._unclaimed = [True]  # who pops it decides: the loop begins, or nothing is done

    def answer(self) -> None:
        """Call the function; in the loop of the program."""
        if not self.take_back():
            return
        self.result = outcome.capture(self._function)
        with suppress(trio.RunFinishedError):  # the observer has ended meanwhile
            self._here.run_sync_soon(self.over.set)

    def take_back(self) -> bool:
        """Return whether nobody has before."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False
