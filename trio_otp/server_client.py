"""What `GenServer.at` gives: the decorated methods of a class, sent to one server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .copies import Handle
from .names import check_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from .names import Ref


class Client(Handle):
    """What `GenServer.at` gives. It has the decorated methods of the class and nothing else."""

    __slots__ = ("__dict__", "_class", "ref")

    def __init__(self, server_class: type[Any], ref: Ref) -> None:
        check_reference(ref)
        self._class = server_class
        self.ref = ref

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._class, name, None)
        if isinstance(method, Sendable):
            bound = self.__dict__[name] = method.bind(self.ref)
            return bound
        known = [key for key in dir(self._class) if isinstance(getattr(self._class, key), Sendable)]
        raise AttributeError(
            f"a client of {self._class.__name__} has no {name!r}; it has {', '.join(known)}"
        )

    def __reduce_ex__(self, _: object) -> Any:
        return Client, (self._class, self.ref)  # it is as good elsewhere as its reference is

    def __repr__(self) -> str:
        return f"<client of {self._class.__name__} at {self.ref!r}>"


@runtime_checkable
class Sendable(Protocol):
    """A decorated method: it can be bound to a server and then sent."""

    def bind(self, ref: Ref) -> Callable[..., Any]:
        """Give the method with the server filled in."""
        raise NotImplementedError
