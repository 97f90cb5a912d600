"""Checks of arguments that several behaviours have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from .bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Collection


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_whole(
    name: str, value: object, least: int, more: str = "", *, error: type[Exception] = ValueError
) -> None:
    """Refuse what is no whole number from `least` up; `more` says what else is accepted."""
    if not is_whole(value) or value < least:
        accepted = f"a whole number >= {least}{more}"
        raise error(f"{name}={bounded(value)}: accepted is {accepted}")


def check_choice(
    name: str, value: Any, accepted: Collection[Any], *, error: type[Exception] = ValueError
) -> None:
    """Refuse what is none of the words that are accepted."""
    if value not in accepted:
        words = ", ".join(map(repr, accepted))
        raise error(f"{name}={bounded(value)}: accepted are {words}")
