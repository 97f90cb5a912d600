"""Assertions about processes: that one ended, was restarted, or let a call fail.

Follows: ExUnit's `assert_receive {:DOWN, ...}` and `catch_exit/1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from .._inspect.introspect import slot_of
from .._inspect.tree import drawn
from .._process.checkpoints import checkpointed, refusal
from .._process.names import check_reference, find_even_exiting, find_living
from .._process.pid import Pid
from .._process.receive import ReceiveTimeout, take
from .._process.runtime import runtime
from .._process.signals import Down, Monitor
from .._util.bounded import bounded
from .._util.checks import check_timeout, check_whole
from .._util.public import public_in
from .errors import UnknownServer, pid_of
from .log import note_seen, note_seen_ends
from .patterns import check_pattern, matches, shown
from .receiving import WITHIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.names import Ref
    from .._process.process import Process


@public_in("testing")
@checkpointed
async def assert_down(
    ref: Ref | Monitor, reason: Any = object, *, within: float = WITHIN
) -> object:
    """Wait until a process is dead, for a reason that matches a pattern.

    Args:
        ref: the process, or what `otp.monitor` gave for it, whose `Down` is then taken out of the
            mailbox.
        reason: a pattern of its exit reason; any, if not given.
        within: seconds.

    Returns:
        The reason.

    Raises:
        AssertionError: it lives, or ended for another reason; the text shows the tree.
        UnknownServer: nobody has the name, or the process was dead before and the test has no
            fixture of the kit that would know why.
        TypeError, ValueError: an argument is not accepted.

    Follows: ExUnit's `assert_receive {:DOWN, ^ref, :process, _, reason}`.
    """
    __tracebackhide__ = True
    check_pattern("reason", reason)
    check_timeout("within", within)
    who: object
    if isinstance(ref, Monitor):
        who, found = ref.what, await _down_of(ref, reason, within)
    else:
        check_reference(ref)
        who, found = await _end_of(ref, reason, within)
    note_seen(found)
    if not matches(reason, found):
        raise AssertionError(f"{bounded(who)} ended with {bounded(found)}, not {shown(reason)}")
    return found


async def _down_of(ref: Monitor, reason: Any, within: float) -> object:
    __tracebackhide__ = True
    try:
        down: Down = await take(ref.watcher, lambda m: isinstance(m, Down) and m.ref is ref, within)
    except ReceiveTimeout:
        raise _alive(ref.what, reason, within) from None
    return down.reason


async def _end_of(ref: Any, reason: Any, within: float) -> tuple[object, object]:
    __tracebackhide__ = True
    pid = pid_of(ref)
    process = find_even_exiting(pid)
    if process is None:
        await trio.lowlevel.checkpoint()
        ends: dict[object, object] = runtime().extras.get(ENDS) or {}
        if pid not in ends:
            raise UnknownServer("assert_down", ref)
        return pid, ends[pid]
    with trio.move_on_after(within):
        return process.pid, await process.wait_dead()
    raise _alive(process.pid, reason, within)


def _alive(who: object, reason: Any, within: float) -> AssertionError:
    why = "" if reason is object else f"; expected to end with {shown(reason)}"
    return AssertionError(f"{bounded(who)} is alive after {within:g} s{why}\n{tree_text()}")


ENDS = "trio_otp.testing: why processes ended"  # in the extras of a run, {pid: reason}


@public_in("testing")
@checkpointed
async def assert_restarted(ref: Ref, times: int = 1, *, within: float = WITHIN) -> Pid:
    """Wait until a child has been restarted so often by its supervisor, and runs again.

    Args:
        ref: its name, which stays the same; a pid is one incarnation only.
        times: how often since its supervisor started.
        within: seconds.

    Returns:
        The pid it has now.

    Raises:
        AssertionError: it was restarted less or more often, or does not run; the text shows the
            tree.
        TypeError: a pid was given.
        ValueError: a number is not accepted.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import assert_call_fails, assert_down, assert_restarted, open_system
    >>> async def main():
    ...     async with open_system() as system:
    ...         cache = otp.child(otp.Agent, dict).having(name="cache")
    ...         first = await system.start_supervised(cache)
    ...         await assert_call_fails(otp.Agent.get("cache", abs), TypeError)
    ...         print(repr(await assert_down(first, TypeError)))
    ...         print(await assert_restarted("cache") != first)
    >>> trio.run(main)
    TypeError("bad operand type for abs(): 'dict'")
    True
    """
    __tracebackhide__ = True
    if isinstance(ref, Pid):
        raise TypeError(f"ref={bounded(ref)}: expected a name; a pid is one incarnation only")
    check_reference(ref)
    check_whole("times", times, 0)
    check_timeout("within", within)
    await until(lambda: _restarts(ref) >= times, within)
    await trio.testing.wait_all_tasks_blocked()
    process, restarts = find_living(ref), _restarts(ref)
    if process is None:
        there = f"nobody has the name {bounded(ref)} after {within:g} s"
        raise AssertionError(f"{there}; expected {_times(times)}\n{tree_text()}")
    if restarts != times:
        was = f"{bounded(ref)} was restarted {_times(restarts)}"
        raise AssertionError(f"{was} within {within:g} s, not {_times(times)}\n{tree_text()}")
    _see_ends(process)
    return process.pid


def _restarts(ref: Any) -> int:
    process = find_living(ref)
    slot = None if process is None or process.starting is not None else slot_of(process)
    return -1 if slot is None else slot.restarts


def _see_ends(process: Process) -> None:
    """Record that the test knows why this child of a supervisor ended so far."""
    supervisor, slot = process.supervisor, slot_of(process)
    if supervisor is not None and slot is not None:  # pragma: no branch - it was restarted by one
        note_seen_ends(supervisor.pid, slot.spec.id)


def _times(count: int) -> str:
    return f"{max(count, 0)} time{'' if count == 1 else 's'}"


@public_in("testing")
async def assert_call_fails(call: Awaitable[Any], reason: Any = Exception) -> Exception:
    """Await a call that fails.

    Args:
        call: what is awaited, as `cache.get("k")` or `otp.call("cache", request)`.
        reason: a pattern of the error, or of its `reason`: `KeyError` is one of a server that
            crashes with it; `otp.NoProcess` and `otp.CallTimeout` are some without a crash.

    Returns:
        The error that the call raised.

    Raises:
        AssertionError: the call returned a value, or failed in another way.
        TypeError: an argument is not accepted.
    """
    __tracebackhide__ = True
    try:
        check_pattern("reason", reason)
        if not hasattr(call, "__await__"):
            raise TypeError(
                f"call={bounded(call)}: expected a call without its await, for example "
                "assert_call_fails(cache.get('k'), KeyError)"
            )
    except Exception:
        await refusal()
        raise
    try:
        value = await call
    except Exception as exc:
        why = getattr(exc, "reason", exc)
        note_seen(why)
        if matches(reason, exc) or matches(reason, why):
            await trio.lowlevel.checkpoint()
            return exc
        text = f"the call failed with {bounded(exc)}, not {shown(reason)}"
        raise AssertionError(text) from exc
    raise AssertionError(f"the call returned {bounded(value)}; expected to fail: {shown(reason)}")


async def until(happened: Callable[[], bool], within: float) -> None:
    """Wait until something is so, looking whenever a process starts or ends; or time is up."""
    events = runtime().events
    with trio.move_on_after(within):
        while not happened():
            news = trio.Event()

            def tell(*_: object, news: trio.Event = news) -> None:
                news.set()

            for event in ("process_start", "process_exit", "progress"):
                events.attach(event, tell)
            try:
                await news.wait()
            finally:
                for event in ("process_start", "process_exit", "progress"):
                    events.detach(event, tell)
            await trio.testing.wait_all_tasks_blocked()


def tree_text() -> str:
    """Draw the processes of the run under a heading."""
    lines = drawn(runtime()).splitlines()
    return "\n".join(["processes:", *(f"  {line}" for line in lines)])
