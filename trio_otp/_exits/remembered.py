"""What may be kept of an exit reason for long: what it says, without what it holds on to.

An exception has a traceback, that has frames, and they have `self`: what keeps the exception keeps
the state of the dead process. So do its context, its attributes and its arguments. A supervisor
remembers a hundred ends. So what it remembers of an exception is another one: of the same class,
with the same text, its small plain attributes and its cause alike, but never raised, so without a
traceback. The exception itself, which others may hold, is left as it is.
"""

from __future__ import annotations

import enum
from contextlib import suppress
from functools import lru_cache
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final, cast

from .._util.bounded import HIDDEN, Note, bounded, hidden_text
from .reasons import Shutdown

TEXT: Final = 500  # characters of a text that is remembered
MOST: Final = 20  # items of a container, members of a group
DEPTH: Final = 4  # levels of nesting
_PLAIN: Final = frozenset({type(None), bool, int, float, complex})
_TEXTS: Final = frozenset({str, bytes, bytearray})
_CONTAINERS: Final = frozenset({tuple, list, set, frozenset})
_USUAL: Final = (BaseException.__str__, KeyError.__str__)  # that show nothing but `args`
_DESCRIPTORS: Final = (MemberDescriptorType, GetSetDescriptorType)
_NAMED: Final = (enum.Enum, type)  # of which each value is one of few


def remembered(reason: object) -> object:
    """Return what may be kept of an exit reason.

    Args:
        reason: any exit reason.

    Returns:
        For an exception another one, which says the same and holds nothing; else the reason itself,
        but no text of many characters.

    >>> try:
    ...     raise KeyError("colour")
    ... except KeyError as exc:
    ...     kept = remembered(exc)
    >>> kept, kept.__traceback__
    (KeyError('colour'), None)
    """
    if isinstance(reason, BaseException):
        return _portrait(reason, DEPTH)
    if isinstance(reason, Shutdown):
        detail = remembered(reason.detail)
        return reason if detail is reason.detail else Shutdown(detail)
    return _slim(reason, DEPTH) if _is_heavy(reason, DEPTH) else reason


def _is_heavy(reason: Any, depth: int) -> bool:
    """Check whether a reason is a long text, or a tuple with one or with an exception in it."""
    if reason.__class__ is tuple:
        return depth > 0 and any(_is_heavy(each, depth - 1) for each in reason)
    return isinstance(reason, BaseException) or (reason.__class__ in _TEXTS and len(reason) > TEXT)


def _portrait(exc: BaseException, depth: int) -> BaseException:
    """Make an exception that says what another one says; of the user's code, `str` may run."""
    kind = type(exc)
    with suppress(Exception):  # of a class with rules of its own
        portrait = _made(exc, kind, depth)
        usual = kind.__str__ in _USUAL and kind.__repr__ is BaseException.__repr__
        if usual or _texts(portrait) == _texts(exc):
            return portrait
    texts = _texts(exc)
    with suppress(Exception):
        return _made(exc, _telling(kind, *texts), depth)
    return Exception(texts[0])


def _made(exc: Any, kind: Any, depth: int) -> BaseException:
    """Make one of a class, past its own `__new__` and `__init__`, which may want anything."""
    base, own_names = _of_python(kind)
    if issubclass(kind, BaseExceptionGroup):
        members = [_nested(member, depth) for member in exc.exceptions[:MOST]]
        portrait = base.__new__(kind, _slim(exc.message, 1), members)
    else:
        hidden = hidden_text(exc)
        shown: Any = exc.args if hidden is None else (Note(hidden),)
        args = tuple(_slim(arg, depth) for arg in shown)
        portrait = base.__new__(kind, *args)
        portrait.args = args
    attributes: Any = exc.__dict__
    if HIDDEN in attributes:
        vars(portrait)[HIDDEN] = _slim(attributes[HIDDEN], depth)
        return cast("BaseException", portrait)
    for name in (*own_names, *attributes):
        with suppress(AttributeError, TypeError):  # one that is not set, or read only
            value = _slim(getattr(exc, name), depth)
            if value.__class__ is not Note:
                setattr(portrait, name, value)
    if exc.__cause__ is not None:
        portrait.__cause__ = _nested(exc.__cause__, depth)
    return cast("BaseException", portrait)


@lru_cache(maxsize=512)
def _of_python(kind: type[Any]) -> tuple[Any, tuple[str, ...]]:
    """Return the nearest class of Python itself, and what such ones give but for `args`."""
    builtins = [each for each in kind.__mro__ if each.__module__ == "builtins"]
    own = (n for each in builtins for n, d in vars(each).items() if isinstance(d, _DESCRIPTORS))
    return builtins[0], tuple(name for name in own if name[0] != "_" and name != "args")


def _nested(exc: BaseException, depth: int) -> BaseException:
    return _portrait(exc, depth - 1) if depth > 0 else Exception(bounded(exc, TEXT))


def _slim(value: Any, depth: int) -> Any:
    """Return a value itself if it is small plain data; else its text."""
    kind = value.__class__
    if kind in _TEXTS:
        return value if len(value) <= TEXT else kind(value[:TEXT])
    if kind in _PLAIN or kind is Note or isinstance(value, _NAMED):
        return value
    if isinstance(value, BaseException):
        return _nested(value, depth)
    if depth > 0 and kind in _CONTAINERS and len(value) <= MOST:
        return kind(_slim(each, depth - 1) for each in value)
    if depth > 0 and kind is dict and len(value) <= MOST:
        return {_slim(key, depth - 1): _slim(held, depth - 1) for key, held in value.items()}
    return Note(bounded(value))


def _texts(exc: BaseException) -> tuple[str, str]:
    """Return what `str` and `repr` show, shortened."""
    hidden = hidden_text(exc)
    try:
        text = str(exc) if hidden is None else hidden
    except Exception:
        text = bounded(exc, TEXT)
    return text[:TEXT], bounded(exc, TEXT)


def _telling(kind: type[Any], text: str, shown: str) -> type[Any]:
    """Make a class in place of one whose texts need what is not remembered."""

    def told(_: object) -> str:
        return text

    def rendered(_: object) -> str:
        return shown

    texts = {"__str__": told, "__repr__": rendered}
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made: Any = type(kind)
    telling: type[Any] = made(kind.__name__, (kind,), {**texts, **names})
    return telling
