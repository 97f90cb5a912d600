"""Redis commands as typed values: what `parsing.py` makes of what a client sent.

>>> Set(b"k", b"v", Lifetime(10.0))
Set(key=b'k', value=b'v', lifetime=Lifetime(seconds=10.0, absolute=False), condition=None)

Nothing here knows of connections or keyspaces: `keyspace.py` carries out the commands on keys,
`connection.py` the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Sequence

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
# As Redis: no plus sign, no spaces, no leading zeros, no minus zero.
_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")


class CommandError(Exception):
    """The client asked for something that cannot be done; the text is the error reply."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an entry lives: seconds from now, or, if absolute, since the Unix epoch."""

    seconds: float
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Get:
    """Read a value."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Exists:
    """Count the keys that are there; one that is named twice counts twice."""

    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ttl:
    """Ask how long an entry lives yet, in `unit` parts of a second."""

    key: bytes
    unit: Literal[1, 1000] = 1


@dataclass(frozen=True, slots=True)
class DbSize:
    """Count the entries."""


@dataclass(frozen=True, slots=True)
class Set:
    """Store a value; `condition` may ask that the key is absent (NX) or present (XX)."""

    key: bytes
    value: bytes
    lifetime: Lifetime | None = None
    condition: Literal["NX", "XX"] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove entries and count them."""

    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Increment:
    """Add to a number; an absent one is zero."""

    key: bytes
    by: int = 1


@dataclass(frozen=True, slots=True)
class Expire:
    """Let an entry end; None lets it live for ever."""

    key: bytes
    lifetime: Lifetime | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer PONG, or the message."""

    message: bytes | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """Answer the message."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Select:
    """Go to another keyspace."""

    keyspace: int


@dataclass(frozen=True, slots=True)
class Export:
    """Write a snapshot of the keyspace to a file below the directory for exports."""

    path: str


@dataclass(frozen=True, slots=True)
class Keys:
    """List the keys that fit a pattern."""

    pattern: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """List the matching keys among the next `count` or so, from a cursor on."""

    cursor: int
    pattern: bytes = b"*"
    count: int = 10
    kind: bytes = b"string"


@dataclass(frozen=True, slots=True)
class Quit:
    """Answer, and close the connection."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Authenticate; without a user name, as the default user."""

    password: bytes = field(repr=False)
    user: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    """Agree on a version of the protocol, and authenticate if a password is given."""

    version: Literal[2, 3] | None = None
    auth: Auth | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """Describe the server; sections may be named, in small letters."""

    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigGet:
    """Read settings by patterns, as redis-benchmark does."""

    patterns: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Ask for something not supported, as redis-cli does by COMMAND DOCS; the answer is empty."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A command without effect here, as CLIENT SETNAME; the answer is OK."""


ReadCommand: TypeAlias = Get | Exists | Ttl | DbSize
WriteCommand: TypeAlias = Set | Delete | Increment | Expire
KeyCommand: TypeAlias = ReadCommand | WriteCommand
KeyspaceCommand: TypeAlias = Keys | Scan | Export
SessionCommand: TypeAlias = (
    Ping | Echo | Select | Quit | Auth | Hello | Info | ConfigGet | Inquiry | Remark
)
Command: TypeAlias = KeyCommand | KeyspaceCommand | SessionCommand


def reads_only(batch: Sequence[KeyCommand]) -> TypeGuard[Sequence[ReadCommand]]:
    """Check whether no command of the batch changes anything."""
    return all(isinstance(command, ReadCommand) for command in batch)


def integer(text: bytes) -> int:
    """Read a number as Redis does.

    Raises:
        CommandError: the text is no decimal number of 64 bits.
    """
    if _INTEGER.fullmatch(text) is None or not INT_MIN <= (number := int(text)) <= INT_MAX:
        raise CommandError("ERR value is not an integer or out of range")
    return number
