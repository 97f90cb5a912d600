"""The loop of `async_stream`: so many tasks at a time, results as they come.

The consumer drives it: nothing starts before the first result is asked for, and new tasks start
only while the consumer waits for one. A result is given when the process of its task is dead.

Rules:

* Running tasks are at most `max_concurrency`; results that wait behind the next one are at most
  `max_buffer`, so a slow first task does not let the rest pile up.
* Each task has its own time, from its own start, also while the consumer is busy.
* Leaving the block kills what runs and waits for its end: no process, link or message is left.
  Then an input that has not been read to its end is closed, as `yield from` does when it is left.
* A crash ends the consumer like a link, if it is a process that does not trap exits; all others get
  `Exited(reason)`. No exit message reaches the consumer's mailbox.

Follows: Elixir's `Task.async_stream/3`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, final, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.nurseries import OwnNursery
from .._exits.reasons import KILLED, TIMEOUT
from .._process.block import block
from .._process.identity import callers_for
from .._process.nursery import OrderedNursery
from .._process.runtime import calling_process, own_process, runtime
from .._process.wait_edges import await_ends, leave_wait
from .._start.spec import Runnable
from .._start.start import Start
from .._util.bounded import bounded, label_of
from .._util.checks import check_choice, check_flag, check_whole, is_seconds
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public_in
from .._util.user_code import interruptible
from .job import Job, check_function
from .result import Exited, Ok, Outcome, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.timers import Fifo

    StartJob = Callable[[Job], Awaitable[object]]  # starts the process of a job

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")
MAX_CONCURRENCY: Final = 8  # processors do not matter, as all tasks share one
ITEM_TIMEOUT: Final = 5.0  # seconds
OnItemTimeout = Literal["exit", "kill_task"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stream does, with every option checked and filled in."""

    fn: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]
    max_concurrency: int = MAX_CONCURRENCY
    ordered: bool = True
    timeout: float | None = ITEM_TIMEOUT
    on_timeout: OnItemTimeout = "exit"
    zip_input_on_exit: bool = False
    max_buffer: int | Literal["auto"] | None = "auto"
    link: bool = True

    def __post_init__(self) -> None:
        check_function(self.fn, (None, *self.args))  # None stands for an item
        check_whole("max_concurrency", self.max_concurrency, 1)
        if self.max_buffer not in ("auto", None):
            check_whole("max_buffer", self.max_buffer, 0, " or None for any number")
        if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout > 0):
            raise ValueError(
                f"timeout={bounded(self.timeout)}: expected a number of seconds > 0, or None"
            )
        for name in ("ordered", "zip_input_on_exit"):
            check_flag(name, getattr(self, name), error=ValueError)
        check_choice("on_timeout", self.on_timeout, get_args(OnItemTimeout))

    @property
    def most(self) -> float:
        """How many tasks may be started whose results have not been given."""
        if self.max_buffer is None:
            return float("inf")
        held = 2 * self.max_concurrency if self.max_buffer == "auto" else self.max_buffer
        return held + 1  # the one that is given next is not held back


class Item:
    """One element of a stream: its input, its process, and what came of it."""

    __slots__ = (
        "_fifo",
        "given_up",
        "owner",
        "process",
        "reply",
        "result",
        "stream",
        "timed_out",
        "value",
    )

    def __init__(self, stream: TaskStream[Any], value: object) -> None:
        self.stream: TaskStream[Any] = stream
        self.value: object = value
        self.owner: Pid[Any] | None = stream.owner
        self.process: Process | None = None
        self.result: Outcome[Any] | None = None
        self.reply: Ok[Any] | None = None
        self.timed_out: bool = False
        self.given_up: bool = False  # its start was: should it come to run, it need not
        self._fifo: Fifo | None = None  # of its time-out

    @property
    def _wanted(self) -> bool:
        return not (self.given_up or self.stream.closed)

    def _bind(self, process: Process) -> None:
        self.process = process
        process.add_watcher(self._died)
        if self.stream.plan.timeout is not None:
            self._fifo = process.runtime.timers.limit(self, self.stream.plan.timeout)

    def _reply(self, value: object) -> None:
        self.reply = Ok(value)

    def expire(self) -> None:
        """Its time is up."""
        self.timed_out = True
        assert self.process is not None
        self.process.exit_with(KILLED)

    def _died(self, process: Process) -> None:
        plan = self.stream.plan
        reason = TIMEOUT if self.timed_out else process.exit_reason
        zipped = self.value if plan.zip_input_on_exit else None
        self.result = self.reply or Exited(reason, zipped)
        if self._fifo is not None:
            self._fifo.pop(self, None)
        self.stream.item_ended(self, process, reason)


@final
@public_in("task")
class TaskStream(NoConstructor, Handle, Generic[T]):
    """The async iterator that `otp.task.async_stream` gives."""

    _origin: ClassVar[str] = "otp.task.async_stream(items, fn) yields one"

    def __init__(self, items: Iterable[Any], plan: Plan, start: StartJob) -> None:
        self.plan = plan
        self.closed: bool = False
        self._owner = own_process()
        self.owner: Pid | None = None if self._owner is None else self._owner.pid
        self._label = label_of(plan.fn)
        self._callers = callers_for(self._owner)
        self._most = plan.most
        self._items = iter(items)
        self._start = start
        self._again: list[Any] = []  # an input whose start was cancelled
        self._exhausted = False
        self._pending: dict[Item, None] = {}  # started, and not given: oldest first
        self._ended: deque[Item] = deque()  # of them the ended ones, in that order
        self._running = 0
        self._failure: TaskTimeout | None = None
        self._news: trio.Event | None = None
        self._busy = False

    def __aiter__(self) -> TaskStream[T]:
        return self

    @enable_ki_protection
    async def __anext__(self) -> Outcome[T]:
        if self._busy:
            raise trio.BusyResourceError("another task waits for the next result of this stream")
        self._busy = True
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            self._news = None
            try:
                return await self._next()
            finally:
                if self._news is None:  # it has not waited
                    await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._busy = False

    async def _next(self) -> Outcome[T]:
        while True:
            if self.closed:
                raise trio.ClosedResourceError("the block of this stream has been left")
            if self._failure is not None:
                raise self._failure
            if (result := self._take_ready()) is not None:
                return result
            if await self._start_next():
                continue
            if not self._pending:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()

    def _take_ready(self) -> Outcome[T] | None:
        if not self._ended:
            return None
        item = next(iter(self._pending)) if self.plan.ordered else self._ended[0]
        if item.result is not None:
            self._ended.remove(item)
            del self._pending[item]
        return item.result

    async def _start_next(self) -> bool:
        """Start a task if there may be one more, and an input for it."""
        if self._running >= self.plan.max_concurrency or len(self._pending) >= self._most:
            return False
        if (item := self._take_input()) is None:
            return False
        plan = self.plan  # which has been checked
        job = Job(plan.fn, (item.value, *plan.args), self._label, item, False, self._callers)
        self._pending[item] = None
        self._running += 1
        try:
            await self._start(job)
        except BaseException:
            self._take_back(item)
            raise
        return True

    def _take_input(self) -> Item | None:
        if self._again:
            return Item(self, self._again.pop())
        if self._exhausted:
            return None
        try:
            return Item(self, interruptible(next, self._items))
        except StopIteration:
            self._exhausted = True
            return None
        except StopAsyncIteration as exc:  # it would end the loop over the stream without a word
            raise RuntimeError("the input of the stream raised StopAsyncIteration") from exc

    def _take_back(self, item: Item) -> None:
        """Undo a start that failed; one that was cancelled after it began is a start."""
        if item.process is None:
            item.given_up = True
            del self._pending[item]
            self._running -= 1
            self._again.append(item.value)

    def item_ended(self, item: Item, process: Process, reason: object) -> None:
        """Take the end of a task; a link would have told the owner."""
        self._running -= 1
        self._ended.append(item)
        if item.timed_out and item.reply is None and self.plan.on_timeout == "exit":
            shown = bounded(item.value)
            text = f"the task of item {shown} took longer than {self.plan.timeout} s"
            self._failure = self._failure or TaskTimeout(
                item.value, timeout=self.plan.timeout, text=text
            )
        elif self.plan.link and not self.closed and not item.timed_out:
            self._tell_owner(process, reason)
        if self._news is not None:
            self._news.set()

    def _tell_owner(self, process: Process, reason: object) -> None:
        owner = self._owner
        if owner is not None and not owner.trap_exit:
            owner.signal(process.pid, reason, linked=True)

    async def close(self) -> None:
        """Kill what runs, and wait for its end."""
        self.closed = True
        if not self.plan.link and self._owner_dies():
            return  # as in OTP, they outlive their owner; they have a supervisor
        running = [item.process for item in self._pending if item.process is not None]
        for process in running:
            process.exit_with(self._stop_reason(process))
        waiter = calling_process()
        await_ends(waiter, dict.fromkeys(running))
        try:
            with trio.CancelScope(shield=True):
                for process in running:
                    await process.wait_dead()
        finally:
            leave_wait(waiter)

    def close_input(self) -> None:
        """Close an input that was not read to its end; no task uses what it gave any more.

        An iterator without a `close`, as a `map` over a generator, is let go of, as by a loop.
        """
        items, self._items = self._items, iter(())
        if not self._exhausted and (close := getattr(items, "close", None)) is not None:
            close()

    def _stop_reason(self, process: Process) -> object:
        """Return the reason of its end: killed, unless it would die of the link to its owner."""
        owner = self._owner
        if owner is None or not self._owner_dies() or process.trap_exit:
            return KILLED
        return owner.pending_exit

    def _owner_dies(self) -> bool:
        owner = self._owner
        return owner is not None and not owner.may_terminate


def check_items(items: object) -> None:
    """Refuse what is no input, where the stream is made; what iterates over it is made later."""
    if not isinstance(items, Iterable) and not hasattr(type(items), "__getitem__"):
        what = "an iterable that is not async" if hasattr(items, "__aiter__") else "an iterable"
        raise TypeError(f"items={bounded(items)}: expected {what}")


@block("async with otp.task.async_stream(items, fn) as results: ...")
@enable_ki_protection
async def open_stream(
    items: Iterable[Any], plan: Plan, start: StartJob | None
) -> AsyncGenerator[TaskStream[Any]]:
    """Open the block of a stream.

    Args:
        items: the inputs.
        plan: what is to be done with them.
        start: starts the process of a job; if not given, it lives in a nursery of the block.
    """
    async with OwnNursery() as nursery:
        ordered = OrderedNursery(runtime(), nursery)
        stream: TaskStream[Any] = create(TaskStream, items, plan, start or _starter(ordered))
        try:
            yield stream
        finally:
            try:
                await stream.close()  # noqa: ASYNC102 - it shields itself
                await ordered.close()  # noqa: ASYNC102 - as well
            finally:
                stream.close_input()


def _starter(ordered: OrderedNursery) -> StartJob:
    starter = own_process()

    async def start(job: Job) -> None:  # noqa: ASYNC124 - that of a supervisor waits
        process = Start(Runnable(job.label, job.run), ordered, starter).create()
        process.work_for(job.callers)
        assert job.sink is not None
        job.sink._bind(process)

    return start
