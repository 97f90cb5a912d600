"""Assertions about what arrives in a mailbox.

Follows: ExUnit's `assert_receive/3` and `refute_receive/3`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from .._behaviour.messages import shown_message
from .._process.checkpoints import checkpointed
from .._process.receive import ReceiveTimeout, take
from .._process.signals import Down, Exit
from .._util.checks import check_timeout
from .._util.public import public_in
from .log import note_seen
from .mailboxes import mailbox_text, messages_of, process_of_test
from .patterns import check_pattern, matches, shown

if TYPE_CHECKING:
    from .patterns import Like

T = TypeVar("T")
WITHIN: Final = 1.0  # seconds in which something is to happen
QUIET: Final = 0.1  # seconds in which something is not to happen


@overload
async def assert_receive(pattern: type[T] | Like[T], *, within: float = WITHIN) -> T: ...
@overload
async def assert_receive(pattern: Any, *, within: float = WITHIN) -> Any: ...
@public_in("testing")
@checkpointed
async def assert_receive(pattern: Any, *, within: float = WITHIN) -> Any:
    """Wait for a message that matches a pattern in the mailbox of the test.

    Other messages stay, in their order.

    Args:
        pattern: see `trio_otp.testing.patterns`.
        within: seconds; 0 looks only at what has arrived.

    Returns:
        The oldest message that matches, which is then gone.

    Raises:
        AssertionError: none came; the text lists the messages that are there.
        NotAProcess: the test has no mailbox.
        TypeError, ValueError: an argument is not accepted.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import assert_receive, refute_receive
    >>> async def main():
    ...     async with otp.open_process() as me:
    ...         otp.send(me, ("count", 3))
    ...         print(await assert_receive(("count", int)))
    ...         await refute_receive(object)
    >>> trio.run(main)
    ('count', 3)

    Follows: ExUnit's `assert_receive/3`.
    """
    __tracebackhide__ = True
    check_pattern("pattern", pattern)
    check_timeout("within", within)
    process = process_of_test("assert_receive")
    try:
        message = await take(process, partial(matches, pattern), within)
    except ReceiveTimeout:
        text = f"no message matching {shown(pattern)} within {within:g} s"
        there = mailbox_text(process.pid, messages_of(process))
        raise AssertionError(f"{text}\n{there}") from None
    note_read(message)
    return message


@public_in("testing")
@checkpointed
async def refute_receive(pattern: Any = object, *, within: float = QUIET) -> None:
    """Wait whether a message that matches a pattern arrives in the mailbox of the test.

    Args:
        pattern: see `trio_otp.testing.patterns`; `object`, any message, if not given.
        within: seconds; 0 looks only at what has arrived.

    Raises:
        AssertionError: one is there or came; the text lists the mailbox.
        NotAProcess: the test has no mailbox.
        TypeError, ValueError: an argument is not accepted.

    Follows: ExUnit's `refute_receive/3`.
    """
    __tracebackhide__ = True
    check_pattern("pattern", pattern)
    check_timeout("within", within)
    process = process_of_test("refute_receive")
    older = 0  # messages that are before it

    def wanted(message: Any) -> bool:
        nonlocal older
        found = matches(pattern, message)
        older += not found
        return found

    try:
        message = await take(process, wanted, within)
    except ReceiveTimeout:
        return
    process.mailbox.queue.insert(older, message)
    raise AssertionError(refuted(message, pattern, process.pid, messages_of(process)))


def refuted(message: Any, pattern: Any, pid: Any, messages: list[Any]) -> str:
    """Return the text of a refutation that failed."""
    text = f"{shown_message(message)} came, which matches {shown(pattern)}"
    return f"{text}\n{mailbox_text(pid, messages)}"


def note_read(message: Any) -> None:
    """Record that a test has read of an end, so that it is no surprise any more."""
    if isinstance(message, Down | Exit):
        note_seen(message.reason)
