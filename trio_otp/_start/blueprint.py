"""What there is to say about a process, however it is started and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._process.process import Process


class Blueprint:
    """What a process runs, and its options as a child with every default filled in."""

    __slots__ = (
        "behaviour",
        "body",
        "debug",
        "id",
        "label",
        "make",
        "name",
        "restart",
        "shutdown",
        "significant",
        "timeout",
        "type",
    )

    def __init__(
        self, label: str, body: Callable[[Process], Awaitable[object]] | None = None
    ) -> None:
        self.label: str = label
        self.body: Callable[[Process], Awaitable[object]] | None = body  # None for a behaviour
        self.behaviour: type[Any] | None = None
        self.make: Callable[[], Any] | None = None  # the instance of a behaviour
        # as of `ChildSpec`
        self.id: Any = None
        self.name: Any = None
        self.restart: Any = "permanent"
        self.shutdown: Any = 5.0
        self.significant: bool = False
        self.timeout: float | None = None
        self.type: Any = "worker"
        self.debug: tuple[Any, ...] = ()
