"""Published attributes: what a server holds, and others can watch.

For the server it is an ordinary attribute. Its value is in the `__dict__` of the instance, under
its name; its watchers are kept here, by instance, so that nothing is added to the instance that
a report, a copy or `vars` would show. While nobody watches, an assignment costs one test more.

An instance belongs to one process, and so to one run. What is noted of it is gone when the block
of the watch has been left, and holds the instance until then, so that its id means no other.

Follows: the observed attributes of trio-util, `AsyncValue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeGuard, TypeVar, overload

from trio.lowlevel import enable_ki_protection

from .._exits.errors import SpecError
from .._util.bounded import bounded
from .._util.public import public
from .._util.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_CHANGEABLE: Final[tuple[Any, ...]] = (list, dict, set, bytearray)


@public
class Published(Generic[T]):
    """An attribute of a server that `otp.watch` can watch; `otp.published` makes one.

    Of a class it is this object, of an instance the value.

    Args:
        default: the value of an instance that has not assigned one.
    """

    __slots__ = ("_listeners", "default", "name", "owner")

    def __init__(self, default: Any) -> None:
        self.default: Any = default
        self.name: str = ""
        self.owner: type[Any] = object
        # {id of an instance: that instance, and who is told of its assignments}
        self._listeners: dict[int, tuple[Any, dict[Callable[[Any], None], None]]] = {}

    def __set_name__(self, owner: type[Any], name: str) -> None:
        if self.name and not (name == self.name and _is_made_anew(self.owner, owner)):
            text = f"{self!r} and {owner.__name__}.{name} are one otp.published()"
            raise SpecError(f"{text}; write one for each")
        self.owner, self.name = owner, name

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> Any:
        return getattr, (self.owner, self.name)

    def __repr__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self.name]
        except KeyError:
            if self.default is not UNSET:
                return self.default
        raise AttributeError(f"{type(instance).__name__} has no {self.name} yet")

    def __set__(self, instance: object, value: T) -> None:
        given: Any = value
        if given is self:  # a dataclass takes what the class has for the default of the field
            value = self.default
        instance.__dict__[self.name] = value
        if self._listeners:
            self._tell(instance, value)

    def __delete__(self, instance: object) -> None:
        if self.name not in instance.__dict__:
            raise AttributeError(self.name)
        del instance.__dict__[self.name]
        self._tell(instance, self.default)

    # -- for those who watch -----------------------------------------------------------------

    def _value_of(self, instance: Any) -> Any:
        """Return the value that an instance has; `UNSET` if it has none yet.

        Args:
            instance: the server.
        """
        return instance.__dict__.get(self.name, self.default)

    def _of(self, instance: object) -> Published[Any] | None:
        """Return what this attribute is in an instance, whose class may override it.

        Args:
            instance: the server; None if its class is another, or has another kind of attribute.
        """
        found: object = getattr(type(instance), self.name, None)
        if found is self:  # also in a class that a decorator has made anew meanwhile
            return self
        return found if isinstance(instance, self.owner) and is_published(found) else None

    @enable_ki_protection
    def _add_listener(self, instance: object, listener: Callable[[Any], None]) -> None:
        """Call a function, which must not raise, on each assignment, in the thread that assigns.

        Args:
            instance: the server.
            listener: gets the value.
        """
        self._listeners.setdefault(id(instance), (instance, {}))[1][listener] = None

    @enable_ki_protection
    def _remove_listener(self, instance: object, listener: Callable[[Any], None]) -> None:
        """Stop calling it.

        Args:
            instance: the server.
            listener: as of `_add_listener`.
        """
        _, listeners = self._listeners[id(instance)]
        del listeners[listener]
        if not listeners:
            del self._listeners[id(instance)]

    @enable_ki_protection
    def _tell(self, instance: object, value: Any) -> None:
        """Notify the listeners of an instance of its new value.

        Args:
            instance: the server.
            value: what has been assigned.
        """
        if (told := self._listeners.get(id(instance))) is not None:
            for listener in list(told[1]):
                listener(value)


def _is_made_anew(before: type[Any], now: type[Any]) -> bool:
    """Check whether a class is another one made anew, as a decorator does that adds slots."""
    return (before.__module__, before.__name__) == (now.__module__, now.__name__)


def is_published(value: object) -> TypeGuard[Published[Any]]:
    """Check whether a value is a published attribute."""
    return isinstance(value, Published)


@public
def published(default: T) -> Published[T]:
    """Make an attribute of a server that others can watch; for the server it is an ordinary one.

    A value that is changed in place looks the same to its watchers: assign another one.

    Args:
        default: the value of a server that has assigned none.

    Raises:
        ValueError: the default is a list, dict, set or bytearray, which all servers would share.

    >>> import trio, trio_otp as otp
    >>> class Boiler(otp.GenServer):
    ...     celsius = otp.published(20.0)
    ...     @otp.on_cast
    ...     def heat(self, degrees: float) -> None:
    ...         self.celsius += degrees
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Boiler).having(name="boiler")]):
    ...         async with otp.watch("boiler", Boiler.celsius) as celsius:
    ...             Boiler.at("boiler").heat(75.0)
    ...             print(celsius.value, await celsius.wait_value(lambda c: c > 90))
    >>> trio.run(main)
    20.0 95.0

    Follows: `trio_util.AsyncValue`.
    """
    if isinstance(default, _CHANGEABLE):
        kind = type(default).__name__
        text = f"default={bounded(default)}: every server would share this {kind}"
        raise ValueError(f"{text}; expected a value that does not change, such as a tuple")
    return Published(default)
