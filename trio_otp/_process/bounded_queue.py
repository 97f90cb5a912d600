"""The queue of a mailbox with a bound: which messages count, and which tasks wait for room.

Rules this file keeps:

* Only what users have sent counts. What the system sends is in the same queue, in order of arrival,
  and is neither counted nor ever taken out to make room.
* There are waiters only while there is no room: the first one enters as soon as there is, so that
  no later message overtakes it, except one that takes the place of the oldest (`drop_oldest`).
* A call can be taken out wherever it stands, in the same short time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio
from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NONE: Final[object] = object()


class Waiter(Protocol):
    """A task that waits for room: a call, or a `RoomRequest` for anything else."""

    _done: bool  # its task no longer waits

    def _enter(self) -> object:
        """Return the message that enters; wake the task if it waits for nothing more."""
        ...


class BoundedQueue:
    """The queue of a mailbox with a bound; it has the methods of a deque that are used.

    Args:
        size: how many messages of users there may be.
    """

    __slots__ = ("_counted", "_messages", "_numbers", "line", "next_number", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.next_number = 0  # of the message that comes next
        self.line: OrderedDict[Waiter, None] = OrderedDict()  # waiters for room, oldest first
        self._messages: OrderedDict[int, object] = OrderedDict()  # {number: message}, oldest first
        # {number of a message that counts: the message if it is a call}, oldest first
        self._counted: OrderedDict[int, object] = OrderedDict()
        self._numbers: dict[object, int] = {}  # {call that waits: its number}

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[object]:
        return iter(list(self._messages.values()))

    @property
    def used(self) -> int:
        """How many of the messages count."""
        return len(self._counted)

    def has_room(self) -> bool:
        """Check whether there may be one more that counts."""
        return len(self._counted) < self.size

    # -- what comes in -----------------------------------------------------------------------

    @enable_ki_protection
    def append(self, message: object) -> None:
        """Add a message that does not count."""
        self._messages[self.next_number] = message
        self.next_number += 1

    @enable_ki_protection
    def count_newest(self, *, is_call: bool) -> None:
        """Count the message that was added last."""
        number = self.next_number - 1
        call = self._messages[number] if is_call else None
        self._counted[number] = call
        if is_call:
            self._numbers[call] = number

    @enable_ki_protection
    def insert(self, index: int, message: object) -> None:
        """Put a message that counts back to where it was."""
        later = list(self._messages.items())[index:]
        counted = [number in self._counted for number, _ in later]
        calls = [self._counted.pop(number, None) is not None for number, _ in later]
        for number, _ in later:
            del self._messages[number]
        self.append(message)
        self.count_newest(is_call=False)
        for (_, other), counts, is_call in zip(later, counted, calls, strict=True):
            self.append(other)
            if counts:
                self.count_newest(is_call=is_call)

    def _let_in(self) -> None:
        """Take in the messages of waiters while there is room."""
        while self.line and self.has_room():
            waiter = self.line.popitem(last=False)[0]
            if not waiter._done:
                message = waiter._enter()
                self.append(message)
                self.count_newest(is_call=message is waiter)

    # -- what is taken out -------------------------------------------------------------------

    @enable_ki_protection
    def popleft(self) -> object:
        """Take out the oldest message."""
        number, message = self._messages.popitem(last=False)
        self._uncount(number)
        return message

    @enable_ki_protection
    def take_oldest(self) -> object:
        """Take out the oldest message that counts, for another one that comes in at once."""
        number, call = self._counted.popitem(last=False)
        if call is not None:
            del self._numbers[call]
        return self._messages.pop(number)

    @enable_ki_protection
    def take_out(self, call: Any) -> bool:
        """Take out a call whose caller has given up, or take it from the line.

        Returns:
            Whether it was in the queue.
        """
        number = self._numbers.get(call)
        if number is None:
            self.line.pop(call, None)
            return False
        self._remove(number)
        return True

    def take(self, match: Callable[[Any], bool], since: int) -> object:
        """Take out the oldest message that matches, of those with a number from `since` on.

        Raises:
            trio.WouldBlock: none matches.
        """
        while since < self.next_number:  # `match` may send to this very queue, or take from it
            since, messages = self.next_number, self._from(since)
            for number, message in messages:
                if match(message) and number in self._messages:
                    return self._remove(number)
        raise trio.WouldBlock

    def _from(self, since: int) -> list[tuple[int, object]]:
        """List the messages with a number from `since` on, without a look at those before."""
        found: list[tuple[int, object]] = []
        for number in reversed(self._messages):
            if number < since:
                break
            found.append((number, self._messages[number]))
        return found[::-1]

    @enable_ki_protection
    def _remove(self, number: int) -> object:
        message = self._messages.pop(number)
        self._uncount(number)
        return message

    def _uncount(self, number: int) -> None:
        call = self._counted.pop(number, _NONE)
        if call is _NONE:
            return
        if call is not None:
            del self._numbers[call]
        self._let_in()

    @enable_ki_protection
    def clear(self) -> None:
        """Remove all messages and waiters."""
        self.line.clear()
        self._messages.clear()
        self._counted.clear()
        self._numbers.clear()
