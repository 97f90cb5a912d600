"""The seed of the jitter of restarts, so that a test gets the same delays each time."""

from __future__ import annotations

from .._supervisor.jitter import jitter_generator
from .._util.bounded import bounded
from .._util.checks import is_whole
from .._util.public import public_in


@public_in("testing")
def seed_jitter(seed: int) -> None:
    """Seed the jitter of restart back-off, so that each run with this seed has the same delays.

    It is drawn from one generator per run, in the order in which children fail. For delays without
    any write `otp.Backoff(jitter=0)`.

    Args:
        seed: any whole number.

    Raises:
        TypeError: it is something else.
        NotInRun: no Trio run is going on.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import seed_jitter, virtual_clock
    >>> async def broken():
    ...     raise OSError("no database")
    >>> async def main():
    ...     seed_jitter(7)
    ...     child = otp.child(broken).having(backoff=otp.Backoff(min_delay=10))
    ...     async with otp.open_supervisor([child]) as sup:
    ...         await trio.sleep(1)
    ...         [info] = await otp.which_children(sup)
    ...         print(round(info.restart_in, 3))
    >>> trio.run(main, clock=virtual_clock())
    9.648
    """
    if not is_whole(seed):
        raise TypeError(f"seed={bounded(seed)}: expected a whole number")
    jitter_generator().seed(seed)
