"""The record of a message that reached nobody, at DEBUG on `trio_otp.dropped`.

A message may hold what its server keeps out of texts. So what is in it is shown only if the
server is there to be asked; else its class or method alone. Who listens to the event `dropped` gets
the message itself.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from .._behaviour.messages import content_of
from .._process.doing import SHORT, Named, message_text
from .._process.pid import Pid
from .._process.request import From
from .._process.runtime import runtime
from .._util.bounded import bounded, shown_text
from .._util.public import public_in
from ..events.delivery import deliver, new_record
from .add_metadata import put

_dropped: Final = logging.getLogger("trio_otp.dropped")


@public_in("reports")
def log_dropped(ref: object, message: object, why: str) -> None:
    """Log that a message reached nobody, and why.

    Args:
        ref: the reference that it was sent to.
        message: the message.
        why: the reason, as a text.
    """
    if not _dropped.isEnabledFor(logging.DEBUG):
        return
    text = f"{_shown(ref, message)} to {bounded(ref)} dropped: {why}"
    record = new_record(_dropped, logging.DEBUG, text, None, (__file__, 1, "trio_otp"))
    put(record, {"otp_kind": "dropped", "otp_domain": "otp", "otp_ref": bounded(ref)})
    put(record, {"otp_reason": why})
    deliver(_dropped, record)


def _shown(ref: object, message: object) -> str:
    """Return what is shown of a message."""
    process, content = _process(ref), content_of(message)
    if process is not None and process.alive:
        return message_text(process, message)
    if isinstance(content, Named):
        return f"`{shown_text(content.called(), SHORT)}`"
    return f"a message, {shown_text(type(content).__name__, SHORT)}"


def _process(ref: object) -> Any:
    """Return the process of a reference, without a question to anybody's registry."""
    if isinstance(ref, From):
        return ref._server
    try:
        return ref._process if isinstance(ref, Pid) else runtime().names.get(ref)
    except TypeError:  # it does not hash
        return None
