"""The propagators of a run: what a block adds to them while it is open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import ContextVar

    from ..events import Propagator

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
