"""What the callbacks of an event handler may return, and what it says of one that did otherwise."""

from __future__ import annotations

from typing import Final

from .event_handler import GenEvent, RemoveHandler, SwapHandler
from .exits import BadReturn
from .record import dataclass
from .server_results import Stop

GO_ON: Final = "None, RemoveHandler() or SwapHandler(new)"
ANSWERS: Final = "Reply(value), RemoveHandler(reply=value) or SwapHandler(new, reply=value)"


@dataclass(frozen=True, slots=True)
class Crash:
    """What `EventManager.attempt` gives in place of a result."""

    reason: object


def leaves(result: object) -> bool:
    """Tell whether a handler asks to be taken out, with or without another in its place."""
    swap = isinstance(result, SwapHandler) and isinstance(result.new, GenEvent)
    return swap or isinstance(result, RemoveHandler)


def why_ended(callback: str, result: object, accepted: str) -> object:
    """Give the reason of the end of a handler whose callback raised or returned nonsense."""
    if isinstance(result, Crash):
        return result.reason
    hint = "; to answer None write Reply(None)" if accepted is ANSWERS and result is None else ""
    return BadReturn(callback, result, accepted + hint)


def refusal(result: object) -> object:
    """Give the reason why a handler was not started."""
    match result:
        case Crash(reason) | Stop(reason):
            return reason
        case _:
            return BadReturn("init", result, "None or Stop(reason)")
