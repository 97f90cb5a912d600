"""A supervisor in plain Trio code: a block that owns a tree.

Follows: `Supervisor.start_link/2`, and Trio's `open_nursery` in how it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import raise_beside
from .._exits.history_errors import SupervisorExited
from .._exits.nurseries import OwnNursery, WholeScope
from .._exits.reasons import is_quiet
from .._process.block import block
from .._process.nursery import OrderedNursery
from .._process.propagating import start_propagating
from .._process.runtime import calling_process, own_process, runtime
from .._process.wait_edges import leave_wait, set_wait
from .._start.child import child
from .._start.start import Start, start_and_wait
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public
from .._util.unset import UNSET
from .supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from .._behaviour.backoff import Backoff
    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.propagating import Propagate
    from .flags import AutoShutdown, Strategy
    from .reports import Reports


@final
@public
class OpenSupervisor(NoConstructor, Handle):
    """The supervisor of an `open_supervisor` block; it is accepted wherever a reference is."""

    _origin: ClassVar[str] = "otp.open_supervisor(children) yields one"

    def __init__(self, process: Process) -> None:
        self._process = process
        self._reports: Reports = process.instance.loop.reports  # the process lets go of its loop
        self._body = trio.CancelScope()
        self._leaving = False
        self._reason: object = UNSET  # of the end of the supervisor
        self._failure: SupervisorExited | None = None  # that ended the body
        process.add_watcher(self._ended)
        if process.dead:  # it gave up in the turn in which it had started
            self._ended(process)

    @property
    def pid(self) -> Pid:
        """The supervisor's process."""
        return self._process.pid

    def __repr__(self) -> str:
        return f"<supervisor {self.pid!r} {'ended' if self._process.dead else 'running'}>"

    @enable_ki_protection
    async def wait(self) -> None:
        """Serve on until the supervisor ends: by auto-shutdown, `otp.stop`, or giving up.

        Giving up cancels this wait, and the block raises `SupervisorExited`.
        """
        await self._process.wait_dead()
        await trio.lowlevel.checkpoint()  # the block may just have been cancelled

    def _ended(self, process: Process) -> None:
        self._reason = process.exit_reason
        if self._failed():
            self._body.cancel(reason="its supervisor has ended")

    def _failed(self) -> bool:
        ended_badly = self._reports.gave_up or not is_quiet(self._reason)
        return not self._leaving and ended_badly

    def _leave(self) -> None:
        """Record that the body has ended, and whether that is because the supervisor has."""
        if self._process.dead and self._failed():
            self._failure = self._error()
        self._leaving = True

    def _failure_beside(self) -> SupervisorExited | None:
        """Return why the supervisor gave up, perhaps only just after the body had raised."""
        late = self._reports.gave_up
        return self._error() if self._failure is None and late else self._take_failure()

    def _raise_failure(self) -> None:
        failure = self._take_failure()
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # else the frame and the traceback keep each other alive

    def _take_failure(self) -> SupervisorExited | None:
        """Return what ended the body, to be raised now: the handle may live for long."""
        failure, self._failure = self._failure, None
        return failure

    def _error(self) -> SupervisorExited:
        return SupervisorExited(self._reason, *self._reports.take_history())


@public
@block("async with otp.open_supervisor(children) as sup: ...")
@enable_ki_protection
async def open_supervisor(
    children: Iterable[Any] = (),
    *,
    strategy: Strategy = "one_for_one",
    max_restarts: int | None = 3,
    max_seconds: float = 5,
    auto_shutdown: AutoShutdown = "never",
    backoff: Backoff | None = None,
    name: object = None,
    propagate: Propagate = (),
) -> AsyncGenerator[OpenSupervisor]:
    """Run a supervisor while the block runs.

    Leaving the block stops the children one by one, newest first, each within its own limit,
    also when the block is left by an error or a cancellation.

    Args:
        children: what to start, in this order.
        strategy: `one_for_one`, `one_for_all` or `rest_for_one`, see `otp.Supervisor`.
        max_restarts: how many restarts there may be within `max_seconds`; None never gives up,
            which hides from those above what no restart cures.
        max_seconds: that window, a whole number.
        auto_shutdown: see `otp.Supervisor`.
        backoff: `otp.Backoff(...)` delays the restarts of all children that have none of their own.
        name: a name for the supervisor.
        propagate: context variables and propagators whose values travel with each call and cast,
            see `otp.open_process`.

    Raises:
        SpecError: a flag or a child is not accepted, or a back-off must exceed the intensity.
        StartError: a child did not start; those before it are stopped again.
        AlreadyStarted: the name is taken.
        SupervisorExited: the supervisor gave up, and the block was cancelled. If the body raises
            something of its own meanwhile, that leaves, with this as its context.

    >>> import trio, trio_otp as otp
    >>> class Cache(otp.GenServer):
    ...     pass
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Cache).having(name="cache")]):
    ...         print(otp.whereis("cache") is not None)
    ...     print(otp.whereis("cache"))
    >>> trio.run(main)
    True
    None

    Follows: `Supervisor.start_link/2`.
    """
    flags: dict[str, Any] = {
        "strategy": strategy,
        "max_restarts": max_restarts,
        "max_seconds": max_seconds,
        "auto_shutdown": auto_shutdown,
        "backoff": backoff,
    }
    spec = Supervisor.spec(children, **flags)
    wanted = child(Supervisor, spec.children, **flags).having(name=name)
    leave = trio.Event()
    handle: OpenSupervisor | None = None
    waiter: Process | None = None  # while it waits for the end of the supervisor
    stop_propagating = start_propagating(propagate)
    try:
        async with OwnNursery() as nursery:
            ordered = OrderedNursery(runtime(), nursery)
            nursery.start_soon(ordered.close_after, leave)
            try:
                process = await start_and_wait(
                    Start(wanted.runs, ordered, own_process(), wanted.spec)
                )
                assert process is not None
                handle = create(OpenSupervisor, process)
                with WholeScope(handle._body):
                    yield handle
            finally:
                if handle is not None:
                    handle._leave()
                    waiter = set_wait(calling_process(), handle._process)
                leave.set()
    except BaseException as exc:  # noqa: ASYNC103 - `raise_beside` raises it
        leave_wait(waiter)
        failure = None if handle is None else handle._failure_beside()
        if failure is None:
            raise
        raise_beside(exc, failure)
    finally:
        stop_propagating()
    leave_wait(waiter)
    if handle is not None:  # pragma: no branch - what does not start raises
        handle._raise_failure()
