"""Turn the arguments a client sent into a typed command, or into an error for it.

>>> parse([b"set", b"k", b"v", b"EX", b"10"])
Set(key=b'k', value=b'v', lifetime=Lifetime(seconds=10.0, absolute=False), condition=None)
>>> parse([b"GET"])
Traceback (most recent call last):
    ...
examples.cache_service.commands.CommandError: ERR wrong number of arguments for 'get' command
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from .commands import (
    INT_MAX,
    INT_MIN,
    Auth,
    CommandError,
    ConfigGet,
    DbSize,
    Delete,
    Echo,
    Exists,
    Expire,
    Export,
    Get,
    Hello,
    Increment,
    Info,
    Inquiry,
    Keys,
    Lifetime,
    Ping,
    Quit,
    Remark,
    Scan,
    Select,
    Set,
    Ttl,
    integer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .commands import Command

# Seconds; a time this far away still fits 64 bits in milliseconds.
_FARTHEST: Final = INT_MAX // 1000 // 4
_LARGEST_CURSOR: Final = 2**64 - 1
_SHOWN_ARGUMENTS: Final = 128  # bytes of the arguments that an error quotes
_HEADER: Final = re.compile(rb"host:.*|[a-z][a-z0-9-]*:", re.DOTALL)
_VERSION: Final = re.compile(rb"http/[0-9].*", re.DOTALL)
_PLAIN: Final = re.compile(rb"[!-~]*")


class HttpError(CommandError):
    """The client speaks HTTP, for instance a browser on which a page has a form for this port.

    Its later lines may well be commands, and must not be carried out.
    """


@dataclass(frozen=True, slots=True)
class _Rule:
    fewest: int
    most: int | None
    build: Callable[[list[bytes]], Command]
    open_to_all: bool = False  # also to clients that have not authenticated


def parse(request: list[bytes], *, authenticated: bool = True) -> Command:
    """Turn a request into a command.

    Args:
        request: the name of the command in any case, then its arguments; never empty.
        authenticated: whether the client may send all commands, or needs a password first.

    Raises:
        CommandError: the command is unknown, its arguments are wrong, or it is not allowed yet;
            the text says which.
        HttpError: the same, and it looks like a line of HTTP.
    """
    try:
        rule = _rule(request)
        if not authenticated and not rule.open_to_all:
            raise CommandError("NOAUTH Authentication required.")
        return rule.build(request[1:])
    except CommandError as exc:
        if _looks_like_http(request):
            raise HttpError("ERR this port speaks the Redis protocol, not HTTP") from exc
        raise


def _looks_like_http(request: list[bytes]) -> bool:
    """Check whether an unknown command is the first line of an HTTP request, or a header.

    Redis looks for POST and Host: alone. This takes any method, GET too, by the version behind it.
    """
    name, last = request[0].lower(), request[-1].lower()
    return (
        name == b"post"
        or _HEADER.fullmatch(name) is not None
        or (len(request) > 1 and _VERSION.fullmatch(last) is not None)
    )


def _rule(request: list[bytes]) -> _Rule:
    name, given = request[0].lower(), len(request) - 1
    rule = _RULES.get(name)
    if rule is None:
        raise CommandError(_unknown(request))
    if given < rule.fewest or (rule.most is not None and given > rule.most):
        raise CommandError(f"ERR wrong number of arguments for '{name.decode()}' command")
    return rule


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


def _scan(arguments: list[bytes]) -> Scan:
    if not arguments[0].isdigit() or (cursor := int(arguments[0][:21])) > _LARGEST_CURSOR:
        raise CommandError("ERR invalid cursor")
    found: dict[str, Any] = {}
    words = arguments[1:]
    while words:
        match [words[0].upper(), *words[1:]]:
            case [b"MATCH", pattern, *words]:
                found["pattern"] = pattern
            case [b"COUNT", text, *words]:
                found["count"] = integer(text)
            case [b"TYPE", kind, *words]:
                found["kind"] = kind.lower()
            case _:
                _refuse_syntax()
    if found.get("count", 1) < 1:
        _refuse_syntax()
    return Scan(cursor, **found)


def _info(arguments: list[bytes]) -> Info:
    return Info(tuple(_text(argument[:_SHOWN_ARGUMENTS]).lower() for argument in arguments))


def _hello(arguments: list[bytes]) -> Hello:
    if not arguments:
        return Hello()
    version = _hello_version(arguments[0])
    auth: Auth | None = None
    words = arguments[1:]
    while words:
        match [words[0].upper(), *words[1:]]:
            case [b"AUTH", user, password, *words]:
                auth = Auth(password, user)
            case [b"SETNAME", name, *words]:
                _check_plain("Client names", name)
            case _:
                raise CommandError(f"ERR Syntax error in HELLO option '{_text(words[0][:128])}'")
    return Hello(version, auth)


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


def _auth(arguments: list[bytes]) -> Auth:
    match arguments:
        case [password]:
            return Auth(password)
        case [user, password]:
            return Auth(password, user)
        case _:
            _refuse_syntax()


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
    b"keys": _Rule(1, 1, lambda a: Keys(a[0])),
    b"scan": _Rule(1, None, _scan),
    b"export": _Rule(1, 1, _export),
    b"ping": _Rule(0, 1, lambda a: Ping(a[0] if a else None)),
    b"echo": _Rule(1, 1, lambda a: Echo(a[0])),
    b"select": _Rule(1, 1, _select),
    b"quit": _Rule(0, None, lambda _: Quit(), open_to_all=True),
    b"hello": _Rule(0, None, _hello, open_to_all=True),
    b"auth": _Rule(1, None, _auth, open_to_all=True),
    b"info": _Rule(0, None, _info),
    b"config": _Rule(1, None, _config),
    b"command": _Rule(0, None, lambda _: Inquiry()),
    b"client": _Rule(1, None, _client),
}
