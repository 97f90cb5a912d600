"""The state of a machine as a published attribute: it is read-only, and watched as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Never, TypeVar, overload

from .._behaviour.published import Published
from .._util.unset import UNSET

S = TypeVar("S")


class HasState(Generic[S]):
    """The base of machines whose states are of type `S`."""

    __slots__ = ()


class MachineState(Published[Any]):
    """The attribute `state` of every machine; its loop notifies the watchers after each event."""

    __slots__ = ()

    if TYPE_CHECKING:

        @overload  # type: ignore[override]  # of machines alone
        def __get__(self, instance: None, owner: type[HasState[S]]) -> Published[S]: ...
        @overload
        def __get__(self, instance: HasState[S], owner: object = None) -> S: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...  # type: ignore[override, unused-ignore]  # as above

    else:

        def __get__(self, instance, owner=None):
            try:
                return self if instance is None else instance._machine.state
            except AttributeError:
                name = type(instance).__name__
                raise AttributeError(f"{name} has no state until its init has returned") from None

    def __set__(self, instance: object, value: Never) -> None:
        text = f"property 'state' of {type(instance).__name__!r} object has no setter"
        raise AttributeError(f"{text}; a callback returns NextState(state)")

    def __delete__(self, instance: object) -> None:
        raise AttributeError("the state of a machine cannot be deleted")

    def _value_of(self, instance: Any) -> Any:
        """Return the state; `UNSET` before init is over.

        Args:
            instance: the machine.
        """
        machine = getattr(instance, "_machine", None)
        return UNSET if machine is None else machine.state


MACHINE_STATE: Final = MachineState(UNSET)
