"""`dataclass` as in the standard library, for a third to a half of the time that it takes.

More than half of what the library cost to import was text of Python that the standard library
writes and compiles for each dataclass: up to six methods. Only `__init__` has to be made so, for
the names of its parameters; the others are closures over the fields. What they do is documented
there: repr, equality, hash, frozen instances, `replace`, matching, copies and pickles.
"""

from __future__ import annotations

import dataclasses
import sys
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final

from .bounded import safe_repr, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - for others
    from types import FunctionType

    Fields = tuple[dataclasses.Field[Any], ...]
    Function = Callable[..., Any]
    Functions = Iterator[tuple[str, Function]]


class _Factory:
    """The default of a parameter whose value is made anew for each instance."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY: Final = _Factory()
_SET: Final = object.__setattr__


def _dataclass(**how: bool) -> Callable[[type[Any]], type[Any]]:
    """Make a dataclass of a class; the arguments are those of the standard library."""
    return lambda cls: (dataclasses.dataclass if _is_special(cls, how) else _make)(cls, **how)


def _is_special(cls: type[Any], how: dict[str, bool]) -> bool:
    """Check whether it extends a dataclass, or has an option that none of the small ones has."""
    known = how.keys() <= {"init", "repr", "eq", "frozen", "slots"}
    return not known or any(map(dataclasses.is_dataclass, cls.__mro__[1:]))


if not TYPE_CHECKING:
    dataclass = _dataclass


def _make(cls: type[Any], *, slots: bool = False, **how: bool) -> Any:
    own = {name for name, value in vars(cls).items() if (name, value) != ("__hash__", None)}
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    flags = {"init": True, "repr": True, "eq": True, "frozen": False} | how
    for name, function in _functions(made, own, **flags):
        function.__name__, function.__qualname__ = name, f"{made.__qualname__}.{name}"
        setattr(made, name, function)
    if flags["eq"] and not flags["frozen"] and "__hash__" not in own:
        made.__hash__ = None
    for flag, value in flags.items():  # what a class that extends it looks at
        setattr(made.__dataclass_params__, flag, value)
    return made


def _functions(
    cls: type[Any], own: set[str], *, init: bool, repr: bool, eq: bool, frozen: bool
) -> Functions:
    fields: Fields = dataclasses.fields(cls)
    if init:
        yield "__init__", _init(cls, fields, frozen)
    if repr and "__repr__" not in own:
        yield "__repr__", _repr([field.name for field in fields if field.repr])
    if eq:
        values = _values([field.name for field in fields if field.compare])
        if "__eq__" not in own:
            yield "__eq__", _eq(values)
        if frozen and "__hash__" not in own:
            yield "__hash__", _hash(values)
    if frozen:
        yield from _frozen(cls, frozenset(field.name for field in fields))
        yield from _pickled([field.name for field in fields])


def _init(cls: type[Any], fields: Fields, frozen: bool) -> Function:
    names = [field.name for field in fields]
    text = "_set_(self, {0!r}, {1})" if frozen else "self.{0} = {1}"
    lines = [text.format(field.name, _value(field)) for field in fields]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n  ".join(lines or ["pass"])
    factories = {f"_make_{field.name}_": field.default_factory for field in fields}
    outer = ", ".join(["_set_", "_factory_", *factories])
    code = f"def make({outer}):\n def __init__({', '.join(['self', *names])}):\n  {body}\n"
    scope: dict[str, Any] = {}
    exec(f"{code} return __init__", vars(sys.modules[cls.__module__]), scope)  # noqa: S102 - ours
    init: FunctionType = scope["make"](_SET, _FACTORY, *factories.values())
    init.__defaults__ = tuple(_defaults(fields))
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return init


def _value(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is dataclasses.MISSING:
        return field.name
    return f"_make_{field.name}_() if {field.name} is _factory_ else {field.name}"


def _defaults(fields: Fields) -> Iterator[Any]:
    for field in fields:
        if field.default is not dataclasses.MISSING:
            yield field.default
        elif field.default_factory is not dataclasses.MISSING:
            yield _FACTORY


def _values(names: list[str]) -> Callable[[Any], Any]:
    """Return a function that gives the values of the fields as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


def _repr(names: list[str]) -> Function:
    @recursive_repr("...")
    def show(self: Any) -> str:
        shown = ", ".join(f"{name}={safe_repr(getattr(self, name))}" for name in names)
        return visible(f"{self.__class__.__qualname__}({shown})")  # others' reprs need not be

    vars(show)["shows_fields"] = True  # bounded.py asks
    return show


def _eq(values: Callable[[Any], Any]) -> Function:
    def equals(self: Any, other: Any) -> Any:
        same_class = other.__class__ is self.__class__
        return values(self) == values(other) if same_class else NotImplemented

    return equals


def _hash(values: Callable[[Any], Any]) -> Function:
    def hashed(self: Any) -> int:
        return hash(values(self))

    return hashed


def _frozen(cls: type[Any], names: frozenset[str]) -> Functions:
    def set_(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    yield "__setattr__", set_
    yield "__delattr__", delete


def _pickled(names: list[str]) -> Functions:
    def state_of(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def restore(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            _SET(self, name, value)

    yield "__getstate__", state_of
    yield "__setstate__", restore
