"""What the process of a task does: call a function, hand its result on, report its crash.

Follows: Elixir's `Task.Supervised`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from trio.lowlevel import disable_ki_protection

from .._exits.bare import part, reason_of
from .._exits.reasons import ProcessExit, passes_through
from .._util.async_functions import check_async, expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.checks import check_label

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.pid import Pid
    from .._process.process import Process


def check_function(fn: object, args: tuple[Any, ...]) -> None:
    """Refuse, in the caller, what no task can run.

    Args:
        fn: what is to be an async function.
        args: what it is to be called with.

    Raises:
        TypeError: it is not an async function, or does not take these arguments.
    """
    check_async(fn, args, "it as fn, *args")


class Sink(Protocol):
    """Who wants the result of a job: a `Task`, or an item of a stream."""

    owner: Pid | None

    @property
    def _wanted(self) -> bool: ...

    def _bind(self, process: Process) -> None: ...

    def _reply(self, value: Any) -> None: ...


@dataclass(slots=True)
class Job:
    """What the process of a task runs: a function with its arguments, and who wants the result."""

    fn: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]
    label: str
    sink: Sink | None = None
    link: bool = False
    callers: tuple[Pid, ...] = ()

    def __repr__(self) -> str:
        shown = ", ".join(bounded(arg, 60) for arg in self.args)
        return f"{self.label}({shown})"

    @disable_ki_protection
    async def run(self, process: Process) -> None:
        """Run the body of the process."""
        try:
            value = await expect_awaitable(self.fn, self.fn(*self.args))
        except BaseException as exc:
            self._crash(process, exc)
            raise
        if self.sink is not None:
            self.sink._reply(value)

    def _crash(self, process: Process, exc: BaseException) -> None:
        """Report a crash with what the process was started for; then its reason is the crash."""
        if passes_through(exc) or part(exc)[0] is None:
            return
        reason, events = reason_of(exc), process.runtime.events
        if events.is_heard("crash"):
            client = repr(process.callers[0]) if process.callers else None
            report = process.crash_report(reason, last_message=repr(self), client=client)
            events.emit("crash", report)
        raise ProcessExit(reason) from exc


def checked_job(
    fn: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    label: str | None = None,
    *,
    link: bool = False,
    callers: tuple[Pid, ...] = (),
) -> Job:
    """Make a job; refuse, in the caller, what no task can run. It is called as its function is."""
    check_function(fn, args)
    check_label(label)
    return Job(fn, args, label or label_of(fn), None, link, callers)
