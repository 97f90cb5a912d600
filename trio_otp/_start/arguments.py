"""The arguments of a child: whether its target takes them, how they are shown.

A mistake is the `TypeError` of the author of the child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._behaviour.child_options import CHECKS
from .._util.bounded import bounded, label_of
from .._util.private import private_names, shown_arguments
from .._util.signature import parameters_of, refuse

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable


def check_child(
    target: Any, args: tuple[object, ...], kwargs: dict[str, object], *, partial: bool
) -> None:
    """Refuse, with a `TypeError`, what a target does not take; `partial` if more is to come."""
    parameters = parameters_of(target)
    signature = parameters.signature
    if signature is None:
        return
    given = {"task_status": None, **kwargs} if "task_status" in signature.parameters else kwargs
    if not partial and parameters.fit(args, given):
        return
    try:
        refuse(target, label_of(target), args, given, partial=partial)
    except TypeError as exc:
        hints = _hint_for_options(signature, kwargs) + _hint_for_more(exc, target, args)
        raise TypeError(f"{exc}{hints}") from None


def _hint_for_options(signature: inspect.Signature, kwargs: dict[str, object]) -> str:
    """Suggest how options are given, if that is what was meant."""
    meant = [key for key in kwargs if key in CHECKS and key not in signature.parameters]
    shown = ", ".join(f"{key}={bounded(kwargs[key], 60)}" for key in meant)
    return f"; for options write .having({shown})" if meant else ""


def _hint_for_more(exc: TypeError, target: object, args: tuple[object, ...]) -> str:
    """Suggest how to write a child whose first arguments its supervisor adds."""
    if ": missing " not in str(exc):
        return ""
    shown = ", ".join([label_of(target), *(bounded(arg, 60) for arg in args)])
    return f"; if a DynamicSupervisor adds extra_arguments write otp.template({shown})"


def takes_task_status(target: Callable[..., object]) -> bool:
    """Check whether a function says itself when it has started."""
    signature = parameters_of(target).signature
    return signature is not None and "task_status" in signature.parameters


def shown_child_arguments(target: Any, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
    """Render the arguments of a child, but those that its class keeps private."""
    private = private_names(target)
    signature = parameters_of(target).signature if private else None
    return shown_arguments(private, signature, args, kwargs, 60)
