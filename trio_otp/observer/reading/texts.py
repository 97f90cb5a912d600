"""What is shown of a process in a few words, read by a thread beside the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._behaviour.messages import Cast, content_of
from ..._gen_server.method_messages import Message
from ..._port.port import Port
from ..._process.doing import seconds_text
from ..._process.request import From
from ..._process.wait_edges import awaited
from ..._util.bounded import bounded, shown_text
from ..._util.unset import UNSET

if TYPE_CHECKING:
    from ..._process.process import Process

NAME: Final = 80  # characters


def who(process: Process) -> dict[str, Any]:
    """Return the number of a process and what it is called: what a link shows."""
    return {"pid": process.pid._number, "name": name_of(process)}


def name_of(process: Process, limit: int = NAME) -> str:
    """Return its name, else its label."""
    if process.name is None:
        return shown_text(process.label, limit)
    return bounded(process.name, limit)


def doing(process: Process, now: float) -> str:
    """Return what is in hand and since when, whom it waits for, the program of a port."""
    message: Any = process.current
    parts: list[str] = []
    if message is not UNSET:
        parts.append(f"{kind_of(message)} for {seconds_text(now - process.since)}")
    elif isinstance(process.instance, Port) and (number := process.instance.os_pid) is not None:
        parts.append(f"os pid {number}")
    elif process.extras.thread is not None:
        parts.append("in its thread")
    target = awaited(process)
    if target is not None:
        parts.append(f"waits for {target.pid._number} {name_of(target, 30)}")
    return ", ".join(parts)


def kind_of(message: Any) -> str:
    """Name a message by its class or method: the repr of what it carries may take long."""
    content: Any = content_of(message)
    what = content.method.name if isinstance(content, Message) else type(content).__name__
    way = "call " if isinstance(message, From) else "cast " if isinstance(message, Cast) else ""
    return shown_text(f"{way}{what}", NAME)
