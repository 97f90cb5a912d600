"""Leave out of the traceback of a failing test what is inside of the library.

A person wants to see the line of the test, and for an error of a server the line of the server.
What lies between them are frames of this library, and below these frames of Trio and outcome that
it has called. Frames of Trio that the test itself has called stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._exits.bare import chain_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

OURS: Final = ("trio_otp", "_trio_otp_pytest")
CALLED: Final = (*OURS, "trio", "outcome")  # no code of a user, if called by ours


def hide_own_frames(error: BaseException) -> None:
    """Change the tracebacks of an error, and of all that it is chained to or made of.

    Args:
        error: what a test ended with. Its first frame stays in any case.
    """
    head = error.__traceback__
    for each in chain_of(error):
        tracebacks = list(_tracebacks(each.__traceback__))
        kept = list(_without_ours(tracebacks))
        if each is error and head is not None and head not in kept:
            kept.insert(0, head)
        following: TracebackType | None = None
        for this in reversed(kept):
            this.tb_next = following
            following = this
        each.__traceback__ = following


def _tracebacks(first: TracebackType | None) -> Iterator[TracebackType]:
    while first is not None:
        yield first
        first = first.tb_next


def _without_ours(tracebacks: list[TracebackType]) -> Iterator[TracebackType]:
    inside = False  # of a call into the library
    for each in tracebacks:
        package = _package_of(each)
        inside = package in OURS or (inside and package in CALLED)
        if not inside:
            yield each


def _package_of(traceback: TracebackType) -> str:
    name: Any = traceback.tb_frame.f_globals.get("__name__")
    return str(name).partition(".")[0]
