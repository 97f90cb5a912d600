"""Wait for a child of a supervisor to come into a state, as `which_child` gives it.

The supervisor tells when it has done something; then its tables are read, as `which_child` would,
but without a message. In between it may be in the middle of a restart, and is not asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import CallingSelf, ServerExited
from .._process.checkpoints import checkpointed
from .._process.names import check_class, need_living
from .._process.runtime import calling_process
from .._supervisor.data import STATUSES
from .._supervisor.loop import SupervisorBehaviour
from .._util.bounded import bounded
from .._util.checks import check_choice, check_timeout
from .._util.public import public
from .._util.unset import UNSET
from .wait import Wait, WaitTimeout

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.process import Process
    from .._supervisor.data import ChildInfo, Status


@public
@checkpointed
async def wait_for_child(
    ref: Ref, child: object, status: Status = "running", *, timeout: float | None = None
) -> ChildInfo:
    """Wait until a child of a supervisor is in a state.

    It is told by the supervisor; nothing is polled. What the supervisor is in the middle of is over
    before it is looked at, so a state that lasts only for a part of that is not seen.

    Args:
        ref: the supervisor.
        child: as of `which_child`: the id of a `Supervisor`'s child, the pid of a
            `DynamicSupervisor`'s.
        status: `running`, `restarting` or `undefined`, as of `ChildInfo`.
        timeout: seconds; None waits for ever, or as long as the cancel scope around it allows. With
            0 it is given if it is in that state.

    Returns:
        What `which_child` gives, in that state.

    Raises:
        WaitTimeout: it has not come into that state in time. It is a `trio.TooSlowError`.
        ChildNotFound: there is no such child, or no more.
        ServerExited: the supervisor has ended.
        NoProcess: nobody is behind the reference.
        WrongServer: it is no supervisor.
        CallingSelf: a supervisor waits in its own task.
        ValueError: `status` or `timeout` is not accepted.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(otp.GenServer).having(id="db")]) as sup:
    ...         await otp.terminate_child(sup, "db")
    ...         async with trio.open_nursery() as nursery:
    ...             nursery.start_soon(otp.restart_child, sup, "db")
    ...             info = await otp.wait_for_child(sup, "db", timeout=5)
    ...             print(info.status, info.pid is not None)
    >>> trio.run(main)
    running True

    Follows: Erlang's `supervisor:which_child/2`; `trio.fail_after`.
    """
    check_choice("status", status, STATUSES)
    check_timeout("timeout", timeout)
    process = need_living(ref)
    check_class(ref, process, SupervisorBehaviour, "otp.wait_for_child")
    if process is calling_process():
        what = "waits for its own child"
        raise CallingSelf(ref, what=what, cure="let another process wait")
    look = _ChildLook(process, ref, child, status)
    if (found := await look.wait(math.inf if timeout is None else timeout)) is not None:
        return found
    raise WaitTimeout(
        f"waited for {timeout:g} s: child {bounded(child)} of {bounded(ref)} is {look.last}",
        ref,
        timeout or 0.0,
    )


class _ChildLook:
    """Looks at a child whenever its supervisor has done something."""

    __slots__ = ("_child", "_process", "_ref", "_status", "_wait", "found", "last")

    def __init__(self, process: Process, ref: Ref, child: object, status: Status) -> None:
        self._process = process
        self._ref = ref
        self._child = child
        self._status = status
        self._wait = Wait()
        self.found: ChildInfo | None = None
        self.last: str = "not started"  # the state it was seen in last

    @enable_ki_protection
    async def wait(self, timeout: float) -> ChildInfo | None:
        """Wait until it is found in the state that is wanted; None if that takes too long."""
        process = self._process
        process.add_follower(self.look)
        process.add_watcher(self.ended)
        try:
            if process.current is UNSET:  # else it is told when that is done
                self.look()
            await trio.lowlevel.checkpoint()  # not in the time-out: what is there needs none
            with trio.move_on_after(timeout):
                while self.found is None:
                    await self._wait.wait()
        finally:
            process.remove_follower(self.look)
            process.remove_watcher(self.ended)
        return self.found

    @enable_ki_protection
    def look(self) -> None:
        """Look at it, between two events of the supervisor."""
        loop: Any = self._process.instance and self._process.instance.loop
        if loop is None or self._process.starting is not None or self.found is not None:
            return
        try:
            info: ChildInfo = loop.which_child(self._child)
        except Exception as exc:
            self._wait.failed(exc)
            return
        self.last = info.status
        died = info.pid is not None and info.pid._process is None  # of which it has yet to hear
        if info.status == self._status and not died:
            self.found = info
            self._wait.over()

    @enable_ki_protection
    def ended(self, process: Process) -> None:
        """Take note of the end of the supervisor."""
        self._wait.failed(ServerExited(self._ref, process.exit_reason))
