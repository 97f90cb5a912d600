"""Whether a function takes its arguments, found out without running it.

A wrong argument has to be the caller's `TypeError`, so it is found before a message is sent or a
process is made. `inspect.Signature.bind` takes as long as a whole call, but what it says depends
only on the shape of the arguments: how many there are, and the names of the others. So signatures
are kept, with the shapes that fitted.
"""

from __future__ import annotations

import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from .bounded import label_of, safe_str, shown_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NONE: Final[Mapping[str, Any]] = {}
_SHAPES: Final = 64  # that are remembered of one function
_FUNCTIONS: Final = 512  # whose parameters are remembered


class Parameters:
    """What a function takes: its signature, None if it has none, and the shapes that fitted."""

    __slots__ = ("shapes", "signature")

    def __init__(self, signature: inspect.Signature | None) -> None:
        self.signature = signature
        self.shapes: set[Any] = set()

    def fit(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] = _NONE) -> bool:
        """Check whether arguments fit; of what has no signature, only a call can tell."""
        shape = (len(args), *kwargs) if kwargs else len(args)
        if shape in self.shapes or self.signature is None:
            return True
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError:
            return False
        if len(self.shapes) < _SHAPES:
            self.shapes.add(shape)
        return True


_known: Final[dict[Any, Parameters]] = {}


def parameters_of(target: Callable[..., Any]) -> Parameters:
    """Return what is known of a function; functions with the same code share it."""
    key = _key(target)
    try:
        return _known[key]
    except KeyError:
        if len(_known) >= _FUNCTIONS:
            _known.clear()
        return _known.setdefault(key, Parameters(signature_of(target)))
    except TypeError:  # the key has no hash, as some objects that can be called
        return Parameters(signature_of(target))


def _key(target: object) -> Any:
    """Return what decides the parameters: of functions the code, which many lambdas share."""
    if isinstance(target, MethodType):
        return MethodType, _key(target.__func__)
    if not isinstance(target, FunctionType) or _is_dressed(target):
        return target
    key = (target.__code__, len(target.__defaults__ or ()))
    return (*key, *target.__kwdefaults__) if target.__kwdefaults__ else key


def _is_dressed(function: FunctionType) -> bool:
    """Check whether its signature is another than that of its code."""
    return hasattr(function, "__wrapped__") or hasattr(function, "__signature__")


def signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature; None for a callable without one, as some builtins."""
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


def check_arguments(
    target: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] = _NONE
) -> None:
    """Refuse arguments that a function or class does not take, before anything is made to call it.

    Args:
        target: what is to be called.
        args: its positional arguments.
        kwargs: the others.

    Raises:
        TypeError: it does not take them.

    >>> check_arguments(lambda width, height: ..., (3,))
    Traceback (most recent call last):
    TypeError: <lambda>: missing a required argument: 'height'; it is <lambda>(width, height)
    """
    if not parameters_of(target).fit(args, kwargs):
        refuse(target, label_of(target), args, kwargs)


def refuse(
    target: Callable[..., Any],
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    partial: bool = False,
) -> None:
    """Raise what is wrong with arguments; `partial` if more are to come.

    Raises:
        TypeError: unless a decorator made of the target what takes them all the same.
    """
    signature = inspect.signature(target, follow_wrapped=False)
    try:
        (signature.bind_partial if partial else signature.bind)(*args, **kwargs)
    except TypeError as exc:
        shown = shown_text(safe_str(signature), 500)
        raise TypeError(f"{name}: {exc}; it is {name}{shown}") from None
