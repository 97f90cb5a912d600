"""The rules of a probe: which calls it answers by itself, and what it passes on to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import outcome

from .._behaviour.messages import Cast
from .._exits.call_errors import NoProcess
from .._gen_server.method_messages import Message
from .._gen_server.server import reply as reply_to
from .._process.names import find_living
from .._process.request import From, new_request
from .._process.runtime import runtime
from .patterns import matches

if TYPE_CHECKING:
    from .._process.names import Ref

NOTHING: Final[Any] = object()


class Rules:
    """The rules of one probe, the newest first; of several that fit, the first counts."""

    def __init__(self) -> None:
        self.replies: list[tuple[Any, Any]] = []  # (pattern of the request, reply)
        self.forwards: list[tuple[Any, Ref]] = []  # (pattern, to whom)

    def answer(self, entry: Any) -> bool:
        """Answer a call, if a rule fits; return whether one did."""
        request = request_of(entry)
        for pattern, reply in list(self.replies):  # a pattern may be a function that adds one
            if request is not NOTHING and matches(pattern, request):
                reply_to(entry, _answer(reply, request))
                return True
        return False

    def forward(self, entry: Any) -> bool:
        """Pass a message on, if a rule fits; return whether it is dealt with, as a call is then."""
        content = content_of(entry)
        for pattern, ref in list(self.forwards):
            if matches(pattern, content):
                _forward(entry, ref)
                return isinstance(entry, From)
        return False


def message_of(entry: Any) -> Any:
    """Return what a test receives as a message: what is cast, or a plain message; no call."""
    if isinstance(entry, From):
        return NOTHING
    return entry.message if entry.__class__ is Cast else entry


def request_of(entry: Any) -> Any:
    """Return the request of a call; `NOTHING` of anything else."""
    return entry.message if isinstance(entry, From) else NOTHING


def content_of(entry: Any) -> Any:
    """Return what a message, cast or call carries."""
    return entry.message if isinstance(entry, From | Cast) else entry


def _answer(reply: Any, request: Any) -> Any:
    """Make the answer to a request by a rule."""
    if not callable(reply) or isinstance(reply, type):
        return reply
    if isinstance(request, Message):
        return outcome.capture(reply, *request.args, **request.kwargs)
    return outcome.capture(reply, request)


def _forward(message: Any, ref: Any) -> None:
    """Pass a message on; a call as a call of its own, whose answer goes to the first caller."""
    target = find_living(ref)
    if isinstance(message, From):
        if target is None:
            message._fail(NoProcess(ref, message.message))
        else:
            new_request(target, ref, message.message, None)._post(message._answer_with)
    elif target is None:
        runtime().drop(ref, message, "forwarded by a probe to nobody")
    else:
        target.mailbox.deliver(message)
