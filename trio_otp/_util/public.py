"""The public name of what stands in a private folder.

A class or function that users can name says as its `__module__` the namespace that exports it, as
Trio's do. So a traceback shows `trio_otp.NoProcess`, a pickle holds `trio_otp.NoProcess`, and
neither changes when a file moves. It is set where the thing is defined, since users meet it before
they have named it: as an error that is raised, as the result of a function.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PACKAGE: Final = __name__.partition(".")[0]


def public(thing: T) -> T:
    """Mark a class or function as exported by `trio_otp` itself. The outermost decorator."""
    _set_module(thing, PACKAGE)
    return thing


def public_in(namespace: str) -> Callable[[T], T]:
    """Return the decorator that does the same for another namespace, such as `task`."""

    def decorate(thing: T) -> T:
        _set_module(thing, f"{PACKAGE}.{namespace}")
        return thing

    return decorate


def is_ours(thing: object) -> bool:
    """Check whether a class, function or method is one of this library's, public or not."""
    module: object = getattr(thing, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == PACKAGE


def _set_module(thing: object, module: str) -> None:
    thing.__module__ = module
    if isinstance(thing, type):
        _settle_frozen(thing)
        for member in vars(thing).values():
            function = getattr(member, "__func__", member)  # of a static or class method
            if isinstance(function, FunctionType) and is_ours(function):
                function.__module__ = module


def _settle_frozen(kind: type[Any]) -> None:
    """Let a frozen dataclass with slots know itself.

    `dataclass(slots=True)` makes the class anew, but what refuses attributes goes on with the one
    before. So `Ok[int](3)` would raise, and a subclass could have no attribute of its own.
    """
    for name in ("__setattr__", "__delattr__"):
        function = vars(kind).get(name)
        if isinstance(function, FunctionType) and "cls" in function.__code__.co_freevars:
            cell = (function.__closure__ or ())[function.__code__.co_freevars.index("cls")]
            cell.cell_contents = kind
