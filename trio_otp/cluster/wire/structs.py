"""Structs of Elixir that are dataclasses here. All others are dicts, and stay equal to themselves.

A struct is a map with the key `__struct__`, so one that does not fit the class that is registered
for it, say of another version of the program, arrives as the dict that it would be without.
"""

from __future__ import annotations

import dataclasses
import typing
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..._util.bounded import bounded
from ..._util.public import public_in
from .terms import Atom

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
NAME: Final = Atom("__struct__")
_TEXTS: Final = ({str}, {str, NoneType})  # what a field is annotated with whose bytes are text

_classes: Final[dict[str, type[Any]]] = {}
_names: Final[dict[type[Any], str]] = {}
_texts: Final[dict[type[Any], frozenset[str]]] = {}  # the fields that are text, by class


@public_in("cluster")
def struct(name: str, kind: type[T]) -> type[T]:
    """Let the structs of a name arrive as objects of a dataclass, and its objects go out as such.

    It holds for the whole program; write it below the class. What a struct has in a field that is
    annotated `str`, or `str | None`, is decoded. One that has other fields than the class, or that
    the class refuses, arrives as a dict with the key `__struct__`.

    Args:
        name: the full name of the module, such as "Elixir.Shop.Order".
        kind: a dataclass with fields of the same names.

    Returns:
        The class.

    Raises:
        TypeError: the class is not a dataclass, or the name not a str.
        ValueError: another class has this name, or the class another name.

    >>> import dataclasses
    >>> import trio_otp as otp
    >>> @dataclasses.dataclass(frozen=True)
    ... class Order:
    ...     id: int
    ...     customer: str
    >>> otp.cluster.struct("Elixir.Shop.Order", Order) is Order
    True

    Follows: `Kernel.defstruct/1` of Elixir.
    """
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        raise TypeError(f"kind: expected a dataclass, got {bounded(kind)}")
    if not isinstance(name, str):
        raise TypeError(f"name: expected a str, got {bounded(name)}")
    other = _classes.get(name, kind)
    if (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(f"name: {name} is {bounded(other)} already, not {bounded(kind)}")
    if _names.setdefault(kind, name) != name:
        raise ValueError(f"kind: {bounded(kind)} is {_names[kind]} already, not {name}")
    _classes[Atom(name)] = kind
    _texts[kind] = _text_fields(kind)
    return kind


def _text_fields(cls: Any) -> frozenset[str]:
    try:
        hints = typing.get_type_hints(cls)
    except Exception:  # what an annotation names may not be there
        return frozenset()
    return frozenset(name for name, hint in hints.items() if _alternatives(hint) in _TEXTS)


def _alternatives(hint: Any) -> set[Any]:
    return set(typing.get_args(hint)) or {hint}


def loaded(found: dict[Any, Any]) -> object:
    """Return what a map with the key `__struct__` is here: an object, or the dict as it is.

    Args:
        found: what has been decoded.
    """
    name = found[NAME]
    cls = _classes.get(name) if type(name) is Atom else None
    if cls is None or not all(type(key) is Atom for key in found):
        return found
    fields = {str(key): value for key, value in found.items() if key != NAME}
    try:
        for key in _texts[cls]:
            if isinstance(fields.get(key), bytes):
                fields[key] = fields[key].decode()
        return cls(**fields)
    except Exception:  # a user's class, or bytes that are no text: see above
        return found


def dumped(value: object) -> Mapping[Atom, object] | None:
    """Return the map that an object of a registered class travels as, or None if it is none."""
    name = _names.get(type(value))
    if name is None:
        return None
    fields = dataclasses.fields(value)  # type: ignore[arg-type]  # it is a dataclass, see `struct`
    told = {Atom(field.name): getattr(value, field.name) for field in fields if field.init}
    return {NAME: Atom(name), **told}
