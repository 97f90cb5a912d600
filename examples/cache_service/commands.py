"""Redis commands: from the arguments a client sent to a typed command, or the error it gets.

>>> parse([b"set", b"k", b"v", b"EX", b"10"])
Set(key=b'k', value=b'v', lifetime=Lifetime(seconds=10.0, absolute=False), condition=None)
>>> parse([b"GET"])
Traceback (most recent call last):
    ...
examples.cache_service.commands.CommandError: ERR wrong number of arguments for 'get' command

Nothing here knows of connections or keyspaces: `keyspace.py` carries out the commands on keys,
`endpoint.py` the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
# As Redis: no plus sign, no spaces, no leading zeros, no minus zero.
_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")
# Seconds; a moment that is so far away, in milliseconds from any other, still fits 64 bits.
_FARTHEST: Final = INT_MAX // 1000 // 4
_SHOWN_ARGUMENTS: Final = 128  # bytes of the arguments that an error quotes


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
    """Add one to a number; an absent one is zero."""

    key: bytes


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
    """Write a snapshot of the keyspace to a file."""

    path: str


@dataclass(frozen=True, slots=True)
class Quit:
    """Answer, and close the connection."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Agree on a version of the protocol; only 2 is spoken here."""

    version: int = 2


@dataclass(frozen=True, slots=True)
class Info:
    """Describe the server."""


@dataclass(frozen=True, slots=True)
class ConfigGet:
    """Read settings by patterns, as redis-benchmark does."""

    patterns: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Ask for what is not kept here, as redis-cli does with COMMAND DOCS; the answer is empty."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Say something about the client, as CLIENT SETNAME does; the answer is OK."""


ReadCommand: TypeAlias = Get | Exists | Ttl | DbSize
WriteCommand: TypeAlias = Set | Delete | Increment | Expire
KeyCommand: TypeAlias = ReadCommand | WriteCommand
SessionCommand: TypeAlias = (
    Ping | Echo | Select | Quit | Hello | Info | ConfigGet | Inquiry | Remark
)
Command: TypeAlias = KeyCommand | SessionCommand | Export


@dataclass(frozen=True, slots=True)
class _Rule:
    fewest: int
    most: int | None
    build: Callable[[list[bytes]], Command]


def parse(request: list[bytes]) -> Command:
    """Make a command of a request.

    Args:
        request: the name of the command in any case, then its arguments; never empty.

    Raises:
        CommandError: the command is unknown or its arguments are wrong; the text says which.
    """
    name, arguments = request[0].lower(), request[1:]
    rule = _RULES.get(name)
    if rule is None:
        raise CommandError(_unknown(request))
    if len(arguments) < rule.fewest or (rule.most is not None and len(arguments) > rule.most):
        raise CommandError(f"ERR wrong number of arguments for '{name.decode()}' command")
    return rule.build(arguments)


def integer(text: bytes) -> int:
    """Read a number as Redis does.

    Raises:
        CommandError: the text is no decimal number of 64 bits.
    """
    if _INTEGER.fullmatch(text) is None or not INT_MIN <= (number := int(text)) <= INT_MAX:
        raise CommandError("ERR value is not an integer or out of range")
    return number


def _unknown(request: list[bytes]) -> str:
    shown = ""
    for argument in request[1:]:
        if len(shown) >= _SHOWN_ARGUMENTS:
            break
        shown += f"'{_text(argument[: _SHOWN_ARGUMENTS - len(shown)])}' "
    name = _text(request[0][:_SHOWN_ARGUMENTS])
    return f"ERR unknown command '{name}', with args beginning with: {shown}"


def _text(argument: bytes) -> str:
    return argument.decode(errors="replace")


def _lifetime(command: str, text: bytes, per_second: int, *, absolute: bool = False) -> Lifetime:
    number = integer(text)
    if abs(number) > _FARTHEST * per_second:
        _refuse_time(command)
    return Lifetime(number / per_second, absolute)


def _refuse_time(command: str) -> NoReturn:
    raise CommandError(f"ERR invalid expire time in '{command}' command")


# {option of SET: (parts of a second it counts in, whether since the Unix epoch)}
_LIFETIMES: Final = {
    b"EX": (1, False),
    b"PX": (1000, False),
    b"EXAT": (1, True),
    b"PXAT": (1000, True),
}


def _set(arguments: list[bytes]) -> Set:
    key, value, *options = arguments
    lifetime: Lifetime | None = None
    condition: Literal["NX", "XX"] | None = None
    words = iter(options)
    for word in words:
        option = word.upper()
        if option in _LIFETIMES and lifetime is None:
            lifetime = _set_lifetime(option, next(words, None))
        elif option == b"NX" and condition != "XX":
            condition = "NX"
        elif option == b"XX" and condition != "NX":
            condition = "XX"
        else:
            _refuse_syntax()
    return Set(key, value, lifetime, condition)


def _set_lifetime(option: bytes, text: bytes | None) -> Lifetime:
    if text is None:
        _refuse_syntax()
    per_second, absolute = _LIFETIMES[option]
    lifetime = _lifetime("set", text, per_second, absolute=absolute)
    if lifetime.seconds <= 0:
        _refuse_time("set")
    return lifetime


def _refuse_syntax() -> NoReturn:
    raise CommandError("ERR syntax error")


def _expire(name: str, per_second: int) -> _Rule:
    return _Rule(2, 2, lambda a: Expire(a[0], _lifetime(name, a[1], per_second)))


def _select(arguments: list[bytes]) -> Select:
    return Select(integer(arguments[0]))


def _hello(arguments: list[bytes]) -> Hello:
    if not arguments:
        return Hello()
    if len(arguments) > 1 or integer(arguments[0]) != 2:
        raise CommandError("NOPROTO unsupported protocol version or option")
    return Hello()


def _config(arguments: list[bytes]) -> ConfigGet:
    word, *patterns = arguments
    if word.lower() != b"get" or not patterns:
        raise CommandError(f"ERR unsupported CONFIG subcommand '{_text(word[:128])}'")
    return ConfigGet(tuple(patterns))


def _client(arguments: list[bytes]) -> Remark:
    word = arguments[0]
    if word.lower() not in (b"setname", b"setinfo", b"no-evict", b"no-touch"):
        raise CommandError(f"ERR unsupported CLIENT subcommand '{_text(word[:128])}'")
    return Remark()


def _export(arguments: list[bytes]) -> Export:
    try:
        path = arguments[0].decode()
    except UnicodeDecodeError:
        path = ""
    if not path or "\0" in path:
        raise CommandError("ERR the path of an export is UTF-8, not empty and has no NUL in it")
    return Export(path)


_RULES: Final[dict[bytes, _Rule]] = {
    b"get": _Rule(1, 1, lambda a: Get(a[0])),
    b"set": _Rule(2, None, _set),
    b"del": _Rule(1, None, lambda a: Delete(tuple(a))),
    b"exists": _Rule(1, None, lambda a: Exists(tuple(a))),
    b"incr": _Rule(1, 1, lambda a: Increment(a[0])),
    b"expire": _expire("expire", 1),
    b"pexpire": _expire("pexpire", 1000),
    b"persist": _Rule(1, 1, lambda a: Expire(a[0], None)),
    b"ttl": _Rule(1, 1, lambda a: Ttl(a[0])),
    b"pttl": _Rule(1, 1, lambda a: Ttl(a[0], 1000)),
    b"dbsize": _Rule(0, 0, lambda _: DbSize()),
    b"export": _Rule(1, 1, _export),
    b"ping": _Rule(0, 1, lambda a: Ping(a[0] if a else None)),
    b"echo": _Rule(1, 1, lambda a: Echo(a[0])),
    b"select": _Rule(1, 1, _select),
    b"quit": _Rule(0, None, lambda _: Quit()),
    b"hello": _Rule(0, None, _hello),
    b"info": _Rule(0, None, lambda _: Info()),
    b"config": _Rule(1, None, _config),
    b"command": _Rule(0, None, lambda _: Inquiry()),
    b"client": _Rule(1, None, _client),
}
