"""Waits of plain Trio code for processes: for a name, for an end, as long as one lives.

None of them polls, and none needs a process of its own. They make no wait-for edges: who waits for
an end that it does not ask for may give up at any time.

Follows: OTP's monitors; `trio.move_on_after`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection

from .._exits.call_errors import CallingSelf
from .._exits.nurseries import WholeScope
from .._exits.reasons import NOPROC
from .._process.block import block
from .._process.checkpoints import checkpointed
from .._process.doing import doing_text
from .._process.names import check_name, find_even_exiting, find_living, no_process
from .._process.pid import Pid
from .._process.runtime import calling_process
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.public import public
from .follower import Follower
from .wait import AFTER_INIT, OWN_INIT, Wait, WaitTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._process.names import Atom, Ref, Via
    from .._process.process import Process


@public
@checkpointed
async def wait_for_name(name: Atom | Via, *, timeout: float | None = None) -> Pid:
    """Wait until a process has a name, and its init is over.

    It is told by the place that gives the name; nothing is polled. A name that a via module of your
    own gives is looked up again whenever a process has started.

    Args:
        name: a name, or a via tuple, whose registry may be still to come.
        timeout: seconds; None waits for ever, or as long as the cancel scope around it allows. With
            0 it is given if it is there.

    Returns:
        The process that has the name.

    Raises:
        WaitTimeout: nobody has it in time, or its init is not over. It is a `trio.TooSlowError`.
        CallingSelf: a process waits in its own init for the name that it has.
        TypeError: it is no name, a pid for example.
        ValueError: `name` or `timeout` is not accepted.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with trio.open_nursery() as nursery:
    ...         nursery.start_soon(print_when_there)
    ...         await otp.start(otp.child(otp.GenServer).having(name="boiler"), nursery=nursery)
    ...         await otp.stop("boiler")
    >>> async def print_when_there():
    ...     pid = await otp.wait_for_name("boiler", timeout=5)
    ...     print(pid == otp.whereis("boiler"))
    >>> trio.run(main)
    True

    Follows: `global:whereis_name/1`, asked until it gives one; `trio.fail_after`.
    """
    check_name(name)
    check_timeout("timeout", timeout)
    wait, starting = Wait(), None
    follower = Follower(name, wait.over, wait.failed)
    try:
        follower.open()
        await trio.lowlevel.checkpoint()  # not in the time-out: what is there needs none
        with trio.move_on_after(math.inf if timeout is None else timeout):
            while True:
                await wait.wait()
                if follower.starting is not None and follower.starting is calling_process():
                    raise CallingSelf(name, what=OWN_INIT, cure=AFTER_INIT)
                if follower.process is not None and follower.process.alive:
                    return follower.process.pid
    finally:
        starting = follower.starting
        follower.close()
    raise WaitTimeout(_late(name, timeout, starting), name, timeout or 0.0)


def _late(name: object, timeout: float | None, starting: Process | None) -> str:
    """Return how far what was waited for has come."""
    if starting is None:
        return f"waited for {timeout:g} s: {no_process(name)}"
    return f"waited for {timeout:g} s: {bounded(name)} is {doing_text(starting)}"


@public
@checkpointed
async def wait_down(ref: Ref) -> Any:
    """Wait for the end of a process; no process is needed for that.

    Unlike a `Down`, it comes when a process that is exiting is dead.

    Args:
        ref: whom to wait for. What has a name now is meant, not who has it later.

    Returns:
        The exit reason; NOPROC if nobody is behind the reference.

    Raises:
        CallingSelf: a process waits for its own end.
        TypeError: it is no reference.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with trio.open_nursery() as nursery:
    ...         pid = otp.spawn(trio.sleep_forever, nursery=nursery)
    ...         otp.exit(pid, "no longer needed")
    ...         print(await otp.wait_down(pid), await otp.wait_down(pid))
    >>> trio.run(main)
    no longer needed NOPROC

    Follows: `Process.monitor/1`.
    """
    process = find_even_exiting(ref)
    if process is None:
        await trio.lowlevel.checkpoint()
        return NOPROC
    if process is calling_process():
        raise CallingSelf(ref, what="waits for its own end", cure="let another process wait")
    process = process.incarnation()
    try:
        return await process.wait_dead()
    finally:
        process.release()


@public
@block("async with otp.while_alive(ref): ...")
@enable_ki_protection
async def while_alive(ref: Ref) -> AsyncGenerator[trio.CancelScope]:
    """Run a block as long as a process lives; it is cancelled when the process dies.

    What the block raises leaves it bare. It goes on after the block whether that has come to its
    end or was left; the scope that it gives tells, by `cancelled_caught`.

    Args:
        ref: who has to live. What has a name now is meant, not who has it after a restart. If the
            process of a pid is dead already, the block ends at its first checkpoint.

    Raises:
        NoProcess: nobody has the name.
        TypeError: it is no reference.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with trio.open_nursery() as nursery:
    ...         pid = otp.spawn(trio.sleep, 2, nursery=nursery)
    ...         async with otp.while_alive(pid) as scope:
    ...             await trio.sleep_forever()
    ...         print(scope.cancelled_caught, trio.current_time())
    >>> import trio.testing
    >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    True 2.0

    Follows: `trio.move_on_after`; the links of OTP, in one direction.
    """
    process = find_living(ref)
    if process is None and not isinstance(ref, Pid):
        raise no_process(ref)
    await trio.lowlevel.checkpoint()
    process = None if process is None else process.incarnation()
    scope = trio.CancelScope()

    @enable_ki_protection
    def end(_: object = None) -> None:
        scope.cancel(reason=f"{bounded(ref)} has ended")

    if process is None or process.dead:
        end()
    else:
        process.add_watcher(end)
    try:
        with WholeScope(scope):
            yield scope
    finally:
        if process is not None:
            process.remove_watcher(end)
            process.release()
        await cancel_shielded_checkpoint()
