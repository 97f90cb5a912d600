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
_HEADER: Final = re.compile(rb"host:.*|[a-z][a-z0-9-]*:", re.DOTALL)
_VERSION: Final = re.compile(rb"http/[0-9].*", re.DOTALL)
_PLAIN: Final = re.compile(rb"[!-~]*")


class CommandError(Exception):
    """The client asked for something that cannot be done; the text is the error reply."""


class HttpError(CommandError):
    """The client speaks HTTP, for instance a browser on which a page has a form for this port.

    Its later lines may well be commands, and must not be carried out.
    """


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
class Quit:
    """Answer, and close the connection."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Agree on a version of the protocol; without one, it stays as it is."""

    version: Literal[2, 3] | None = None


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
    """Say what changes nothing here, as CLIENT SETNAME and AUTH do; the answer is OK."""


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
        HttpError: the same, and it looks like a line of HTTP.
    """
    try:
        return _parse(request)
    except CommandError as exc:
        if _looks_like_http(request):
            raise HttpError("ERR this port speaks the Redis protocol, not HTTP") from exc
        raise


def _looks_like_http(request: list[bytes]) -> bool:
    """Check whether what is no command is the first line of an HTTP request, or a header.

    Redis looks for POST and Host: alone. This takes any method, GET too, by the version behind it.
    """
    name, last = request[0].lower(), request[-1].lower()
    return (
        name == b"post"
        or _HEADER.fullmatch(name) is not None
        or (len(request) > 1 and _VERSION.fullmatch(last) is not None)
    )


def _parse(request: list[bytes]) -> Command:
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


def _decrement(arguments: list[bytes]) -> Increment:
    by = integer(arguments[1])
    if by == INT_MIN:
        raise CommandError("ERR decrement would overflow")
    return Increment(arguments[0], -by)


def _hello(arguments: list[bytes]) -> Hello:
    if not arguments:
        return Hello()
    version = _hello_version(arguments[0])
    words = arguments[1:]
    while words:
        match [words[0].upper(), *words[1:]]:
            case [b"AUTH", user, _, *words]:
                _authenticate(user)
            case [b"SETNAME", name, *words]:
                _check_plain("Client names", name)
            case _:
                raise CommandError(f"ERR Syntax error in HELLO option '{_text(words[0][:128])}'")
    return Hello(version)


def _hello_version(text: bytes) -> Literal[2, 3]:
    try:
        version = integer(text)
    except CommandError:
        raise CommandError("ERR Protocol version is not an integer or out of range") from None
    if version == 2:
        return 2
    if version == 3:
        return 3
    raise CommandError("NOPROTO unsupported protocol version")


def _auth(arguments: list[bytes]) -> Remark:
    if len(arguments) == 1:
        raise CommandError(
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?"
        )
    _authenticate(arguments[0])
    return Remark()


def _authenticate(user: bytes) -> None:
    """There is one user, and as in Redis without a configuration any password of it is right."""
    if user != b"default":
        raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")


def _check_plain(what: str, text: bytes) -> None:
    if _PLAIN.fullmatch(text) is None:
        raise CommandError(f"ERR {what} cannot contain spaces, newlines or special characters.")


def _config(arguments: list[bytes]) -> ConfigGet:
    word, *patterns = arguments
    if word.lower() != b"get" or not patterns:
        raise CommandError(f"ERR unsupported CONFIG subcommand '{_text(word[:128])}'")
    return ConfigGet(tuple(patterns))


def _client(arguments: list[bytes]) -> Remark:
    match [arguments[0].lower(), *arguments[1:]]:
        case [b"setname", name]:
            _check_plain("Client names", name)
        case [b"setinfo", option, value] if option.lower() in (b"lib-name", b"lib-ver"):
            _check_plain(_text(option), value)
        case [b"setinfo", option, _]:
            raise CommandError(f"ERR Unrecognized option '{_text(option[:128])}'")
        case [b"no-evict" | b"no-touch", switch] if switch.lower() in (b"on", b"off"):
            pass
        case [b"no-evict" | b"no-touch", _]:
            _refuse_syntax()
        case [b"setname" | b"setinfo" | b"no-evict" | b"no-touch" as word, *_]:
            raise CommandError(f"ERR wrong number of arguments for 'client|{_text(word)}' command")
        case _:
            raise CommandError(f"ERR unsupported CLIENT subcommand '{_text(arguments[0][:128])}'")
    return Remark()


def _export(arguments: list[bytes]) -> Export:
    try:
        path = arguments[0].decode()
    except UnicodeDecodeError:
        path = ""
    export_parts(path)
    return Export(path)


def export_parts(path: str) -> list[str]:
    """Split the path of an export, which is relative to the directory for exports.

    Raises:
        CommandError: it is not relative, or has an empty part, '.', '..' or NUL in it.
    """
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise CommandError(
            "ERR the path of an export is UTF-8 without NUL, relative to the directory for "
            "exports, and has no empty part, '.' or '..' in it"
        )
    return parts


_RULES: Final[dict[bytes, _Rule]] = {
    b"get": _Rule(1, 1, lambda a: Get(a[0])),
    b"set": _Rule(2, None, _set),
    b"del": _Rule(1, None, lambda a: Delete(tuple(a))),
    b"exists": _Rule(1, None, lambda a: Exists(tuple(a))),
    b"incr": _Rule(1, 1, lambda a: Increment(a[0])),
    b"incrby": _Rule(2, 2, lambda a: Increment(a[0], integer(a[1]))),
    b"decr": _Rule(1, 1, lambda a: Increment(a[0], -1)),
    b"decrby": _Rule(2, 2, _decrement),
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
    b"auth": _Rule(1, 2, _auth),
    b"info": _Rule(0, None, lambda _: Info()),
    b"config": _Rule(1, None, _config),
    b"command": _Rule(0, None, lambda _: Inquiry()),
    b"client": _Rule(1, None, _client),
}
