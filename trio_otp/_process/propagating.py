"""The propagators of a run: what a block adds to them while it is open, and what they capture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .._exits.errors import NotInRun
from .runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import ContextVar

    from ..events import Propagator
    from ..events.propagation import Context

    Propagate: TypeAlias = Iterable[ContextVar[Any] | Propagator]


def start_propagating(propagate: Propagate) -> Callable[[], object]:
    """Carry these along with all messages of the run; return what ends that.

    Raises:
        TypeError: it is no list, or one of them carries nothing.
    """
    if propagate == ():
        return _nothing
    from ..events.propagation import as_propagators  # noqa: PLC0415 - few programs propagate

    propagators, events = as_propagators(propagate), runtime().events
    events._propagate(propagators)
    return partial(events._stop_propagating, propagators)


def _nothing() -> None:
    """End nothing."""


def carried() -> Context | None:
    """Return what is to travel with a cast that this task makes; None if nothing is."""
    try:
        return runtime().events._capture()
    except NotInRun:  # it is only made, not sent
        return None
