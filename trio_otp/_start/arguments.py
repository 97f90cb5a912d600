"""Whether a target takes its arguments: a mistake is the `TypeError` of the author of the child."""

from __future__ import annotations

import functools
import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from .._behaviour.child_options import CHECKS
from .._util.bounded import bounded, label_of
from .._util.signature import argument_checker

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def check_arguments(
    target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, partial: bool
) -> None:
    """Refuse, with a `TypeError`, what a target does not take; `partial` if more is to come."""
    if not partial and _fits(target, args, kwargs):
        return
    signature = _signature_of(target)
    if signature is None:
        return
    status = {"task_status": None} if takes_task_status(target) else {}
    try:
        bind = signature.bind_partial if partial else signature.bind
        bind(*args, **{**status, **kwargs})
    except TypeError as exc:
        text = f"{label_of(target)}: {exc}; it is {label_of(target)}{signature}"
        hints = _hint_for_options(signature, kwargs) + _hint_for_more(exc, target, args)
        raise TypeError(text + hints) from None


def _fits(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell at once of most targets that they take the arguments; False may mean no or unknown."""
    check = _quick_check(target)
    if check is None:
        return False
    try:
        check(*args, **kwargs)
    except TypeError:
        return False
    return True


def _cached(function: Callable[[Any], T]) -> Callable[[Any], T]:
    """Remember what is said of targets; not of those that have no hash, as some objects."""
    remembered = functools.lru_cache(maxsize=512)(function)

    def ask(target: Any) -> T:
        try:
            return remembered(target)
        except TypeError:
            return function(target)

    return ask


@_cached
def _quick_check(target: Any) -> Callable[..., None] | None:
    """Make what `_fits` asks: of an ordinary class or function, unless it needs `task_status`."""
    function: Any = target
    if type(target) is type and getattr(target, "__new__", None) is object.__new__:
        function = getattr(target, "__init__", None)
    plain = isinstance(function, FunctionType) and not hasattr(function, "__wrapped__")
    if not plain or hasattr(function, "__signature__"):
        return None
    check = argument_checker(function)
    return check if function is target else functools.partial(check, None)


def _hint_for_options(signature: inspect.Signature, kwargs: dict[str, Any]) -> str:
    """Say how options are given, if that is what was meant."""
    meant = [key for key in kwargs if key in CHECKS and key not in signature.parameters]
    shown = ", ".join(f"{key}={bounded(kwargs[key], 60)}" for key in meant)
    return f"; for options write .having({shown})" if meant else ""


def _hint_for_more(exc: TypeError, target: Any, args: tuple[Any, ...]) -> str:
    """Say how a child is written whose first arguments its supervisor adds."""
    if not str(exc).startswith("missing"):
        return ""
    shown = ", ".join([label_of(target), *(bounded(arg, 60) for arg in args)])
    return f"; if a DynamicSupervisor adds extra_arguments write otp.template({shown})"


@_cached
def _signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature; None for a callable without one, as some builtins."""
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


def takes_task_status(target: Callable[..., Any]) -> bool:
    """Check whether a function says itself when it has started."""
    signature = _signature_of(target)
    return signature is not None and "task_status" in signature.parameters
