"""What the callbacks of an event handler may return, and what it says of one that did otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._behaviour.results import Stop, is_value
from .._exits.errors import BadReturn
from .handler import GenEvent, RemoveHandler, SwapHandler
from .outcomes import Crash, Returned

if TYPE_CHECKING:
    from .outcomes import Ran

GO_ON: Final = "None, RemoveHandler() or SwapHandler(new)"
ANSWERS: Final = "Reply(value), RemoveHandler(reply=value) or SwapHandler(new, reply=value)"


def leaves(result: object) -> bool:
    """Check whether a handler asks to be taken out, with or without another in its place."""
    swap = isinstance(result, SwapHandler) and isinstance(result.new, GenEvent)
    return swap or isinstance(result, RemoveHandler)


def is_answer(request: object, result: object) -> bool:
    """Check whether what an `on_call` method returned is the bare value of its reply."""
    return is_value(request, result) and not isinstance(result, RemoveHandler | SwapHandler)


def bad_return(callback: str, value: object, accepted: str) -> BadReturn:
    """Return the reason of the end of a handler whose callback returned nonsense."""
    hint = "; to answer None write Reply(None)" if accepted is ANSWERS and value is None else ""
    return BadReturn(callback, value, accepted + hint)


def refusal(ran: Ran) -> object:
    """Return the reason why a handler was not started."""
    match ran:
        case Crash(reason) | Returned(Stop(reason)):
            return reason
        case Returned(value):
            return BadReturn("init", value, "None or Stop(reason)")
