"""What a machine with a bounded mailbox may postpone: as much as may wait in the mailbox.

What is postponed has been taken out of the mailbox, so the event that ends the waiting finds room
there, however much is postponed. One event too many meets what a message meets that nobody waits to
have sent: it is dropped, with `drop_oldest` the oldest in its place. A call is answered by
`MailboxFull`; but where calls wait for room, one goes on waiting here. What the system sends
neither counts nor is dropped.

Follows: nothing of OTP, where no number is too large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._process.mailbox import Notification
from .._process.request import From
from .timeouts import Event

if TYPE_CHECKING:
    from .effects import Effect, Happening
    from .engine import Engine

TOO_MANY: Final = "as many events are postponed as the mailbox may hold"


class PostponedBound:
    """Counts what a machine has postponed.

    Args:
        mailbox: the mailbox of the machine, which has a bound.
    """

    __slots__ = ("_count", "_given_up", "_mailbox")

    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox
        self._count = -1  # of those that count; they are to be counted first
        self._given_up = 0  # how many calls had been given up when it last looked

    def done(self, engine: Engine, result: Any) -> list[Effect]:
        """Do as `Engine.done`, and drop what is postponed above the bound."""
        postponed = engine.postponed
        if self._count < 0:
            self._count = sum(map(self._counts, postponed))
        before = len(postponed)
        effects = engine.done(result)
        if not postponed:
            self._count = 0
        elif len(postponed) > before and self._counts(postponed[-1]):
            self._count += 1
            if self._count > self._mailbox.bound.size:
                self._make_room(postponed)
        return effects

    def _counts(self, happening: Happening) -> bool:
        """Check whether an event was sent by a user, who does not wait for room."""
        if isinstance(happening.kind, From):
            return bool(self._mailbox.bound.on_full != "wait")
        if happening.kind is Event.INFO:
            return not isinstance(happening.content, Notification)
        return happening.kind is Event.CAST

    def _make_room(self, postponed: list[Happening]) -> None:
        if self._given_up != self._mailbox.given_up:
            self._given_up = self._mailbox.given_up
            self._take_out_abandoned(postponed)
        if self._count > self._mailbox.bound.size:
            self._count -= 1
            happening = postponed.pop(self._too_many(postponed))
            is_call = isinstance(happening.kind, From)
            self._mailbox.drop(happening.kind if is_call else happening.content, TOO_MANY)

    def _too_many(self, postponed: list[Happening]) -> int:
        if self._mailbox.bound.on_full != "drop_oldest":
            return -1
        return next(index for index, each in enumerate(postponed) if self._counts(each))

    def _take_out_abandoned(self, postponed: list[Happening]) -> None:
        """Take out the calls that nobody waits for any more."""
        for index in range(len(postponed) - 1, -1, -1):
            call: Any = postponed[index].kind
            if isinstance(call, From) and call.abandoned:
                del postponed[index]
                self._count -= self._mailbox.bound.on_full != "wait"
                self._mailbox.tell_given_up(call)
