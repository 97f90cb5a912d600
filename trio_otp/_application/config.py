"""Settings of a whole program: one table for each application, from a TOML file or a dict.

    # app.toml
    [shop]
    port = 8080

    [store]
    path = "/var/lib/shop.db"

They stand above the defaults of an application and below its arguments: `environment=` of
`otp.run` and `otp.open_application`, and `--set` on the command line. A value has to be of the
type of its default; where that is None any is accepted. Tables and keys that no application has
are refused, since they are most often misspelt. Follows: `config/config.exs`, Erlang's `-config`.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._exits.errors import SpecError
from .._util.bounded import WITHHELD, bounded
from .._util.checks import nearest
from .._util.private import private_names
from .environment import unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import Application

Tables: TypeAlias = "dict[str, dict[str, Any]]"
Config: TypeAlias = "str | os.PathLike[str] | Mapping[str, Mapping[str, Any]]"
LARGEST: Final = 1024 * 1024  # bytes of a file
_SEQUENCES: Final = (tuple, set, frozenset)  # what a TOML array stands for besides a list


def read_config(config: Config, known: Mapping[str, type[Application]]) -> Tables:
    """Read and check the settings of a program.

    Args:
        config: the path of a TOML file, or {name of an application: {key: value}}.
        known: the applications that there are, by name.

    Raises:
        SpecError: the file cannot be read, or a table, key or value is not accepted; it names the
            file, what is wrong, and what is accepted, each mistake in a line of its own.

    >>> import trio_otp as otp
    >>> class Shop(otp.Application):
    ...     environment = {"port": 80}
    >>> read_config({"shop": {"port": 8080}}, {"shop": Shop})
    {'shop': {'port': 8080}}
    """
    tables, mistakes = check_config(config, known)
    if mistakes:
        raise SpecError("\n".join(mistakes))
    return tables


def check_config(
    config: Config, known: Mapping[str, type[Application]]
) -> tuple[Tables, list[str]]:
    """Read the settings of a program, as `read_config`, and list all that is wrong with them.

    Returns:
        The settings that are accepted, and a line for each mistake.
    """
    if isinstance(config, Mapping):
        return _checked("config", config, known)
    if not isinstance(config, str | os.PathLike):
        accepted = "the path of a TOML file, or a dict of dicts"
        raise TypeError(f"config={bounded(config)}: expected {accepted}")
    path = Path(config)
    try:
        return _checked(str(path), _parse_file(path), known)
    except SpecError as exc:
        return {}, [str(exc)]


def _parse_file(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - few programs need it

    try:
        return tomllib.loads(_read(path))
    except OSError as exc:
        raise SpecError(f"{path}: cannot read it: {exc.strerror}") from None
    except UnicodeDecodeError as exc:
        raise SpecError(f"{path}: not UTF-8 text: {exc}") from None
    except (ValueError, RecursionError) as exc:  # of numbers and nesting it lets these pass
        raise SpecError(f"{path}: not TOML: {exc}") from None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:  # the loop may be kept waiting for it
        raise SpecError(f"{path}: larger than {LARGEST} bytes; expected a file of settings")
    return content.decode("utf-8")


def check_again(path: Path) -> None:
    """Refuse to read again what is no file: a pipe is empty the second time, or blocks the loop.

    Raises:
        SpecError: it is a pipe or a device.
    """
    with suppress(OSError):  # to read it will tell
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return
        raise SpecError(f"{path}: cannot read it again: expected a file, got a pipe or a device")


def _checked(
    source: str, config: Mapping[str, Any], known: Mapping[str, type[Application]]
) -> tuple[Tables, list[str]]:
    tables: Tables = {}
    mistakes: list[str] = []
    for name, table in config.items():
        wrong = _wrong_table(name, table, known)
        if wrong is None:
            tables[name] = dict(_fitting(known[name], table, mistakes))
        else:
            mistakes.append(wrong)
    return tables, [f"{source}: {mistake}" for mistake in mistakes]


def _wrong_table(name: str, table: object, known: Mapping[str, type[Application]]) -> str | None:
    """Return what is wrong if no application is meant; None if one is."""
    tables = ", ".join(f"[{each}]" for each in known)
    if not isinstance(table, Mapping):
        what = f"{name}={bounded(table)} is outside any table"
        return f"{what}; expected settings in tables: {tables}"
    if name in known:
        return None
    near = nearest(str(name), known)
    hint = "" if near is None else f"; did you mean [{near}]?"
    return f"no application {name!r}; expected one of {tables}{hint}"


def _fitting(
    application: type[Application], table: Mapping[str, Any], mistakes: list[str]
) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a table that are accepted; add the others to the mistakes."""
    name, defaults = application.name, application.environment
    for key, value in table.items():
        if key not in defaults:
            mistakes.append(unknown_key(name, defaults, key))
            continue
        try:
            yield key, fit(defaults[key], value)
        except ValueError as exc:
            shown = bounded(WITHHELD if key in private_names(application) else value)
            mistakes.append(f"[{name}] {key} = {shown}: expected {exc}")


def fit(default: object, value: object) -> Any:
    """Return a value as the type of a default; a list may stand for a tuple, a str for a path.

    Raises:
        ValueError: it is of another type; the text says which is accepted.

    >>> fit(0.5, 2), fit((1, 2), [3]), fit(None, "anything")
    (2.0, (3,), 'anything')
    """
    kind: type[Any] = default.__class__
    if default is None or value.__class__ is kind:
        return value
    if isinstance(default, enum.Enum):
        return _member(type(default), value)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    try:
        if _stands_for(default, value):
            return kind(value)
    except (OverflowError, TypeError):
        pass  # a number that is too large, an array in a set
    raise ValueError(_NAMES.get(kind, kind.__name__))


def _stands_for(default: object, value: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, PurePath):
        return isinstance(value, str)
    return isinstance(default, _SEQUENCES) and isinstance(value, list)


def _member(kind: type[enum.Enum], value: object) -> enum.Enum:
    for member in kind:
        if value in (member.name, member.value):
            return member
    raise ValueError(f"one of {', '.join(bounded(member.value) for member in kind)}")


_NAMES: Final[dict[type[Any], str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table",
    list: "a list",
}
