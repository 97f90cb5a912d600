"""The handle of one task, with the slot for its result, and how its owner waits for news.

The result lives in the handle, not in the owner's mailbox: waiting for it disturbs nothing else,
and a late one has nowhere to go. Each result is taken once; then, or when the owner gave up, the
handle is closed and what comes later is dropped and counted.

With `deliver=True` the owner also gets OTP's two messages, `TaskReply(task, value)` and then
`Down(task.ref, pid, reason)`. Taking the result by a function takes them out of the mailbox again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import KILLED
from .._process.checkpoints import checkpointed
from .._process.links import demonitor
from .._process.mailbox import Notification
from .._process.news import News
from .._process.runtime import own_process, runtime
from .._process.signals import Down, Exit, Monitor
from .._process.tables import with_key, without_key
from .._util.bounded import bounded, shown_text
from .._util.checks import check_flag, check_timeout
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public
from .result import Exited, Ok, TaskExited, TaskNotOwned, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.tables import Keys
    from .result import Outcome

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")
AWAIT_TIMEOUT = 5.0  # seconds


def expect_task(task: object) -> None:
    """Refuse, in the caller, what is not a task.

    Args:
        task: what a function of `otp.task` was given.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(task, Task):
        accepted = f"what otp.task.start_async returns{_what_was_meant(task)}"
        raise TypeError(f"task={bounded(task)}: expected {accepted}")


def _what_was_meant(what: object) -> str:
    if isinstance(what, list | tuple | set):
        return "; for several there are otp.task.await_many and yield_many"
    return "; write otp.task.start_async(fn, *args)" if callable(what) else ""


@final
@public
class Task(NoConstructor, Handle, Generic[T]):
    """One task that somebody waits for; `otp.task.start_async` makes one.

    `await task` is `await otp.task.await_one(task)`. `owner` is the process that may take its
    result, None for plain Trio code. `pid` is the process that runs it, None if it was made by
    `otp.task.completed`. `ref` is the monitor whose `Down` comes if `deliver` was True, else None.
    """

    _origin: ClassVar[str] = "otp.task.start_async(fn, *args) returns one"

    __slots__ = (
        "__weakref__",
        "_deliver",
        "_delivered",
        "_open",
        "_result",
        "_waiters",
        "label",
        "owner",
        "pid",
        "ref",
    )

    def __init__(self, owner: Pid | None, label: str, *, deliver: bool = False) -> None:
        check_flag("deliver", deliver)
        self.owner: Pid | None = owner
        self.label: str = label
        self.pid: Pid | None = None
        self.ref: Monitor | None = None
        self._deliver = deliver
        self._delivered = False  # what came of it is also a message to the owner
        self._open = True
        self._result: Outcome[T] | None = None
        self._waiters: Keys[News] = None

    def __repr__(self) -> str:
        runs = "completed" if self.pid is None else repr(self.pid)
        return f"<Task {shown_text(self.label)} {runs}>"

    def __await__(self) -> Generator[Any, None, T]:
        return self._await_result("await_one", AWAIT_TIMEOUT).__await__()

    # -- for the process that runs it ---------------------------------------------------------

    @enable_ki_protection
    def _bind(self, process: Process) -> None:
        """Record the process; the owner hears of its end."""
        self.pid = process.pid
        process.add_watcher(self._died)
        owner = self._owner_process
        if self._deliver and owner is not None:
            self.ref = create(Monitor, owner, process.pid)
            process.add_monitor(self.ref)

    @enable_ki_protection
    def _reply(self, value: T) -> None:
        """Take the result, unless nobody waits for it any more."""
        if not self._open:
            runtime().drop(self.owner, value, "late reply of a task")
            return
        self._result = Ok(value)
        owner = self._owner_process
        if self._tells_owner():
            assert owner is not None
            owner.mailbox.put(TaskReply(self, value))
        self._wake()

    def _died(self, process: Process) -> None:
        if self._open and self._result is None:
            self._result = Exited(process.exit_reason)
            self._tells_owner()  # by the `Down` that has gone out
        self._wake()

    def _tells_owner(self) -> bool:
        """Whether news is a message; not while a function waits for it."""
        self._delivered = self._deliver and not self._waiters and self._owner_process is not None
        return self._delivered

    @property
    def _wanted(self) -> bool:
        """Whether somebody is there to wait for it."""
        return self._open and (self.owner is None or self._owner_process is not None)

    # -- for the owner ------------------------------------------------------------------------

    @property
    def _owner_process(self) -> Process | None:
        return None if self.owner is None else self.owner._process

    @property
    def _settled(self) -> bool:
        """Whether there is nothing to wait for: it has its result, or was let go."""
        return self._result is not None or not self._open

    def _check_owner(self, function: str) -> None:
        caller = own_process()
        pid = None if caller is None else caller.pid
        if pid is not self.owner:
            raise TaskNotOwned(self, f"otp.task.{function}", self.owner, pid)

    @checkpointed
    async def _await_result(self, function: str, timeout: float | None) -> T:
        self._check_owner(function)
        check_timeout("timeout", timeout)
        await wait_for([self], lambda: self._settled, timeout)
        match self._take():
            case Ok(value):
                return value
            case Exited(reason):
                raise TaskExited(self, reason)
            case None:
                raise self._timed_out(timeout)

    def _timed_out(self, timeout: float | None) -> TaskTimeout:
        taken = "" if self._open else f"the result of {self!r} was taken before, or is not wanted"
        self._let_go()
        return TaskTimeout(self, timeout=timeout, text=taken)

    @enable_ki_protection
    def _take(self) -> Outcome[T] | None:
        """Return what has come of it, once; None if nothing has, or the server has handled it."""
        result = self._result
        if result is None:
            return None
        found = self._let_go()
        return None if self._delivered and not found else result

    @enable_ki_protection
    def _let_go(self) -> bool:
        """Close it, so that whatever comes is dropped; tell whether a message had come."""
        self._open = False
        self._result = None
        if not self._deliver:
            return False
        found = [self._recall(self._is_reply), self._recall(self._is_down)]
        if self.ref is not None:
            demonitor(self.ref)
        return any(found)

    def _recall(self, match: Callable[[object], bool]) -> bool:
        """Take a message out of the owner's mailbox; tell whether it was there."""
        owner = self._owner_process
        if owner is None:
            return False
        with suppress(trio.WouldBlock):
            owner.mailbox.take_match(match)
            return True
        return False

    def _is_reply(self, message: Any) -> bool:
        return message.__class__ is TaskReply and message.task is self

    def _is_down(self, message: object) -> bool:
        return isinstance(message, Down) and message.ref is self.ref

    def _is_exit(self, message: object) -> bool:
        return isinstance(message, Exit) and message.pid is self.pid

    @enable_ki_protection
    def _unlink(self) -> None:
        """Part owner and task: neither hears of the other's end."""
        owner = self._owner_process
        process = None if self.pid is None else self.pid._process
        if owner is not None and process is not None:
            owner.remove_link(process)

    @enable_ki_protection
    def _abandon(self) -> None:
        """Its start was given up: it need not run, and its owner hears nothing of it."""
        self._let_go()
        self._unlink()
        self._recall(self._is_exit)
        if self.pid is not None and self.pid._process is not None:
            self.pid._process.exit_with(KILLED)  # pragma: no cover - it had begun in that very turn

    def _wake(self) -> None:
        for news in tuple(self._waiters or ()):
            news.come()


@public
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TaskReply(Notification, Generic[T]):
    """The message with the result of a task that was started with `deliver=True`.

    Args:
        task: the task.
        value: its result.
    """

    task: Task[T]
    value: T


@enable_ki_protection
async def wait_for(
    tasks: Sequence[Task[Any]], enough: Callable[[], bool], timeout: float | None
) -> None:
    """Wait until what came of some tasks is enough, or the time is up."""
    await trio.lowlevel.checkpoint()
    if timeout == 0 or enough():
        return
    news = News()
    for task in tasks:
        task._waiters = with_key(task._waiters, news)
    fifo = None if timeout is None else runtime().timers.limit(news, timeout)
    try:
        while not (news.is_late or enough()):
            await news.wait()
    finally:
        for task in tasks:
            task._waiters = without_key(task._waiters, news) or None
        if fifo is not None:
            fifo.pop(news, None)
