"""Which behaviour a target makes: a class, an alias or partial of one, or a function that says so.

What a child is, its class, its options and whether it hosts children, has to be known before it
runs. So a function that makes a server is a child if it is annotated with the class; one that turns
out to make one when it runs fails to start, with the line to write.
"""

from __future__ import annotations

import inspect
from functools import lru_cache, partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Self, TypeGuard, get_type_hints

from .._behaviour.behaviour import Behaviour
from .._util.async_functions import gives_awaitable, innermost, refuse_plain
from .._util.bounded import bounded, label_of

if TYPE_CHECKING:
    from collections.abc import Callable


def is_behaviour(value: object) -> TypeGuard[type[Any]]:
    """Check whether a value is a behaviour class."""
    return isinstance(value, type) and issubclass(value, Behaviour)


def unaliased(target: object) -> object:
    """Return the class of an alias like `Box[int]`; anything else as it is."""
    origin = getattr(target, "__origin__", None)
    return origin if is_behaviour(origin) else target


def behaviour_of(target: object) -> type[Behaviour] | None:
    """Return the behaviour class that a target makes; None for an async function."""
    if isinstance(target, type):
        return target
    if isinstance(target, FunctionType) and target.__code__.co_flags & inspect.CO_COROUTINE:
        return None
    target = unaliased(target)
    if isinstance(target, partial):
        return behaviour_of(target.func)
    if isinstance(target, type):
        return target
    return None if gives_awaitable(target) else _annotated(target)


def check_kind(target: object) -> None:
    """Refuse what can be called and is not a child: a plain function, a class of something else.

    Raises:
        TypeError: the text says what to write.
    """
    made = behaviour_of(target)
    if made is None:
        refuse_plain(target, "target")
        if (built := _annotated(target)) is not None:
            line = f"otp.child({built.__name__}, *args), and what has to wait in its init"
            raise TypeError(f"target={bounded(target)} is async and makes a server; write {line}")
    elif not issubclass(made, Behaviour):
        raise TypeError(
            f"target={bounded(target)}: expected a GenServer, a Supervisor or another behaviour"
        )


def maker(target: Any, args: tuple[object, ...], kwargs: dict[str, object]) -> Callable[[], object]:
    """Return what makes the instance: the class itself, if it gets no arguments."""
    call = partial(target, *args, **kwargs) if args or kwargs else target
    return call if isinstance(target, type) else partial(_make, target, call)


def _make(target: object, call: Callable[[], object]) -> object:
    """Make the instance by a function, which has to keep to what it is annotated with."""
    instance, expected = call(), behaviour_of(target)
    if type(instance) is not expected:
        assert expected is not None
        text = f"expected an instance of exactly {expected.__name__}, as it is annotated"
        raise TypeError(f"{label_of(target)} returned {bounded(instance)}; {text}")
    return instance


def _annotated(target: object) -> type[Behaviour] | None:
    """Return the behaviour that a function says it returns."""
    inner = innermost(target)
    if not isinstance(inner, FunctionType) or hasattr(inner, "__wrapped__"):
        return None
    said = _said(inner)
    if said is Self and isinstance(target, MethodType):  # of a class method
        said = target.__self__
    said = unaliased(said)
    return said if is_behaviour(said) else None


@lru_cache(maxsize=512)
def _said(function: FunctionType) -> object:
    """Return what a function is annotated to return; None if that cannot be found out."""
    try:
        said = function.__annotations__.get("return")
        if said is None or said == "None" or not isinstance(said, str):
            return said
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        probe = FunctionType((lambda: None).__code__, function.__globals__)
        probe.__annotations__ = {"return": said}
        names = {name: cell.cell_contents for name, cell in cells}
        return get_type_hints(probe, localns=names)["return"]
    except Exception:  # of names that are there for type checkers alone, or not yet
        return None
