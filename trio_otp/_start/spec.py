"""What is to be started: what a process runs, and its options as a child."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._util.bounded import Printable
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._behaviour.backoff import BackoffOption
    from .._behaviour.child_options import ChildType, Restart, ShutdownOption
    from .._process.bounded_mailbox import BoundedMailbox
    from .._process.process import Process


@public
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChildSpec(Printable):
    """What a supervisor knows of a child, with every default filled in.

    Args:
        id: what the child is called inside its supervisor.
        name: the name it registers, if any.
        restart: `permanent` always, `transient` after a crash, `temporary` never.
        shutdown: seconds it gets to end; `brutal_kill` kills at once; None waits for ever.
        significant: whether its end can end the supervisor, see `auto_shutdown`.
        timeout: seconds its init may take; None for ever.
        type: `worker` or `supervisor`.
        debug: what of `otp.sys` is on from the start.
        backoff: how its restarts are delayed; None if they are not, `supervisor` if as its
            supervisor says.
        mailbox: its bound; None for a mailbox without one.
        skip_abandoned: whether calls whose callers have given up are left unhandled.
    """

    id: Any
    name: Any = None
    restart: Restart = "permanent"
    shutdown: ShutdownOption = 5.0
    significant: bool = False
    timeout: float | None = None
    type: ChildType = "worker"
    debug: tuple[Any, ...] = ()
    backoff: BackoffOption = "supervisor"
    mailbox: BoundedMailbox | None = None
    skip_abandoned: bool = False


PLAIN: Final = ChildSpec(id=None)  # of what is not a child


class Runnable:
    """What a process runs: a body, or a behaviour with what makes its instance."""

    __slots__ = ("behaviour", "body", "label", "make")

    def __init__(
        self, label: str, body: Callable[[Process], Awaitable[object]] | None = None
    ) -> None:
        self.label: str = label
        self.body: Callable[[Process], Awaitable[object]] | None = body  # None for a behaviour
        self.behaviour: type[Any] | None = None
        self.make: Callable[[], Any] | None = None
