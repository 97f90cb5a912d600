"""What a class statement may say: options, names of decorated methods, and callbacks that return.

A mistake in a class is to show at the class. Found later it is a child that is never restarted, or
a server that fails at its first message with a text about something else.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from .._exits.errors import SpecError
from .._util.async_functions import generator_kind
from .._util.bounded import bounded
from .._util.public import is_ours
from .child_options import CLASS_OPTIONS, check_may_have_bound, check_options

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_EXPECTED: Final = "expected a def or async def that returns its answer and does not yield"
_DECORATORS: Final = {
    "gen_server": "on_call, on_call_deferred, on_cast and on_info are for a GenServer",
    "gen_statem": "on_state is for a GenStatem",
}


def check_class_options(cls: type[Any], options: Mapping[str, Any]) -> None:
    """Refuse options of a class statement that `Child.having` would refuse.

    Raises:
        SpecError: an option is unknown, is `name`, or has a value that is not accepted.
    """
    if "name" in options:
        line = f"otp.child({cls.__name__}).having(name={bounded(options['name'])})"
        raise SpecError(f"class {cls.__name__}: a name belongs to one child; write {line}")
    try:
        check_options(options, CLASS_OPTIONS)
        if options.get("mailbox") is not None:
            check_may_have_bound(cls)
    except SpecError as exc:
        raise SpecError(f"class {cls.__name__}: {exc}") from None


def refuse_options(cls: type[Any], options: dict[str, Any], why: str) -> None:
    """Refuse any option in the statement of a class that takes none, saying why it does not."""
    for option, value in options.items():
        raise SpecError(f"class {cls.__name__}: option {option}={bounded(value)}: {why}")


def new_members(cls: type[Any], root: type[Any]) -> dict[str, Any]:
    """Return what a class adds, with what comes from mixins: bases that are not of `root`."""
    seen: set[str] = set()
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if base is cls or not issubclass(base, root):
            found.update((name, each) for name, each in vars(base).items() if name not in seen)
        if not is_ours(base):  # what the library's own would hide is to be looked at
            seen.update(vars(base))
    return found


def check_members(cls: type[Any], members: dict[str, Any], marks: Collection[str]) -> None:
    """Refuse methods that would never be called, or that something else would be called for.

    Args:
        cls: the class.
        members: what it adds, as of `new_members`.
        marks: the decorators that it takes, as keys of the table of decorators.

    Raises:
        SpecError: a method has a decorator for another behaviour, or the name of a callback or of
            a function of the library; a method or callback is a generator.
    """
    for name, member in members.items():
        mark: str | None = getattr(member, "otp_mark", None)
        if mark is not None:
            if mark not in marks:
                decorators = _DECORATORS[mark]
                raise SpecError(
                    f"{cls.__name__}.{name}: {decorators}, and {cls.__name__} is not one"
                )
            _check_name(cls, name, member)
        if mark is not None or name == "__init__" or _of_library(cls, name) is not None:
            _check_returns(cls, name, member)


def check_method(function: object, decorator: str) -> None:
    """Refuse what a decorator cannot make a message of.

    Args:
        function: what is decorated.
        decorator: the decorator, for the text.

    Raises:
        TypeError: it cannot be called, or is a generator function, async or not.
    """
    if not callable(function):
        raise TypeError(
            f"{decorator} on fn={bounded(function)}: expected a method; options come by name, "
            "as in @otp.on_call(timeout=10)"
        )
    kind = generator_kind(function)
    if kind is not None:
        what = f"{decorator} on {getattr(function, '__qualname__', 'a method')}"
        raise TypeError(f"{what}: it is {kind}; {_EXPECTED}")


def _check_name(cls: type[Any], name: str, member: object) -> None:
    """Refuse a name by which the library would find the method in the place of its own."""
    base = _of_library(cls, name)
    decorated = f"{cls.__name__}.{name}: a method with a decorator"
    if base is not None and not hasattr(vars(base)[name], "otp_mark"):
        raise SpecError(f"{decorated} needs another name; {name!r} is part of {base.__name__}")
    if name.startswith("__") and name.endswith("__"):
        raise SpecError(f"{decorated} needs another name; {name!r} is one of Python's own")
    if name in getattr(member, "reserved", ()):
        raise SpecError(f"{decorated} needs another name; {name!r} is an attribute of each client")


def _check_returns(cls: type[Any], name: str, member: object) -> None:
    function = getattr(member, "function", member)
    kind = generator_kind(getattr(function, "__func__", function))  # of a static or class method
    what = f"{cls.__name__}.{name}"
    if kind is not None:
        raise SpecError(f"{what} is {kind}; {_EXPECTED}")
    if name == "__init__" and inspect.iscoroutinefunction(function):
        raise SpecError(
            f"{what} is an async def; expected a def; await in an async def init instead"
        )


def _of_library(cls: type[Any], name: str) -> type[Any] | None:
    """Return the class of this library that a name belongs to."""
    return next((base for base in cls.__mro__[1:] if is_ours(base) and name in vars(base)), None)
