"""Attributes that a class keeps out of what is shown of it: `private = ("password",)`.

The names are collected at the class statement, those of all bases together, so that a class cannot
show by its own list what a base hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bounded import PRIVATE, WITHHELD, bounded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def enter_private(cls: type[Any], error: type[Exception]) -> None:
    """Collect the names that a class keeps private, with those of its bases.

    Raises:
        Exception: of the class `error`; `private` is no tuple of names.
    """
    lists: list[Any] = [vars(base).get("private", ()) for base in cls.__mro__]
    for given in lists:
        if given.__class__ is not tuple or not all(isinstance(name, str) for name in given):
            what = f"class {cls.__name__}: private={bounded(given)}: expected a tuple of str"
            raise error(f"{what}, as in private = ('password',), with the names of attributes")
    setattr(cls, PRIVATE, frozenset(name for given in lists for name in given))


def private_names(kind: object) -> Collection[str]:
    """Return the names that a class keeps private; none of a class that is not of this library.

    >>> private_names(int)
    ()
    """
    names: Collection[str] = getattr(kind, PRIVATE, ())
    return names


def without_private(kind: object, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name, with a note in place of those that a class keeps private."""
    names = private_names(kind)
    return {name: WITHHELD if name in names else value for name, value in values.items()}
