"""Types to annotate fixtures with that are functions: `start_supervised: StartSupervised`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from .._behaviour.behaviour import Behaviour
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._start.child import Child

S = TypeVar("S")
B = TypeVar("B", bound=Behaviour)


@public_in("testing")
class StartSupervised(Protocol):
    """The fixture `start_supervised`, which is `OtpSystem.start_supervised` of the test."""

    @overload
    async def __call__(self, child: Callable[[], B]) -> Pid[B]: ...
    @overload
    async def __call__(self, child: Callable[[], Awaitable[object]]) -> Pid[None]: ...
    @overload
    async def __call__(self, child: Child[S]) -> Pid[S]: ...
    async def __call__(self, child: Any) -> Any:
        """Start a child under the supervisor of the test, which stops it at the end."""
        ...


@public_in("testing")
class StopSupervised(Protocol):
    """The fixture `stop_supervised`, which is `OtpSystem.stop_supervised` of the test."""

    async def __call__(self, ref: Ref) -> None:
        """Stop a child that `start_supervised` has started, and forget it."""
        ...
