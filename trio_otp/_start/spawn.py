"""Plain processes: spawn an async function.

Follows: Elixir's `Kernel.spawn/1`, `spawn_link/1`, `spawn_monitor/1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVarTuple

from trio.lowlevel import enable_ki_protection

from .._process.links import monitor
from .._process.nursery import nursery_for
from .._process.runtime import need_process, own_process
from .._util.async_functions import check_async, expect_awaitable
from .._util.bounded import label_of
from .._util.checks import check_label
from .._util.public import public
from .spec import Runnable
from .start import Start

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.signals import Monitor

Ts = TypeVarTuple("Ts")


@public
def spawn(
    fn: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    nursery: trio.Nursery | None = None,
    label: str | None = None,
) -> Pid:
    """Run an async function as a process of its own, linked to nobody.

    Args:
        fn: the async function.
        *args: what it is called with.
        nursery: where it lives; needed in plain Trio code. Without it, it lives where its starter
            does.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        Its pid, at once: the function has yet to run.

    Raises:
        NotAProcess: in plain Trio code without `nursery`.
        TypeError: `fn` is not an async function, or does not take `args`.

    Follows: `Kernel.spawn/1`.
    """
    return _spawn(fn, args, nursery, label, link=False).pid


@public
def spawn_link(fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None) -> Pid:
    """As `spawn`, and link it to this process in the same step.

    Args:
        fn: the async function.
        *args: what it is called with.
        label: what its pid is shown as; the function's name if not given.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: as `spawn`.

    >>> import trio, trio_otp as otp
    >>> async def echo():
    ...     sender, text = await otp.receive(tuple)
    ...     otp.send(sender, text.upper())
    >>> async def main():
    ...     async with otp.open_process() as me:
    ...         otp.send(otp.spawn_link(echo), (me, "hello"))
    ...         print(await otp.receive(str, timeout=1))
    >>> trio.run(main)
    HELLO

    Follows: `Kernel.spawn_link/1`.
    """
    need_process("otp.spawn_link")
    return _spawn(fn, args, None, label, link=True).pid


@public
@enable_ki_protection
def spawn_monitor(
    fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, label: str | None = None
) -> tuple[Pid, Monitor]:
    """As `spawn`, and monitor it in the same step.

    Args:
        fn: the async function.
        *args: what it is called with.
        label: what its pid is shown as; the function's name if not given.

    Returns:
        The pid and the monitor.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: as `spawn`.

    Follows: `Kernel.spawn_monitor/1`.
    """
    need_process("otp.spawn_monitor")
    pid = _spawn(fn, args, None, label, link=False).pid
    return pid, monitor(pid)


@enable_ki_protection
def _spawn(
    fn: Callable[..., Awaitable[object]],
    args: tuple[object, ...],
    nursery: Any,
    label: str | None,
    *,
    link: bool,
) -> Process:
    check_async(fn, args, "spawn(fn, *args)")
    check_label(label)
    starter = own_process()

    async def body(_: Process) -> None:
        await expect_awaitable(fn, fn(*args))

    what = label or label_of(fn)
    ordered = nursery_for(nursery, "otp.spawn")
    return Start(Runnable(what, body), ordered, starter, link=link).create()
