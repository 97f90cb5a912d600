r"""Patterns: what a message, a request or an exit reason has to be like.

| pattern | matches |
|---|---|
| a type, or several as `int \| str` | their instances; `object` matches anything |
| a function | what it gives a true value for |
| `like(kind, **fields)` | an instance whose attributes match patterns |
| `called(Cache.get, *args)` | a call or cast of a client method whose arguments match patterns |
| a tuple, list or dict | one of as many items, or the same keys, that match patterns |
| an exception | one of the same class whose arguments match |
| anything else | what is equal to it |

Follows: the patterns of ExUnit's `assert_receive`.
"""

from __future__ import annotations

import inspect
import typing
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._gen_server.method_messages import Message
from .._gen_server.methods import _Method
from .._util.bounded import bounded, label_of
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")


class Like(Generic[T]):
    """What `like` gives."""

    __slots__ = ("cls", "fields")

    def __init__(self, cls: type[T], fields: Mapping[str, Any]) -> None:
        self.cls: type[T] = cls
        self.fields: Mapping[str, Any] = fields

    def matches(self, value: object) -> bool:
        """Check whether a value is an instance with such attributes."""
        return isinstance(value, self.cls) and all(
            hasattr(value, name) and matches(pattern, getattr(value, name))
            for name, pattern in self.fields.items()
        )

    def __repr__(self) -> str:
        return f"like({_in_brackets([label_of(self.cls)], self.fields)})"


class Called:
    """What `called` gives."""

    __slots__ = ("args", "kwargs", "method")

    def __init__(self, method: _Method, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.method: _Method = method
        self.args: tuple[Any, ...] = args
        self.kwargs: Mapping[str, Any] = kwargs

    def matches(self, value: object) -> bool:
        """Check whether a value is a message of the method with such arguments."""
        return (
            isinstance(value, Message)
            and value.method.name == self.method.name
            and matches(self.args, value.args)
            and matches(dict(self.kwargs), value.kwargs)
        )

    def __repr__(self) -> str:
        return f"{self.method.name}({_in_brackets(map(shown, self.args), self.kwargs)})"


def _in_brackets(first: Iterable[str], named: Mapping[str, Any]) -> str:
    return ", ".join([*first, *(f"{name}={shown(value)}" for name, value in named.items())])


@public_in("testing")
def like(kind: type[T], /, **fields: Any) -> Like[T]:
    """Make a pattern: an instance of a class whose attributes match patterns.

    Args:
        kind: the class, a dataclass as a rule.
        **fields: patterns of its attributes; the others may be anything.

    Raises:
        TypeError: `kind` is not a class.
    """
    if not isinstance(kind, type):
        raise TypeError(f"kind={bounded(kind)}: expected a class; write like(Down, reason=...)")
    return Like(kind, fields)


@public_in("testing")
def called(method: Any, /, *args: Any, **kwargs: Any) -> Called:
    """Make a pattern: a call or cast of a client method.

    Args:
        method: the decorated method, as `Cache.get`.
        *args: patterns of its arguments, given in the way in which the client gives them.
        **kwargs: the same.

    Raises:
        TypeError: it is not a decorated method.
    """
    if not isinstance(method, _Method):
        raise TypeError(
            f"method={bounded(method)}: expected a method of a server class that is decorated "
            "with on_call or on_cast, such as Cache.get"
        )
    return Called(method, args, kwargs)


@public_in("testing")
def matches(pattern: Any, value: Any) -> bool:
    """Check whether a value matches a pattern.

    A function or an `==` that raises does not match: it was written for another kind of value.

    Args:
        pattern: see `trio_otp.testing.patterns`.
        value: anything.

    >>> from trio_otp.testing import like, matches
    >>> matches(("put", str, int), ("put", "k", 1)), matches(ValueError("no"), ValueError("yes"))
    (True, False)
    >>> matches(like(complex, real=1.0), 1 + 2j), matches(lambda text: text.isupper(), 7)
    (True, False)
    """
    kind: Any = pattern.__class__
    if kind is Like or kind is Called:
        return bool(pattern.matches(value))
    if isinstance(pattern, type | UnionType):
        return isinstance(value, pattern)
    if isinstance(pattern, tuple | list | dict | BaseException) and value.__class__ is not kind:
        return False
    try:
        return bool(_holds(pattern, value))
    except Exception:
        return False


def _holds(pattern: Any, value: Any) -> Any:
    kind: Any = pattern.__class__
    if issubclass(kind, tuple | list):
        return len(pattern) == len(value) and all(map(matches, pattern, value))
    if issubclass(kind, dict):
        same = pattern.keys() == value.keys()
        return same and all(matches(pattern[key], value[key]) for key in pattern)
    match pattern:
        case BaseException():
            return pattern is value or matches(pattern.args, value.args)
        case _Method():
            return isinstance(value, Message) and value.method.name == pattern.name
        case _ if callable(pattern):
            return pattern(value)
        case _:
            return pattern is value or pattern == value


def check_pattern(name: str, pattern: object) -> None:
    """Refuse what can be no pattern, saying what to write.

    Raises:
        TypeError: it is a type with parameters, as `list[int]`, or a call without its `await`.
    """
    origin = typing.get_origin(pattern)
    if origin not in (None, UnionType) or pattern is typing.Any:
        raise TypeError(
            f"{name}={bounded(pattern)}: expected a class without parameters, such as list, or "
            "object for anything"
        )
    if inspect.iscoroutine(pattern):
        pattern.close()
        raise TypeError(f"{name}={bounded(pattern)}: expected a pattern, not a coroutine")


def shown(pattern: Any) -> str:
    """Return a pattern as the text of a failure shows it."""
    kind: Any = pattern.__class__
    if kind is tuple:
        return f"({', '.join(map(shown, pattern))}{',' if len(pattern) == 1 else ''})"
    if kind is list:
        return f"[{', '.join(map(shown, pattern))}]"
    match pattern:
        case _Method():
            return f"{pattern.owner.__name__}.{pattern.name}"
        case _ if inspect.isfunction(pattern):
            code = pattern.__code__
            return f"{label_of(pattern)} of {code.co_filename}:{code.co_firstlineno}"
        case _:
            return bounded(pattern)
