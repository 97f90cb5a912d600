"""The data of supervisors: children, what management calls return, messages to themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from .._exits.reasons import Internal
from .._process.doing import Named
from .._process.mailbox import SystemMessage
from .._util.bounded import Printable, bounded
from .._util.public import public
from .._util.shown import Shown

if TYPE_CHECKING:
    import trio

    from .._behaviour.child_options import ChildType
    from .._process.pid import Pid
    from .._process.process import Process
    from .._start.child import Child
    from .._start.spec import ChildSpec
    from .._util.blocks import Table
    from .delays import Wait


Status = Literal["running", "restarting", "undefined"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)


@public
@dataclass(frozen=True, slots=True, repr=False)
class ChildInfo(Printable):
    """One line of `which_children`.

    Args:
        id: what the supervisor calls it; None in a dynamic supervisor.
        pid: the process, None if it does not run.
        status: `running`, `restarting` or `undefined`, OTP's word for down.
        type: `worker` or `supervisor`.
        restarts: how often it was started again after an end.
        restart_in: while a back-off delays its restart, the seconds that are left.
    """

    id: Any
    pid: Pid | None
    status: Status
    type: ChildType
    restarts: int = 0
    restart_in: float | None = None


class Children(Shown, list[ChildInfo]):
    """The list that `which_children` gives; a notebook shows it as a table."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[list[ChildInfo]], tuple[list[ChildInfo]]]:
        return list, (list(self),)

    def _shown(self) -> Table:
        from .._util.blocks import Table  # noqa: PLC0415 - shells of IPython need it

        rows = [
            (
                "" if each.id is None else bounded(each.id),
                "" if each.pid is None else repr(each.pid),
                each.type,
                each.status + ("" if each.restart_in is None else f" in {each.restart_in:.3g} s"),
                str(each.restarts),
            )
            for each in self
        ]
        return Table(("id", "pid", "type", "status", "#restarts"), rows)


@public
@dataclass(frozen=True, slots=True)
class Counts:
    """How many specifications and living children, and of which type: of `count_children`.

    Args:
        specs: child specifications, also of children that do not run.
        active: children that run.
        supervisors: children that are supervisors, whether they run or not.
        workers: all other children, whether they run or not.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


@dataclass(slots=True, repr=False)
class ManagementCommand(Named):
    """A management call on its way: a key of the table `commands` of the loop, its argument."""

    name: str
    argument: Any = None
    void: bool = False  # the caller of a start was cancelled: what has begun is taken back
    over: trio.Event | None = None  # set when that is done, if the caller waits for it

    def __repr__(self) -> str:
        argument = "" if self.argument is None else bounded(self.argument)
        return f"{self.name}({argument})"

    def called(self) -> str:
        """Return the function that sends it."""
        return f"{self.name}()"


@dataclass(frozen=True, slots=True)
class RetryLater(SystemMessage):
    """A supervisor's reminder to itself that a restart has failed."""

    key: Any
    reason: object


@dataclass(frozen=True, slots=True)
class RestartDue(SystemMessage):
    """A supervisor's reminder to itself that a restart has waited for long enough."""

    wait: Wait


class Slot:
    """A child and its present incarnation."""

    __slots__ = ("child", "process", "restarts", "spec")

    def __init__(self, child: Child[Any]) -> None:
        self.child: Child[Any] = child
        self.spec: ChildSpec = child.spec
        self.process: Process | None = None
        self.restarts: int = 0

    def change(self, child: Child[Any]) -> None:
        """Take another specification, for the next start and the next end."""
        self.child = child
        self.spec = child.spec

    @property
    def pid(self) -> Pid | None:
        """The process that runs, if any."""
        return None if self.process is None else self.process.pid

    def info(self, status: Status, child_id: object, restart_in: float | None = None) -> ChildInfo:
        """Describe it."""
        pid = self.pid if status == "running" else None
        return ChildInfo(child_id, pid, status, self.spec.type, self.restarts, restart_in)


class Ending(Internal, Exception):
    """Leaves the loop of a supervisor: it stops its children and ends with `reason`."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason
