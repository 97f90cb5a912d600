"""What is known of a process: what it runs, where it lives, who hears of its end, how it ends.

Others ask the predicates and call the methods here rather than write the attributes; only the loop
of a server writes what it is doing, and reads `pending_exit`, for each message.

It is long because it is all of these methods: each is short, and none is needed without the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias

from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import ServerExited
from .._util.copies import Handle, create
from .._util.unset import UNSET
from .mailbox import Mailbox
from .pid import Pid
from .tables import packed, with_key, without_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from .._exits.call_errors import CallError
    from .debug import Debug
    from .nursery import OrderedNursery
    from .process import Process
    from .request import From
    from .runtime import Runtime
    from .signals import Exit, Monitor
    from .tables import Keys
    from .timers import Timer
    from .wait_edges import AnyOf

Callback: TypeAlias = "Callable[[Process], object]"


class Starting(Protocol):
    """A start that waits for the init of a process."""

    ignored: bool  # init does not want the process to run

    def ack(self) -> None:
        """Take note that init is over."""

    def failed(self, process: Process, reason: object) -> None:
        """Take note that the process died in init."""


class Extras:
    """What few processes have; the others share one of these, which is never written."""

    __slots__ = (
        "first_label",
        "followers",
        "metadata",
        "put_off",
        "retired",
        "skip_abandoned",
        "started",
        "suspended",
        "thread",
        "watch_idle",
    )

    def __init__(self) -> None:
        self.first_label: str | None = None  # if it has another label by now
        self.started: object = None  # what it told its starter
        self.thread: int | None = None  # the worker thread that runs its function, if one does
        # Told when its init is over, when it runs another instance, and of events of a supervisor
        self.followers: Keys[Callable[[], object]] = None
        self.retired: bool = False  # it stops what lives in it, and then dies
        self.suspended: bool = False  # by `otp.sys`
        self.skip_abandoned: bool = False  # it leaves calls unhandled whose callers have given up
        self.metadata: dict[str, object] | None = None  # what its log records carry
        # {call whose caller has given up: whether it is put off}; None if nobody wants to know
        self.put_off: dict[From[Any], bool] | None = None
        # Called at the end of each call and receive, while somebody waits until it is idle
        self.watch_idle: Callable[[], object] | None = None


NO_EXTRAS: Final = Extras()


class ProcessState(Handle):
    """What is known of a process: the attributes of a `Process`, in groups, and what asks them."""

    __slots__ = (
        "ancestors",
        "behaviour",
        "body",
        "callers",
        "children",
        "cleanups",
        "current",
        "dead",
        "debug",
        "dictionary",
        "extras",
        "instance",
        "lineage",
        "links",
        "mailbox",
        "make",
        "messages_handled",
        "monitored_by",
        "monitors",
        "name",
        "nursery",
        "parent",
        "pending_exit",
        "pid",
        "requests",
        "runs_terminate",
        "runtime",
        "scope",
        "serves",
        "shutdown",
        "since",
        "starting",
        "stop_message",
        "supervisor",
        "task",
        "terminate_scope",
        "timers",
        "trap_exit",
        "waits_for",
        "watchers",
    )

    is_remote: ClassVar[bool] = False  # whether it stands for a process of another node

    def __init__(
        self,
        runtime: Runtime,
        nursery: OrderedNursery,
        body: Callable[[Process], Awaitable[object]] | None,
        label: str,
    ) -> None:
        self.runtime: Runtime = runtime
        this: Any = self  # a `Process`, which is the only class of this kind
        self.pid: Pid = create(Pid, runtime.next_id(), label, this)  # which has its label, too
        self.name: object = None  # its local name
        self.mailbox: Mailbox = Mailbox()
        # What it runs.
        self.body: Callable[[Process], Awaitable[object]] | None = body  # None for a behaviour
        self.make: Callable[[], Any] | None = None  # its instance, of a behaviour
        self.behaviour: type[Any] | None = None  # the class, None for a plain process
        self.instance: Any = None
        self.task: trio.lowlevel.Task | None = None
        self.scope: trio.CancelScope | None = None  # once the task has entered one
        # Where it lives, and whose it is.
        self.nursery: OrderedNursery = nursery
        self.children: OrderedNursery | None = None  # where its children live, if it hosts
        self.parent: Process | None = None
        self.supervisor: Process | None = None
        self.ancestors: tuple[object, ...] = ()
        self.lineage: tuple[object, ...] | None = None  # the ancestors of those it starts
        self.callers: tuple[Pid, ...] = ()  # of a task, on whose behalf it runs
        self.starting: Starting | None = None  # until init is over
        # Who hears of its end, in the order in which they are told, and what else is cleaned up.
        self.requests: dict[From[Any], None] | None = None  # calls to it that wait for an answer
        self.links: Keys[Process] = None
        self.monitored_by: Keys[Monitor] = None
        self.monitors: Keys[Monitor] = None  # those it has set on others
        self.watchers: Keys[Callback] = None  # of the library; told after the monitors
        self.cleanups: Keys[Callback] = None  # of registries; before anyone is told
        self.timers: Keys[Timer] = None  # that end with it
        # How it ends.
        self.trap_exit: bool = False
        self.shutdown: float | None = 5.0  # seconds it gets when its nursery closes; None: for ever
        self.pending_exit: object = UNSET  # the reason, once an exit signal is on its way
        self.runs_terminate: bool = False  # a supervisor asked for the end: `terminate` still runs
        self.terminate_scope: trio.CancelScope | None = None  # set while `terminate` runs in it
        self.stop_message: Exit | None = None  # what asked it to end, as it traps exits
        self.dead: bool = False  # then `pending_exit` is the reason of its end
        # What it is doing.
        self.serves: bool = False  # whether it waits, and may handle a call in its caller's turn
        self.current: object = UNSET  # message in hand
        self.since: float = 0.0  # and since when
        self.messages_handled: int = 0
        # The wait-for edges of the deadlock check: to one process, to several that are to end, or
        # to those of whom any will do.
        self.waits_for: Process | dict[Process, None] | AnyOf | None = None
        self.debug: Debug | None = None  # what watches it, if anything does
        self.dictionary: dict[object, Any] | None = None  # of its user
        self.extras: Extras = NO_EXTRAS  # read here, written by `own_extras`

    def __repr__(self) -> str:
        return f"<Process {self.pid!r}>"

    @property
    def label(self) -> str:
        """What its pid is shown as."""
        return self.pid._label

    @label.setter
    def label(self, label: str) -> None:
        self.own_extras().first_label = self.first_label
        self.pid._label = label

    @property
    def first_label(self) -> str:
        """What its pid was shown as at first: the function or class that it runs."""
        first = self.extras.first_label
        return self.label if first is None else first

    @property
    def hosts(self) -> bool:
        """Whether it owns a nursery for its children."""
        return self.behaviour is not None and bool(self.behaviour.hosts_children)

    def own_extras(self) -> Extras:
        """Return the extras of this process alone, to write one of them."""
        if self.extras is NO_EXTRAS:
            self.extras = Extras()
        return self.extras

    # -- exit state ------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether it is neither dead nor exiting."""
        return self.pending_exit is UNSET

    @property
    def is_exiting(self) -> bool:
        """Whether an exit signal is on its way, or has ended it."""
        return self.pending_exit is not UNSET

    @property
    def may_terminate(self) -> bool:
        """Whether `terminate` runs at its end: not for an exit signal that nobody planned."""
        return self.pending_exit is UNSET or self.runs_terminate

    @property
    def is_interrupted(self) -> bool:
        """Whether it is being cancelled, so that whatever it waits for is over."""
        return self.dead or (self.pending_exit is not UNSET and self.terminate_scope is None)

    def is_stop_message(self, message: Exit) -> bool:
        """Check whether it is the exit signal of its parent, or what it was asked to stop with."""
        parent = self.parent
        return message is self.stop_message or (parent is not None and message.pid is parent.pid)

    @property
    def exit_reason(self) -> object:
        """The reason of its end; `UNSET` before that."""
        return self.pending_exit if self.dead else UNSET

    def incarnation(self) -> Process:
        """Return what dies when this process does, for who waits for that: itself.

        It is to be released when nobody waits for it any more.
        """
        this: Any = self
        found: Process = this
        return found

    def release(self) -> None:
        """Take note that who has asked for its incarnation waits no more."""

    def error_of_end(self, ref: object, reason: object) -> CallError:
        """Return the error of who stopped it and finds that it has ended with this reason."""
        return ServerExited(ref, reason)

    # -- what it runs ----------------------------------------------------------------------------

    @enable_ki_protection
    def become(self, instance: object, behaviour: type[object] | None = None) -> None:
        """Run this instance from now on, as one of this behaviour if that is another one."""
        self.instance = instance
        if behaviour is not None:
            self.behaviour = behaviour
        if self.extras.followers is not None:
            self.tell_followers()

    def take_up(self, message: object) -> None:
        """Have a message in hand from now on, as reports and `process_info` show it.

        The loops of servers, machines and supervisors set both attributes themselves: a call more
        for each message is what all messages would pay for.
        """
        self.current, self.since = message, self.runtime.now()

    def put_down(self) -> None:
        """Have no message in hand any more."""
        self.current = UNSET

    def work_for(self, callers: tuple[Pid, ...]) -> None:
        """Run on behalf of these processes, the nearest first."""
        self.callers = callers

    # -- links, monitors and what else is told ---------------------------------------------------

    @enable_ki_protection
    def add_link(self, other: Process) -> None:
        """Link it with another process; once is enough."""
        self.links = with_key(self.links, other)
        this: Any = self
        other.links = with_key(other.links, this)

    @enable_ki_protection
    def remove_link(self, other: Process | None) -> None:
        """Remove the link between it and another process, if there is one."""
        if other is not None:
            self.links = without_key(self.links, other)
            this: Any = self
            other.links = without_key(other.links, this)

    @enable_ki_protection
    def add_monitor(self, monitor: Monitor) -> None:
        """Add a monitor, whose watcher gets a Down at the end of this process."""
        this: Any = self
        monitor.target = this
        self.monitored_by = with_key(self.monitored_by, monitor)
        watcher = monitor.watcher
        watcher.monitors = with_key(watcher.monitors, monitor)

    @enable_ki_protection
    def remove_monitor(self, monitor: Monitor) -> None:
        """Remove a monitor: its watcher gets no Down."""
        monitor.target = None  # who keeps the monitor does not keep the dead
        self.monitored_by = without_key(self.monitored_by, monitor)
        watcher = monitor.watcher
        watcher.monitors = without_key(watcher.monitors, monitor)

    @enable_ki_protection
    def add_request(self, request: From[Any]) -> None:
        """Record a call that is to be answered, by the end of this process at the latest."""
        if self.requests is None:
            self.requests = {}
        self.requests[request] = None

    @enable_ki_protection
    def add_watcher(self, watcher: Callback) -> None:
        """Call a function at its end, when links and monitors have been told."""
        self.watchers = with_key(self.watchers, watcher)

    @enable_ki_protection
    def remove_watcher(self, watcher: Callback) -> None:
        """Forget a function that `add_watcher` was given."""
        self.watchers = without_key(self.watchers, watcher)

    @enable_ki_protection
    def add_follower(self, follower: Callable[[], object]) -> None:
        """Call a function, which must not raise, when the visible state of the process changes."""
        extras = self.own_extras()
        extras.followers = with_key(extras.followers, follower)

    @enable_ki_protection
    def remove_follower(self, follower: Callable[[], object]) -> None:
        """Forget a function that `add_follower` was given."""
        extras = self.own_extras()
        extras.followers = without_key(extras.followers, follower) or None

    @enable_ki_protection
    def tell_followers(self) -> None:
        """Notify the followers that the visible state may have changed."""
        for follower in list(self.extras.followers or ()):
            follower()

    @enable_ki_protection
    def add_cleanup(self, cleanup: Callback) -> None:
        """Call a function at its end, before anybody is told of that."""
        self.cleanups = with_key(self.cleanups, cleanup)

    @enable_ki_protection
    def remove_cleanup(self, cleanup: Callback) -> None:
        """Forget a function that `add_cleanup` was given."""
        self.cleanups = without_key(self.cleanups, cleanup)

    @enable_ki_protection
    def add_timer(self, timer: Timer) -> None:
        """Cancel a timer at its end."""
        self.timers = with_key(self.timers, timer)

    @enable_ki_protection
    def remove_timer(self, timer: Timer) -> None:
        """Forget a timer that is over."""
        self.timers = without_key(self.timers, timer)

    @enable_ki_protection
    def pack(self) -> None:
        """Pack its tables, so that they take little room until they are used again."""
        self.requests = self.requests or None
        self.links = packed(self.links)
        self.monitored_by = packed(self.monitored_by)
        self.monitors = packed(self.monitors)
        self.watchers = packed(self.watchers)
        self.cleanups = packed(self.cleanups)
        self.timers = packed(self.timers)
