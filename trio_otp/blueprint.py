"""What there is to say about a process, whoever starts it and however often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .process import Process


class Blueprint:
    """What a process runs, and its options as a child with every default filled in.

    The defaults stay with the class: most processes differ from them in few.
    """

    body: Callable[[Process], Awaitable[object]] | None = None  # None for a behaviour
    behaviour: type[Any] | None = None
    make: Callable[[], Any] | None = None  # the instance of a behaviour
    hosts = False
    # as of `ChildSpec`
    id: Any = None
    name: Any = None
    restart: Any = "permanent"
    shutdown: Any = 5.0
    significant = False
    timeout: float | None = None
    type: Any = "worker"
    debug: tuple[Any, ...] = ()

    def __init__(
        self, label: str, body: Callable[[Process], Awaitable[object]] | None = None
    ) -> None:
        self.label = label
        self.body = body

    @property
    def limit(self) -> float | None:
        """The seconds it gets when its nursery closes; None: for ever."""
        return 0.0 if self.shutdown == "brutal_kill" else self.shutdown
