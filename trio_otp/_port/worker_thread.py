"""WorkerThread: a blocking function in a thread of its own, as a child of a supervisor.

**Why.** What blocks, as a driver without an async face, may not run in the Trio loop. A thread that
is started and forgotten loses its exception and outlives its purpose; behind a process it is
restarted by the rules of its supervisor and asked to stop in its turn.

**In the thread** the function reaches the library by `trio.from_thread.run(otp.call, ref, request)`
and `trio.from_thread.run_sync(otp.send, ref, message)`.

**Its end.** A return is the reason `NORMAL`, whatever is returned; an exception is a crash. A
thread cannot be killed, so it has to look whether it is to stop, in one of three ways:

* `trio.from_thread.check_cancelled()` raises when it is; so does every `trio.from_thread.run`.
* `WorkerThread.stop_event()` gives a `threading.Event`: `while not stop.wait(1.0): ...`
* `WorkerThread.on_stop(sock.close)` calls something that ends what it waits for.

One that has not stopped within the `shutdown` of the child, or a second after a kill, is named in
the log with the line where it sits, and waited for: another one beside it, doing the same, would be
worse than to wait. With `abandon_on_cancel=True` it is named and left behind instead; it then has
no business with this program any more, and must not mind a successor.

**Client side** there is `otp.stop`, which asks it to stop and waits. It reads no messages, so calls
run into their time-out, and `otp.sys` refuses it.

**Supervise** it as a server; it has started when it is about to run.

**When not to use it.** For a piece of blocking work inside a callback, `trio.to_thread.run_sync`.

Follows: Erlang's `supervisor_bridge`, Trio's `trio.to_thread.run_sync`.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._exits.errors import NotAProcess
from .._exits.nurseries import OwnNursery
from .._exits.reasons import KILLED
from .._process.runtime import current_process
from .._process.stack import report_stack
from .._process.stopping import LINK_LIMIT
from .._util.async_functions import gives_awaitable
from .._util.bounded import bounded
from .._util.checks import check_flag
from .._util.public import public
from .._util.signature import check_arguments
from .._util.user_code import interruptible
from ..events import NoticeReport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .._process.process import Process

MOMENT: Final = 0.1  # seconds that a thread has at least to end once it is told


@public
class WorkerThread(Behaviour):
    """A blocking function in a thread of its own, as a process.

    Args:
        fn: the function; what it returns is ignored.
        *args: what it is called with; for keyword arguments use `functools.partial`.
        abandon_on_cancel: whether a thread that does not stop in time is left behind. Then only
            the event and `on_stop` tell it to stop; `check_cancelled` raises when it is too late.

    >>> import trio, trio_otp as otp
    >>> def count(first: int) -> None:
    ...     for number in range(first, 3):
    ...         trio.from_thread.run_sync(otp.send, "me", number)
    >>> async def main():
    ...     async with otp.open_process(name="me"):
    ...         await otp.start_link(otp.child(otp.WorkerThread, count, 1))
    ...         print(await otp.receive(), await otp.receive())
    >>> trio.run(main)
    1 2
    """

    takes_messages: ClassVar[bool] = False

    def __init__(
        self, fn: Callable[..., object], *args: Any, abandon_on_cancel: bool = False
    ) -> None:
        if not callable(fn):
            raise TypeError(
                f"fn={bounded(fn)}: expected a function; "
                "write otp.child(otp.WorkerThread, fn, *args)"
            )
        if gives_awaitable(fn):
            raise TypeError(
                f"fn={bounded(fn)}: expected a function that is not an async def; "
                "for an async one write otp.child(fn, *args)"
            )
        check_arguments(fn, args)
        check_flag("abandon_on_cancel", abandon_on_cancel)
        self._fn = fn
        self._args = args
        self._abandon = abandon_on_cancel
        self._event = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._moment = trio.CancelScope(shield=True)  # until the thread has ended

    # -- in the thread -------------------------------------------------------------------------

    @staticmethod
    def stop_event() -> threading.Event:
        """Return the event that is set when the thread that asks is to stop.

        Raises:
            NotAProcess: it is not a thread of a `WorkerThread`.
        """
        return _of_this_thread("WorkerThread.stop_event()")._event

    @staticmethod
    def on_stop(callback: Callable[[], object]) -> None:
        """Call something when the thread that asks is to stop, or now if it is already.

        It is called in the thread of the Trio loop and must not block. What it raises is logged.

        Args:
            callback: called without arguments, once.

        Raises:
            NotAProcess: it is not a thread of a `WorkerThread`.
            TypeError: the callback cannot be called.
        """
        worker = _of_this_thread("WorkerThread.on_stop(callback)")
        if not callable(callback):
            raise TypeError(f"callback={bounded(callback)}: expected a function")
        with worker._lock:
            if not worker._event.is_set():
                worker._callbacks.append(callback)
                return
        callback()

    # -- in the loop ---------------------------------------------------------------------------

    @classmethod
    @enable_ki_protection
    async def run_process(cls, process: Process, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process."""
        worker = interruptible(make)
        process.become(worker)
        assert isinstance(worker, WorkerThread)
        worker._begin(process)
        await worker._run(process)

    def _begin(self, process: Process) -> None:
        """End init: it has started when it is about to run, unless a subclass says otherwise."""
        assert process.starting is not None
        process.starting.ack()

    @enable_ki_protection
    async def _run(self, process: Process) -> None:
        crash: Exception | None = None
        async with OwnNursery() as nursery:
            with trio.CancelScope(shield=self._abandon) as grace:
                # It has to be cancelled when the thread not yet is.
                nursery.start_soon(self._await_stop, process, grace)  # noqa: ASYNC111 - as above
                crash = await trio.to_thread.run_sync(
                    self._in_thread,
                    process,
                    limiter=trio.CapacityLimiter(1),  # it may take for ever; others need the tokens
                    abandon_on_cancel=self._abandon,
                )
            if grace.cancelled_caught and process.extras.thread is not None:
                report_stack(process, "does not stop and is left behind; its thread sits in")
            self._moment.cancel()
            nursery.cancel_scope.cancel()
        if crash is not None:
            raise crash

    def _in_thread(self, process: Process) -> Exception | None:
        """Run the function; give its crash, as a nursery must not see one that cannot be shown."""
        with _thread_of(process):
            try:
                self._fn(*self._args)
            except Exception as exc:
                return exc
        return None

    @enable_ki_protection
    async def _await_stop(self, process: Process, grace: trio.CancelScope) -> None:
        """Ask the thread to stop when the process is cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            if process.is_exiting:  # else the function has returned
                try:
                    self._tell(process)
                finally:  # also if Ctrl-C breaks off a callback
                    self._let_stop(process, grace)
                with self._moment:
                    await _keep_virtual_time()  # noqa: ASYNC102 - it ends by itself

    def _let_stop(self, process: Process, grace: trio.CancelScope) -> None:
        """Set how long a thread is waited for that may be left behind."""
        if process.pending_exit is KILLED:
            grace.deadline = trio.current_time() + MOMENT
        elif process.runs_terminate:
            process.terminate_scope = grace  # the kill cancels it
        else:  # a signal of a stranger, who does not kill
            limit = LINK_LIMIT if process.shutdown is None else process.shutdown
            grace.deadline = trio.current_time() + limit

    def _tell(self, process: Process) -> None:
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                interruptible(callback)
            except Exception as exc:
                text = f"{process.pid!r}: {bounded(callback)} of on_stop raised {bounded(exc)}"
                process.runtime.events.emit("notice", NoticeReport(process.pid, text))


async def _keep_virtual_time() -> None:
    """Keep a virtual clock from jumping for a moment of real time, which a thread needs to end.

    Else it is at the end of any time that the thread has, before that has run at all.
    """
    testing = sys.modules.get("trio.testing")  # without it there is no such clock
    if testing is not None and isinstance(trio.lowlevel.current_clock(), testing.MockClock):
        await testing.wait_all_tasks_blocked(MOMENT)


@contextmanager
def _thread_of(process: Process) -> Generator[None]:
    process.own_extras().thread = threading.get_ident()
    try:
        yield
    finally:
        process.own_extras().thread = None


def _of_this_thread(what: str) -> WorkerThread:
    process = current_process.get(None)
    worker = None if process is None else process.instance
    if process is None or process.extras.thread != threading.get_ident() or worker is None:
        raise NotAProcess(f"{what} can only be used in the function that a WorkerThread runs")
    assert isinstance(worker, WorkerThread)
    return worker
