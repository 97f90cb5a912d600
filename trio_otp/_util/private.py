"""Attributes that a class keeps out of what is shown of it: `private = ("password",)`.

The names are collected at the class statement, those of all bases together, so that a class cannot
show by its own list what a base hides.
"""

from __future__ import annotations

from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from .bounded import PRIVATE, WITHHELD, bounded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from inspect import Signature


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


def shown_arguments(
    private: Collection[str],
    signature: Signature | None,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    limit: int = 200,
) -> str:
    """Render arguments, but those for parameters that have the name of a private attribute.

    Args:
        private: these names.
        signature: that of the function; None if it is not known.
        args: the arguments by position.
        kwargs: those by name.
        limit: characters of one of them.
    """
    names = () if signature is None else islice(signature.parameters, len(args))
    named = [*zip_longest(names, args), *kwargs.items()]
    shown = [bounded(WITHHELD if name in private else value, limit) for name, value in named]
    keys = ["" if number < len(args) else f"{named[number][0]}=" for number in range(len(named))]
    return ", ".join(map("".join, zip(keys, shown, strict=True)))
