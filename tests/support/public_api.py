"""The public API as text, one line a name: what `tests/data/public_api.txt` holds.

And how many examples each name has in its docstring: `tests/data/examples.txt`.
`python tests/support/public_api.py` writes both files anew.
"""

from __future__ import annotations

import doctest
import enum
import functools
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

from inside import NoConstructor

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA: Final = Path(__file__).parents[1] / "data"
FILE: Final = DATA / "public_api.txt"
EXAMPLES: Final = DATA / "examples.txt"
NAMESPACES: Final = (
    "trio_otp",
    "trio_otp.alarm_handler",
    "trio_otp.application",
    "trio_otp.cluster",
    "trio_otp.events",
    "trio_otp.gen_event",
    "trio_otp.notebook",
    "trio_otp.observer",
    "trio_otp.pg",
    "trio_otp.reports",
    "trio_otp.sys",
    "trio_otp.task",
    "trio_otp.testing",
)
_METHODS: Final = (FunctionType, staticmethod, classmethod, property, functools.cached_property)


def exported() -> Iterator[tuple[str, str, Any]]:
    """Yield the namespace, the name and the value of everything that is exported."""
    for namespace in NAMESPACES:
        module = import_module(namespace)
        for name in sorted(module.__all__):
            yield namespace, name, getattr(module, name)


def text() -> str:
    """Return the public API, a line for each name and for each attribute of a class."""
    lines = [line for each in exported() for line in _lines(*each)]
    return "\n".join(lines) + "\n"


def documented() -> Iterator[tuple[str, Any]]:
    """Yield what has a docstring for users, each once: namespaces, classes, functions, methods."""
    seen: set[int] = set()
    for name, value in _documented():
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _documented() -> Iterator[tuple[str, Any]]:
    for namespace in NAMESPACES:
        yield namespace, import_module(namespace)
    for namespace, name, value in exported():
        full = f"{namespace}.{name}"
        if isinstance(value, type | FunctionType) and value.__module__ == namespace:
            yield full, value
            members = _members(value) if isinstance(value, type) else {}
            for attribute, member in sorted(members.items()):
                if isinstance(member, _METHODS):
                    yield f"{full}.{attribute}", getattr(member, "__func__", member)


def examples_in(name: str, docstring: str | None) -> list[doctest.Example]:
    """Return the examples of a docstring: an expression or a statement, and what it prints."""
    return doctest.DocTestParser().get_examples(inspect.cleandoc(docstring or ""), name)


def count_of_examples() -> str:
    """Return how many examples each public name has, a line for each; 0 asks for one."""
    counts = ((name, len(examples_in(name, each.__doc__))) for name, each in documented())
    return "".join(f"{count:2} {name}\n" for name, count in counts)


def _lines(namespace: str, name: str, value: Any) -> Iterator[str]:
    full = f"{namespace}.{name}"
    if isinstance(value, ModuleType):
        yield f"module {full}"
    elif isinstance(value, type | FunctionType) and value.__module__ != namespace:
        yield f"{full} = {value.__module__}.{value.__qualname__}"
    elif isinstance(value, type):
        yield from _class_lines(full, value)
    elif isinstance(value, FunctionType):
        yield f"{_kind(value)} {full}{_signature(value)}"
    else:
        yield f"{full}: {_shown(value)}"


def _class_lines(full: str, cls: type[Any]) -> Iterator[str]:
    bases = ", ".join(dict.fromkeys(each.__qualname__ for each in _known_bases(cls)))
    final = "@final " if getattr(cls, "__final__", False) else ""
    yield f"{final}class {full}({bases}){'' if _no_constructor(cls) else _made(cls)}"
    for name, member in sorted(_members(cls).items()):
        yield f"    {_member(name, member)}"


def _known_bases(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield the bases that users know; of one that they do not know, its own."""
    for base in cls.__bases__:
        if base.__module__.startswith("trio_otp._"):
            yield from _known_bases(base)
        elif base is not object:
            yield base


def _no_constructor(cls: type[Any]) -> bool:
    return issubclass(cls, NoConstructor)


def _made(cls: type[Any]) -> str:
    if "__init__" not in vars(cls) and issubclass(cls, BaseException | enum.Enum):
        return ""  # what each Python says of these is its own matter
    try:
        return f" {_signature(cls)}"
    except ValueError:  # of a class in C
        return ""


def _members(cls: type[Any]) -> dict[str, Any]:
    """Return what a class offers, itself or by a base that has no public name."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is cls or base.__module__.startswith("trio_otp._"):
            found.update(dict.fromkeys(inspect.get_annotations(base)))
            found.update(vars(base))
    return {name: each for name, each in found.items() if not name.startswith("_")}


def _member(name: str, member: Any) -> str:
    if isinstance(member, staticmethod | classmethod):
        kind, function = type(member).__name__, member.__func__
        return f"@{kind} {_kind(function)} {name}{_signature(function)}"
    if isinstance(member, FunctionType):
        return f"{_kind(member)} {name}{_signature(member)}"
    if isinstance(member, property):
        return f"property {name} -> {member.fget.__annotations__.get('return')}"
    return name


def _kind(function: Any) -> str:
    return "async def" if inspect.iscoroutinefunction(function) else "def"


def _signature(function: Any) -> str:
    shown = str(inspect.signature(function))
    unquoted = re.sub(r"""((?:: |-> ))(["'])(.*?)\2""", r"\1\3", shown)  # annotations are text
    return re.sub(r" at 0x[0-9a-f]+", "", unquoted)


def _shown(value: Any) -> str:
    if get_origin(value) in {Union, UnionType}:  # the repr of which depends on the Python
        return " | ".join(_shown(each) for each in get_args(value))
    shown = value.__qualname__ if isinstance(value, type) else repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", shown)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    EXAMPLES.write_text(count_of_examples(), encoding="utf-8")
