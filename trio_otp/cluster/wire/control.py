"""Control messages: what one frame says, as data, in both directions.

Reasons are those of this library already, see `reasons`. Names are atoms; a `str` will do to send.
Nothing changes one; they are not frozen, as that makes them three times as expensive to make.

Follows: `erl_dist_protocol`, "Protocol between Connected Nodes".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias


@dataclass(slots=True)
class Tick:
    """A sign of life."""


@dataclass(slots=True)
class Send:
    """A message to a pid."""

    to: Any
    message: Any


@dataclass(slots=True)
class SendSender:
    """A message to a pid, that says who has sent it."""

    sender: Any
    to: Any
    message: Any


@dataclass(slots=True)
class RegSend:
    """A message to a name."""

    sender: Any
    name: Any
    message: Any


@dataclass(slots=True)
class AliasSend:
    """A message to an alias, which is a reference."""

    sender: Any
    alias: Any
    message: Any


@dataclass(slots=True)
class Link:
    """Link `sender` and `to`."""

    sender: Any
    to: Any


@dataclass(slots=True)
class Unlink:
    """Take the link off; to be answered by an `UnlinkAck` of the same `id`."""

    id: int
    sender: Any
    to: Any


@dataclass(slots=True)
class UnlinkAck:
    """The link that an `Unlink` has named is gone on the other side, too."""

    id: int
    sender: Any
    to: Any


@dataclass(slots=True)
class Exit:
    """`sender`, which was linked, has ended; the link is gone by that."""

    sender: Any
    to: Any
    reason: Any


@dataclass(slots=True)
class Exit2:
    """An exit signal that somebody has sent: `exit(pid, reason)`."""

    sender: Any
    to: Any
    reason: Any


@dataclass(slots=True)
class Monitor:
    """Begin to monitor `to`, a pid or a name."""

    sender: Any
    to: Any
    ref: Any


@dataclass(slots=True)
class Demonitor:
    """End it."""

    sender: Any
    to: Any
    ref: Any


@dataclass(slots=True)
class MonitorExit:
    """What was monitored, `sender`, has ended: the pid, or the name if that was monitored."""

    sender: Any
    to: Any
    ref: Any
    reason: Any


@dataclass(slots=True)
class GroupLeader:
    """Set the group leader of `to`, of which there is none here."""

    sender: Any
    to: Any


@dataclass(slots=True)
class SpawnRequest:
    """Start a function here; `function` is `(module, name, arity)`."""

    ref: Any
    sender: Any
    group_leader: Any
    function: Any
    options: Any
    arguments: Any


@dataclass(slots=True)
class SpawnReply:
    """The answer: `result` is the pid, or an atom that says why there is none."""

    ref: Any
    to: Any
    flags: int
    result: Any


Control: TypeAlias = (
    Tick
    | Send
    | SendSender
    | RegSend
    | AliasSend
    | Link
    | Unlink
    | UnlinkAck
    | Exit
    | Exit2
    | Monitor
    | Demonitor
    | MonitorExit
    | GroupLeader
    | SpawnRequest
    | SpawnReply
)
TICKED: Final = Tick()
