"""DynamicSupervisor: children that are started on demand, in any number, independent of each other.

**Why.** A session, a connection, a job: nobody knows at the start which there will be, and one that
fails is none of the others' business.

**Client side** `otp.start_child(ref, child)` gives the pid, by which `otp.terminate_child` knows
it; `otp.ensure_child` finds or starts one by its name. Those that have ended are forgotten.

**Server side** there is nothing to write: `max_children`, `max_restarts` and `max_seconds` are
arguments, and a child brings its own options.

**Supervise** it as any other child. Its children are stopped all at once, each within its own
limit.

**When not to use it.** If the children are known beforehand, or depend on each other's order, list
them with an `otp.Supervisor`. For work that ends by itself there is `otp.TaskSupervisor`.

Follows: Elixir's `DynamicSupervisor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._exits.errors import SpecError
from .._util.bounded import bounded
from .._util.checks import check_whole
from .._util.public import public
from .delays import check_backoff
from .dynamic_loop import DynamicLoop, DynamicSupervisorSpec
from .flags import AutoShutdown, check_intensity
from .loop import SupervisorBehaviour
from .template import check_template

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.backoff import Backoff
    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._start.child import Child


@public
class DynamicSupervisor(SupervisorBehaviour):
    """A supervisor that starts empty; `otp.start_child` adds children.

    Use it as it is, `otp.child(otp.DynamicSupervisor, max_children=100)`, or subclass it and let
    `init` return `otp.DynamicSupervisor.spec(...)`.

    Args:
        max_children: how many children it may have; None for any number.
        max_restarts: how many restarts there may be within `max_seconds`; one more, and the
            supervisor stops its children and ends with SHUTDOWN. None never gives up: then what
            no restart of a child cures goes on failing, and nothing above learns of it; see
            `backoff`.
        max_seconds: that window, a whole number; whole seconds of the clock count.
        extra_arguments: positional arguments put before those of every child.
        template: what every child is, as `otp.template` gives it, but for the arguments that
            `start_child` adds.
        auto_shutdown: with a template whose children are significant, whether the end of any of
            them, or of all, ends the supervisor. See `otp.Supervisor`.
        backoff: `otp.Backoff(...)` delays the restarts of all children that have none of their own.

    >>> import trio, trio_otp as otp
    >>> class Session(otp.GenServer, restart="temporary"):
    ...     def __init__(self, user: str) -> None:
    ...         self.user = user
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="s")]):
    ...         await otp.start_child("s", otp.child(Session, "ada"))
    ...         await otp.start_child("s", otp.child(Session, "joe"))
    ...         print(await otp.count_children("s"))
    >>> trio.run(main)
    Counts(specs=2, active=2, supervisors=0, workers=2)
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        extra_arguments: tuple[Any, ...] = (),
        template: Child[Any] | None = None,
        auto_shutdown: AutoShutdown = "never",
        backoff: Backoff | None = None,
    ) -> None:
        self._given = DynamicSupervisor.spec(
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            extra_arguments=extra_arguments,
            template=template,
            auto_shutdown=auto_shutdown,
            backoff=backoff,
        )

    def init(self) -> Any:
        """Return the limits; `def` or `async def`.

        Returns:
            `DynamicSupervisor.spec(...)`, or IGNORE.
        """
        return self._given

    @staticmethod
    def spec(
        *,
        max_children: int | None = None,
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        extra_arguments: tuple[Any, ...] = (),
        template: Child[Any] | None = None,
        auto_shutdown: AutoShutdown = "never",
        backoff: Backoff | None = None,
    ) -> DynamicSupervisorSpec:
        """Make what `init` returns; the arguments are those of the class.

        Args:
            max_children: how many children it may have; None for any number.
            max_restarts: how many restarts there may be within `max_seconds`; None never gives up,
                which hides from those above what no restart cures.
            max_seconds: that window, a whole number.
            extra_arguments: positional arguments put before those of every child.
            template: what every child is, but for the arguments that `start_child` adds.
            auto_shutdown: `never`, `any_significant` or `all_significant`; needs a template.
            backoff: `otp.Backoff(...)` delays the restarts of all children that have none.

        Raises:
            SpecError: one of them is not accepted, or a back-off must exceed the intensity.

        Follows: `DynamicSupervisor.init/1`, `supervisor`, `simple_one_for_one`.
        """
        check_intensity(max_restarts, max_seconds)
        check_backoff(backoff, max_restarts, max_seconds)
        if max_children is not None:
            check_whole("max_children", max_children, 0, error=SpecError)
        extra = tuple(extra_arguments)
        check_template(template, auto_shutdown)
        if template is not None and template.spec.backoff != "supervisor":
            whose = f"template {bounded(template)}: "
            check_backoff(template.spec.backoff, max_restarts, max_seconds, whose)
        return DynamicSupervisorSpec(
            max_children, max_restarts, max_seconds, extra, template, auto_shutdown, backoff
        )

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return DynamicLoop(process).run(make)
