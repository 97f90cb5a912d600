"""Check arguments against a function's parameters without running it.

A wrong argument of a client method has to be the caller's `TypeError`, so it is found before the
message is sent. `inspect.Signature.bind` would take ten times as long as the call itself; a
function with the same parameters and an empty body checks at the speed of the interpreter.
"""

from __future__ import annotations

import inspect
import sys
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


def _nothing() -> None:
    """Lend its empty body."""


_EMPTY: Final[CodeType] = _nothing.__code__
_VARIADIC: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def argument_checker(function: Callable[..., Any]) -> Callable[..., None]:
    """Make a function that takes what `function` takes and does nothing.

    Args:
        function: any function; its defaults are kept.

    Returns:
        A function that raises `TypeError`, with the name of the first one, for wrong arguments.

    >>> check = argument_checker(lambda self, key, *, ttl=None: ...)
    >>> check(None, "k", ttl=1)
    >>> check(None, "k", tll=1)
    Traceback (most recent call last):
    TypeError: <lambda>() got an unexpected keyword argument 'tll'...
    """
    if not isinstance(function, FunctionType):
        return _slow_checker(function)
    code = function.__code__
    variadic = code.co_flags & _VARIADIC
    count = code.co_argcount + code.co_kwonlyargcount + variadic.bit_count()
    checker = FunctionType(
        _EMPTY.replace(
            co_argcount=code.co_argcount,
            co_posonlyargcount=code.co_posonlyargcount,
            co_kwonlyargcount=code.co_kwonlyargcount,
            co_varnames=code.co_varnames[:count],
            co_nlocals=count,
            co_flags=_EMPTY.co_flags | variadic,
            co_name=code.co_name,
            co_qualname=code.co_qualname,
        ),
        {},
        function.__name__,
        function.__defaults__,
    )
    checker.__kwdefaults__ = function.__kwdefaults__
    return checker


def right_counts(function: Any) -> tuple[int, int]:
    """Return how many positional arguments are right without any others: at least, at most.

    Args:
        function: what is to be called; if only a call can tell, no number is right.

    >>> right_counts(lambda self, key, ttl=None, *, force=False: ...)
    (2, 3)
    >>> right_counts(lambda self, *, force: ...)
    (0, -1)
    """
    if not isinstance(function, FunctionType):
        return 0, -1
    code = function.__code__
    if code.co_kwonlyargcount > len(function.__kwdefaults__ or ()):
        return 0, -1
    least = code.co_argcount - len(function.__defaults__ or ())
    return least, sys.maxsize if code.co_flags & inspect.CO_VARARGS else code.co_argcount


def check_positional(function: Any, args: tuple[Any, ...]) -> None:
    """Refuse arguments that a function does not take, before a process is made to call it.

    Only what is written in Python can be asked without calling it; anything else passes.

    Args:
        function: what is to be called.
        args: its positional arguments.

    Raises:
        TypeError: it does not take them.

    >>> check_positional(lambda width, height: ..., (3,))
    Traceback (most recent call last):
    TypeError: <lambda>: missing a required argument: 'height'; it is <lambda>(width, height)
    """
    bound = isinstance(function, MethodType)
    inner = function.__func__ if bound else function
    if not isinstance(inner, FunctionType):
        return
    code, given = inner.__code__, len(args) + bound
    enough = given >= code.co_argcount - len(inner.__defaults__ or ())
    fits = given <= code.co_argcount or code.co_flags & inspect.CO_VARARGS
    if enough and fits and code.co_kwonlyargcount == len(inner.__kwdefaults__ or ()):
        return
    signature = inspect.signature(function, follow_wrapped=False)
    try:
        signature.bind(*args)
    except TypeError as exc:
        name = inner.__name__
        raise TypeError(f"{name}: {exc}; it is {name}{signature}") from None


def _slow_checker(function: Callable[..., Any]) -> Callable[..., None]:
    signature = inspect.signature(function)

    def check(*args: Any, **kwargs: Any) -> None:
        signature.bind(*args, **kwargs)

    return check
