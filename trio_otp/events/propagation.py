"""What travels with a message: the values that belong to a request, from its sender to its server.

A server is one task for all its callers, so it has the context of none of them. A propagator
captures at the sender what is to travel, and attaches it in the server while the message is
handled. One that raises is removed and logged, as a listener is; it hurts nobody.

Follows: the propagators of OpenTelemetry.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .._util.bounded import bounded
from .._util.public import public_in
from .._util.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager
    from contextvars import Token

    # What travels with one message: pairs of a propagator and what it has captured.
    Context: TypeAlias = "tuple[tuple[Propagator, Any], ...]"
    Remove: TypeAlias = Callable[["Propagator", str, Exception], None]


@public_in("events")
class Propagator(Protocol):
    """What carries a value from the sender of a message to its server, see `otp.open_process`."""

    def capture(self) -> Any:
        """Return, in the task that sends a call or cast, what is to travel; None for nothing."""
        ...

    def attach(self, captured: Any) -> AbstractContextManager[object]:
        """Return a block that is open in the task of the server while it handles the message.

        Args:
            captured: what `capture` returned in the task of the sender.
        """
        ...


class VariablePropagator:
    """Carries the value of one context variable."""

    __slots__ = ("_variable",)

    def __init__(self, variable: ContextVar[Any]) -> None:
        self._variable = variable

    def capture(self) -> tuple[Any] | None:
        """Return the value, in a tuple as it may be None; None if it is not set."""
        value = self._variable.get(UNSET)
        return None if value is UNSET else (value,)

    def attach(self, captured: tuple[Any]) -> _Value:
        """Return a block in which the variable has that value."""
        return _Value(self._variable, captured[0])


class _Value:
    """A block in which a variable has a value; a generator would take three times as long."""

    __slots__ = ("_token", "_value", "_variable")

    _token: Token[Any]

    def __init__(self, variable: ContextVar[Any], value: object) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._token)


@public_in("events")
class StructlogPropagator:
    """Carries what `structlog.contextvars.bind_contextvars` has bound, as the id of a request.

    So a server's own records have it, and those about it, as of its crash. It needs structlog,
    which is imported when this is made.

    Raises:
        ImportError: structlog is not installed.

    >>> import structlog, trio, trio_otp as otp
    >>> class Shop(otp.GenServer):
    ...     @otp.on_call
    ...     def buy(self) -> dict[str, object]:
    ...         return structlog.contextvars.get_contextvars()
    >>> async def main():
    ...     carried = [otp.events.StructlogPropagator()]
    ...     async with otp.open_supervisor([otp.child(Shop).having(name=Shop)], propagate=carried):
    ...         with structlog.contextvars.bound_contextvars(request_id="r-1"):
    ...             print(await Shop.at().buy())
    ...         print(await Shop.at().buy())
    >>> trio.run(main)
    {'request_id': 'r-1'}
    {}

    Follows: structlog's documentation, "Context Variables".
    """

    def __init__(self) -> None:
        try:
            from structlog import contextvars  # noqa: PLC0415 - it is optional
        except ImportError as exc:
            text = "otp.events.StructlogPropagator needs structlog: pip install structlog"
            raise ImportError(text, name="structlog") from exc
        self._structlog: Any = contextvars

    def capture(self) -> Any:
        """Return what is bound; None if nothing is."""
        return self._structlog.get_contextvars() or None

    @contextmanager
    def attach(self, captured: dict[str, Any]) -> Generator[None]:
        """Return a block that binds it while a message is handled, and then what was bound before.

        Args:
            captured: what `capture` returned in the task of the sender.
        """
        tokens = self._structlog.bind_contextvars(**captured)
        try:
            yield
        finally:
            self._structlog.reset_contextvars(**tokens)


def as_propagators(propagate: Iterable[Any]) -> tuple[Propagator, ...]:
    """Return what a user gives as `propagate=`, each as a propagator; refuse anything else.

    Raises:
        TypeError: it is no list, or has something else in it.
    """
    if isinstance(propagate, ContextVar) or hasattr(propagate, "capture"):
        text = f"propagate={bounded(propagate)}: expected a list; write propagate=[...]"
        raise TypeError(text)
    try:
        given = tuple(propagate)
    except TypeError:
        text = f"propagate={bounded(propagate)}: expected a list of variables and propagators"
        raise TypeError(text) from None
    return tuple(_as_propagator(each) for each in given)


def _as_propagator(given: Any) -> Propagator:
    if given.__class__ is ContextVar:
        return _of_variable(given)
    is_class = isinstance(given, type)
    if is_class or not callable(getattr(given, "capture", None)) or not hasattr(given, "attach"):
        text = f"propagate=[{bounded(given)}]: expected a ContextVar, or an object with capture()"
        line = f"; write {given.__name__}()" if is_class and hasattr(given, "capture") else ""
        raise TypeError(f"{text} and attach(captured){line}")
    propagator: Propagator = given
    return propagator


@cache
def _of_variable(variable: ContextVar[Any]) -> Propagator:
    """Return the propagator of a variable; two blocks that name it carry it once."""
    return VariablePropagator(variable)


def capture(propagators: Iterable[Propagator], remove: Remove) -> Context | None:
    """Return what is to travel with a message that this task sends.

    Args:
        propagators: those of the run.
        remove: called with one that raises, in which method, and what.
    """
    captured: list[tuple[Propagator, Any]] = []
    for propagator in propagators:
        try:
            value = propagator.capture()
        except Exception as exc:
            remove(propagator, "capture", exc)
        else:
            if value is not None:
                captured.append((propagator, value))
    return tuple(captured) or None


class Attached:
    """What has travelled with a message, in the task that handles it, until `detach`.

    Args:
        context: what has travelled.
        remove: as of `capture`.
    """

    __slots__ = ("_blocks", "_remove")

    def __init__(self, context: Context, remove: Remove) -> None:
        self._remove = remove
        self._blocks: list[tuple[Propagator, AbstractContextManager[object]]] = []
        for propagator, captured in context:
            try:
                block = propagator.attach(captured)
                block.__enter__()
            except Exception as exc:
                remove(propagator, "attach", exc)
            else:
                self._blocks.append((propagator, block))

    def detach(self) -> None:
        """Close the blocks, the last one first.

        None of them gets the error of a handler: one that raised it again would tie it to what the
        process ends with.
        """
        while self._blocks:
            propagator, block = self._blocks.pop()
            try:
                block.__exit__(None, None, None)
            except Exception as exc:
                self._remove(propagator, "attach", exc)
