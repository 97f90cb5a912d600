"""The order in which Trio runs its tasks: fixed by a seed, and many of them tried.

Trio shuffles the tasks that can run at one moment, so that nobody relies on an order. A race then
shows in one run of many, and never again. With a seed the order is the same in each run.

The order is that of Trio alone: what depends on threads, on sockets or on the real clock is not
fixed. `explore` runs under virtual time, where nothing waits.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

import trio

from .._timers.send_after import check_delay
from .._util.bounded import bounded, label_of
from .._util.checks import check_whole, is_whole
from .._util.public import public_in
from .virtual_time import virtual_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_SWITCH: Final = "_ALLOW_DETERMINISTIC_SCHEDULING"  # there for hypothesis, since Trio 0.13


@public_in("testing")
@contextmanager
def task_order(seed: int) -> Generator[None]:
    """Fix the order in which Trio runs its tasks, while a plain `with` block runs.

    Around `trio.run` it fixes the whole run; inside of one, what follows.

    Args:
        seed: a whole number; each gives another order.

    Returns:
        The block.

    Raises:
        TypeError: the seed is not a whole number.
        RuntimeError: this version of Trio cannot do so.
    """
    if not is_whole(seed):
        raise TypeError(f"seed={bounded(seed)}: expected a whole number")
    loop: Any = trio._core._run
    random, was = getattr(loop, "_r", None), getattr(loop, _SWITCH, None)
    if random is None or was is None:
        raise RuntimeError(f"Trio {trio.__version__} has no {_SWITCH}: its order cannot be fixed")
    state = random.getstate()
    setattr(loop, _SWITCH, True)
    random.seed(seed)
    try:
        yield
    finally:
        setattr(loop, _SWITCH, was)
        random.setstate(state)


@public_in("testing")
def explore(
    test: Callable[[*Ts], Awaitable[object]],
    *args: *Ts,
    runs: int = 100,
    seeds: Iterable[int] | None = None,
    seconds: float = 3600.0,
) -> None:
    r"""Run an async test under many orders of its tasks, each in a Trio run with virtual time.

    It stops at the first that fails. Call it from a plain function, which starts no run itself.

    Args:
        test: the async function.
        *args: what it is called with.
        runs: how many orders are tried: those of the seeds from 0 on.
        seeds: the seeds to try instead.
        seconds: of virtual time; a test that takes longer has come to a standstill, and fails.

    Raises:
        Exception: what the test raises, with a note that has the seed and the line that repeats it.
        trio.TooSlowError: likewise, a run took longer than `seconds`.
        RuntimeError: it is called inside a Trio run.
        ValueError, TypeError: a number is not accepted.

    >>> import trio
    >>> from trio_otp.testing import explore
    >>> async def racy():
    ...     done = []
    ...     async def put(word):
    ...         done.append(word)
    ...     async with trio.open_nursery() as nursery:
    ...         for word in ("first", "second"):
    ...             nursery.start_soon(put, word)
    ...     assert done[0] == "second", done
    >>> try:
    ...     explore(racy, runs=50)
    ... except AssertionError as exc:
    ...     print(exc, exc.__notes__[0], sep="\n")
    ['first', 'second']
    explore: failed with seed 1, after 1 of 50 runs that passed; to repeat it write
        explore(racy, seeds=[1])
    """
    __tracebackhide__ = True
    check_whole("runs", runs, 1)
    check_delay(seconds, "seconds")
    if not callable(test):
        raise TypeError(f"test={bounded(test)}: expected an async function")
    refuse_run("explore starts the runs itself; call it from a plain `def test_...`")
    tried = list(range(runs) if seeds is None else seeds)
    for passed, seed in enumerate(tried):
        try:
            with task_order(seed):
                trio.run(within, seconds, partial(test, *args), clock=virtual_clock())
        except BaseException as exc:
            exc.add_note(_note(test, args, seed, f"{passed} of {len(tried)}"))
            raise


async def within(seconds: float, function: Callable[[], Awaitable[T]]) -> T:
    """Run an async function to its end, but not longer than that."""
    __tracebackhide__ = True
    with trio.fail_after(seconds):
        running = function()
        if not isinstance(running, Awaitable):
            raise TypeError(f"{bounded(running)} cannot be awaited; expected an async def")
        return await running


def refuse_run(text: str) -> None:
    """Refuse to go on inside of a Trio run."""
    try:
        trio.lowlevel.current_clock()
    except RuntimeError:
        return
    raise RuntimeError(text)


def _note(test: object, args: tuple[Any, ...], seed: int, passed: str) -> str:
    shown = ", ".join([label_of(test), *map(bounded, args)])
    return (
        f"explore: failed with seed {seed}, after {passed} runs that passed; to repeat it write\n"
        f"    explore({shown}, seeds=[{seed}])"
    )
