"""What becomes of the objects of this library in `copy.copy`, `copy.deepcopy` and `pickle`.

Messages and states are copied without a word about it: `dataclasses.asdict` copies deeply what is
in the fields, a queue to another process of the operating system pickles. So each object is one of
these:

* A **handle** stands for something of a run, as a pid does. It is its own copy. It cannot be
  pickled, and says so; a pid can, see `Pid`.
* An **error** keeps its class, text and attributes. Its copies share them, since other exceptions
  cannot be trusted to be copied. What it tells of and cannot be pickled is told as text.
* A **report** is its own copy, and pickled as an error is. So are log records that carry one.
* A **mark**, which stands for the absence of a value, is the same one everywhere.
* Everything else is plain data, for which the standard library does it.
"""

from __future__ import annotations

import dataclasses
import enum
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final, ParamSpec, TypeVar

from .bounded import Printable, bounded
from .public import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

E = TypeVar("E", bound=BaseException)
P = ParamSpec("P")
T = TypeVar("T")
# While something is pickled: what is made of each error and report that it tells of, by their
# addresses, so that it is made once; None while it is being made, and met again in a circle.
_made: Final[ContextVar[dict[int, bytes | None] | None]] = ContextVar("_made", default=None)
_CONTAINERS: Final[tuple[Any, ...]] = (list, tuple)  # classes whose items are looked at


class Mark(enum.Enum):
    """What stands in the place of a value where None could be one."""

    UNSET = "UNSET"  # there is none
    KEEP = "KEEP"  # an option stays as it is
    ALL = "ALL"  # not one of them but each
    DELETED = "DELETED"  # there was one

    def __repr__(self) -> str:
        """Return the name."""
        return self.name


class Handle:
    """Stands for something of a run: it is its own copy, and cannot leave the run."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce_ex__(self, _: object) -> Any:
        kind = type(self).__name__
        raise TypeError(
            f"{bounded(self)} cannot be pickled: a {kind} belongs to the run that made it; "
            "send data in its place, such as the name of a process"
        )


class NoConstructor:
    """The base of what users hold and the library alone makes: by `create`, never by a call."""

    __slots__ = ()

    _origin: ClassVar[str]  # how users get one

    if not TYPE_CHECKING:

        def __new__(cls, *_: object, **__: object) -> Self:
            raise TypeError(f"{cls.__name__} has no public constructor: {cls._origin}")


def create(cls: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make an object of a class that has no constructor."""
    kind: Any = cls
    made: Any = object.__new__(kind)
    kind.__init__(made, *args, **kwargs)
    new: T = made
    return new


class PortableError(BaseException):
    """The base of errors that keep class, text and attributes, whatever their `__init__` takes."""

    def __copy__(self) -> Self:
        copy = _like(type(self), self.args, vars(self), self)
        copy.__cause__, copy.__context__ = self.__cause__, self.__context__
        copy.__suppress_context__ = self.__suppress_context__
        return copy.with_traceback(self.__traceback__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = memo[id(self)] = self.__copy__()
        return copy

    def __reduce_ex__(self, protocol: object) -> Any:
        if type(self).__reduce__ is not BaseException.__reduce__:  # a user knows better
            return self.__reduce__()
        attributes: dict[str, Any] = vars(self)
        own = [name for name, value in attributes.items() if value is self]
        told = {name: value for name, value in attributes.items() if value is not self}
        told["args"], told["__cause__"] = list(self.args), self.__cause__
        data = pickled(self, told, protocol)
        if data is None:  # in a circle
            return Exception, (bounded(self),)
        return self._restored, (data, own)

    @classmethod
    def _restored(cls, data: bytes, own: list[str]) -> Self:
        import pickle  # noqa: PLC0415 - see below

        told: dict[str, Any] = pickle.loads(data)  # noqa: S301 - a part of what is being loaded
        cause = told.pop("__cause__")
        error = _like(cls, told.pop("args"), {**told, **dict.fromkeys(own, told)}, told)
        if cause is not None:
            error.__cause__ = cause
        return error


class PortableReport(Printable):
    """The base of reports: frozen dataclasses that are their own copies and can be pickled."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> Any:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # all of them are dataclasses
        told = {field.name: getattr(self, field.name) for field in fields}
        return self._restored, (pickled(self, told, protocol),)

    @classmethod
    def _restored(cls, data: bytes) -> Self:
        import pickle  # noqa: PLC0415 - see below

        report = cls.__new__(cls)
        told: dict[str, Any] = pickle.loads(data)  # noqa: S301 - a part of what is being loaded
        for name, value in told.items():
            object.__setattr__(report, name, value)
        return report


def _like(kind: type[E], args: Any, attributes: dict[str, Any], original: object) -> E:
    """Make an error without its `__init__`; an attribute that was the original is the new one."""
    new: E = kind.__new__(kind, *args)
    new.args = tuple(args)  # they may have been changed since it was made
    for name, value in attributes.items():
        setattr(new, name, new if value is original else value)
    if "__notes__" in attributes:  # which `add_note` changes
        new.__notes__ = list(attributes["__notes__"])
    return new


# `pickle` is there by the time that something is pickled; most programs never need it.


def pickled(owner: object, told: dict[str, Any], protocol: Any) -> bytes | None:
    """Pickle all that an object tells, with text in the place of what cannot be; None in a circle.

    It is loaded for a test, since exceptions of users often fail only then.
    """
    made = _made.get()
    if made is None:
        token = _made.set({})
        try:
            return pickled(owner, told, protocol)
        finally:
            _made.reset(token)
    if id(owner) not in made:
        import pickle  # noqa: PLC0415 - see above

        made[id(owner)] = None
        data = _survives(told, protocol)
        made[id(owner)] = data or pickle.dumps(_portable(told, protocol, {}), protocol)
    return made[id(owner)]


def _survives(value: object, protocol: Any) -> bytes | None:
    import pickle  # noqa: PLC0415 - see above

    try:
        data = pickle.dumps(value, protocol)
        pickle.loads(data)  # noqa: S301 - just made
    except Exception:
        return None
    return data


def _portable(value: Any, protocol: Any, seen: dict[int, Any]) -> Any:
    """Return a value, or what stands for it; of containers, for what is in them."""
    if id(value) in seen or _survives(value, protocol) is not None:
        return seen.setdefault(id(value), value)
    made: Any = _text_of(value)
    seen[id(value)] = made  # also in case it is met again inside of itself
    if value.__class__ in _CONTAINERS:
        items: list[Any] = [_portable(item, protocol, seen) for item in value]
        made = value.__class__(items)
    elif value.__class__ is dict:
        made = {key: _portable(item, protocol, seen) for key, item in value.items()}
        if _survives(made, protocol) is None:
            made = bounded(value)
    seen[id(value)] = made
    return made


def _text_of(value: object) -> Any:
    text = bounded(value)
    return Exception(text) if isinstance(value, BaseException) else text


# Private, but for pickles, which find it under this name whatever module it is in.
Mark.__module__, Mark.__qualname__ = PACKAGE, "_Mark"
