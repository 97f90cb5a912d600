"""What messages are on the wire, and calls of decorated methods among them.

A typed call is a tuple whose first item is the name of the method, as Elixir writes it: `{:get,
key}`, or `:get` alone if there are no arguments.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from .._behaviour.results import Reply
from .._gen_server.method_messages import Message
from .._gen_server.methods import CallMethod, CastMethod, DeferredMethod
from .._util.bounded import bounded
from .wire.terms import Atom

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM: Final = Atom("system")
OK: Final = Atom("ok")
ERROR: Final = Atom("error")


def as_term(content: Any) -> object:
    """Return what a request or message of a user is on the wire.

    Raises:
        TypeError: it is a call with an argument that has no position.
    """
    return _as_tuple(content) if isinstance(content, Message) else content


def _as_tuple(message: Message) -> object:
    args: tuple[object, ...] = message.args
    if message.kwargs:
        args = _positional(message)
    name = _atom(message.method.name)
    return (name, *args) if args else name


def _positional(message: Message) -> tuple[object, ...]:
    """Return the arguments by position; what is left out in between is as the method has it."""
    method: Any = message.method
    given = (None, None) if isinstance(method, DeferredMethod) else (None,)
    bound = _signature(method.function).bind(*given, *message.args, **message.kwargs)
    last = max(list(bound.signature.parameters).index(name) for name in bound.arguments)
    bound.apply_defaults()
    if bound.kwargs:
        names = ", ".join(bound.kwargs)
        text = f"{message!r}: {names} has no position, and arguments travel by position"
        raise TypeError(text)
    return bound.args[len(given) : last + 1]


_atom: Final = lru_cache(maxsize=1024)(Atom)


@lru_cache(maxsize=1024)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def typed_answer(content: object, value: bytes) -> bytes | str:
    """Return what a binary is that answers a call: text, if the method is annotated so.

    Raises:
        ValueError: it is no text.
    """
    if isinstance(content, Message) and _is_text(_hints(content.method.function).get("return")):
        return _text(value, "what the method returns")
    return value


# -- what comes in -----------------------------------------------------------------------------


def typed_call(behaviour: type[Any] | None, request: object) -> object:
    """Return the message of a decorated method if a request names one, else the request.

    Raises:
        TypeError: the method does not take these arguments.
        ValueError: bytes for a parameter annotated `str` are no text.
    """
    return _typed(behaviour, request, CallMethod)


def typed_cast(behaviour: type[Any] | None, request: object) -> object:
    """Do as `typed_call` for a cast."""
    return _typed(behaviour, request, CastMethod)


def _typed(behaviour: type[Any] | None, request: Any, kind: type[Any]) -> object:
    named = request[0] if request.__class__ is tuple and request else request
    if behaviour is None or named.__class__ is not Atom:
        return request
    found: Any = getattr(behaviour, named, None)
    if not issubclass(type(found), kind):
        return request
    args = request[1:] if request.__class__ is tuple else ()
    skipped = 2 if issubclass(type(found), DeferredMethod) else 1  # the server, and the `From`
    args = _with_text(found.function, skipped, args)
    if len(args) not in found.outside.shapes:
        found.check(args, {})
    message: Callable[..., object] = getattr(found, "message", Message)
    return message(found, args, {})


def _with_text(
    function: Callable[..., Any], skipped: int, args: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Decode the arguments for parameters that are annotated `str`."""
    if bytes not in map(type, args):
        return args
    texts = _text_parameters(function, skipped)
    return tuple(
        _text(arg, "the parameter") if arg.__class__ is bytes and index in texts else arg
        for index, arg in enumerate(args)
    )


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{bounded(data)} is no text; {what} is annotated str") from None


@lru_cache(maxsize=1024)
def _text_parameters(function: Callable[..., Any], skipped: int) -> frozenset[int]:
    """Return the positions, without those of the first ones, of what is annotated `str`."""
    hints = _hints(function)
    names = list(_signature(function).parameters)[skipped:]
    return frozenset(index for index, name in enumerate(names) if _is_text(hints.get(name)))


@lru_cache(maxsize=1024)
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # what an annotation names may not be there
        return {}


def _is_text(hint: Any) -> bool:
    """Check whether an annotation is `str`, alone or beside others, of which none is `bytes`."""
    among = get_args(hint) if get_origin(hint) in {Union, UnionType, Reply} else (hint,)
    return str in among and bytes not in among
