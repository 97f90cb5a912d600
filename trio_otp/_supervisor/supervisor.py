"""Supervisor: starts its children in order, restarts them by its strategy, stops them in reverse.

**Why.** A crashed task takes its nursery along. A supervisor confines the damage: it starts the
part that failed anew, from a state known to be good, with those that depend on it; if that does not
help it gives up, and the next one above decides.

**Client side** are the functions of `management`: `otp.which_children`, `start_child`,
`terminate_child`, `restart_child`, `delete_child` and others; each is answered between two events.

**Server side** is a class whose `init` gives `otp.Supervisor.spec(children, strategy=...)`, or the
same as a child: `otp.child(otp.Supervisor, children, strategy=...)`. A child is a class, an async
function or an `otp.child(...)`; its options say when it is restarted and how long it may take to
stop.

**Supervise** it as any other child; its limit to stop is none unless it is given one. Plain Trio
code opens the top one with `otp.open_supervisor`, a whole program with `otp.run`.

**When not to use it.** For tasks that belong to one piece of work and fail with it, a nursery is
right. Children that come and go with the load belong to an `otp.DynamicSupervisor`.

Follows: Elixir's `Supervisor`, Erlang's `supervisor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._exits.errors import SpecError
from .._start.child import Child, as_child
from .._util.bounded import bounded
from .._util.public import public
from .delays import check_backoff
from .flags import AutoShutdown, Strategy, check_flags
from .loop import SupervisorBehaviour
from .static_loop import StaticLoop, SupervisorSpec, new_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from .._behaviour.backoff import Backoff
    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process

__all__ = ["Supervisor", "SupervisorSpec"]


@public
class Supervisor(SupervisorBehaviour):
    """A supervisor of children that are known from the start, in their order.

    Use it as it is, `otp.child(otp.Supervisor, children, strategy=...)`, or subclass it and let
    `init` return `otp.Supervisor.spec(children, strategy=...)`.

    Args:
        children: what to start, in this order; they are stopped in reverse.
        strategy: what is restarted when a child ends: `one_for_one` that child, `one_for_all`
            all, `rest_for_one` that child and those after it.
        max_restarts: how many restarts there may be within `max_seconds`; one more, and the
            supervisor stops its children and ends with SHUTDOWN. None never gives up: then what
            no restart of a child cures goes on failing, and nothing above learns of it; see
            `backoff`.
        max_seconds: that window, a whole number; whole seconds of the clock count.
        auto_shutdown: `never`, or whether the end of `any_significant` child, or of
            `all_significant` ones, ends the supervisor.
        backoff: `otp.Backoff(...)` delays the restarts of all children that have none of their own.

    >>> import trio, trio_otp as otp
    >>> class Cache(otp.GenServer):
    ...     pass
    >>> class Shop(otp.Supervisor):
    ...     def init(self):
    ...         children = [otp.child(Cache).having(name="prices"), otp.child(Cache).having(id=2)]
    ...         return otp.Supervisor.spec(children, strategy="rest_for_one")
    >>> async def main():
    ...     async with otp.open_supervisor([Shop]) as sup:
    ...         print([info.id for info in await otp.which_children(sup)])
    >>> trio.run(main)
    ['Shop']
    """

    def __init__(
        self,
        children: Iterable[Any] = (),
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        auto_shutdown: AutoShutdown = "never",
        backoff: Backoff | None = None,
    ) -> None:
        self._given = Supervisor.spec(
            children,
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown=auto_shutdown,
            backoff=backoff,
        )

    def init(self) -> Any:
        """Return what to supervise; `def` or `async def`.

        Returns:
            `Supervisor.spec(children, strategy=...)`, or IGNORE.
        """
        return self._given

    @staticmethod
    def spec(
        children: Iterable[Any],
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        auto_shutdown: AutoShutdown = "never",
        backoff: Backoff | None = None,
    ) -> SupervisorSpec:
        """Make what `init` returns; the arguments are those of the class.

        Args:
            children: what to start, in this order.
            strategy: `one_for_one`, `one_for_all` or `rest_for_one`.
            max_restarts: how many restarts there may be within `max_seconds`; None never gives up,
                which hides from those above what no restart cures.
            max_seconds: that window, a whole number.
            auto_shutdown: `never`, `any_significant` or `all_significant`.
            backoff: `otp.Backoff(...)` delays the restarts of all children that have none.

        Raises:
            SpecError: a flag or a child is not accepted, or two children have one id; or a back-off
                must exceed the intensity.

        Follows: `Supervisor.init/2`.
        """
        check_flags(strategy, max_restarts, max_seconds, auto_shutdown)
        check_backoff(backoff, max_restarts, max_seconds)
        if isinstance(children, Child) or callable(children):
            raise SpecError(
                f"children={bounded(children)}: expected a list; write [{bounded(children)}]"
            )
        listed = tuple(as_child(child) for child in children)
        spec = SupervisorSpec(listed, strategy, max_restarts, max_seconds, auto_shutdown, backoff)
        new_policy(spec)
        return spec

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return StaticLoop(process).run(make)
