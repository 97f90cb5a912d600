"""What happened, as data: the reports that pass through the hook slots and into the log.

Each has a `kind`, which says in a word what it tells of, and `as_dict`, which gives it under the
keys that OTP's reports have. Follows: the reports of Erlang's `gen_server`, `proc_lib` and
`supervisor`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._util.copies import PortableReport
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Mapping

Context: TypeAlias = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class Neighbour(PortableReport):
    """A process that the link to a crashed one is about to end as well.

    Args:
        pid: the process.
        name: its local name, None if it has none.
        initial_call: its class or function.
        message_queue_len: messages that wait in its mailbox.
        links: whom it is linked to.
        place: where its task waits, `file:line in function`; None if that is not known.
    """

    pid: Any
    name: object
    initial_call: str
    message_queue_len: int
    links: tuple[object, ...]
    place: str | None

    def as_dict(self) -> dict[str, object]:
        """Return it under OTP's keys."""
        return {
            "pid": self.pid,
            "registered_name": self.name,
            "initial_call": self.initial_call,
            "current_function": self.place,
            "message_queue_len": self.message_queue_len,
            "links": self.links,
            "trap_exit": False,
        }


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class CrashReport(PortableReport):
    """A process ended with a reason that is not quiet: who, why, with what in hand.

    It is both of OTP's reports, that of the behaviour and that of `proc_lib`: they say the same.

    Args:
        pid: the process; None for a callback of an application.
        name: its local name, None if it has none.
        label: what its pid is shown as.
        reason: why, most often an exception.
        last_message: the message it had in hand, as text.
        state: its state, as text.
        client: who waits for the answer, if that message is a call.
        client_place: where that client waits, `file:line in function`.
        handled: messages it has handled.
        queue_len: messages that wait in its mailbox.
        ancestors: who started it, its starter first.
        links: whom it is linked to.
        log: the last events, if `otp.sys.log` keeps them, oldest first.
        callers: on whose behalf it runs, the nearest first.
        behaviour: what kind of process it is: `GenServer`, `Process` and so on.
        initial_call: its class or function.
        dictionary: the keys of its dictionary.
        trap_exit: whether it traps exits.
        metadata: what it has set for its log records.
        neighbours: processes that end with it because of their links, at most twenty.
        traceback: that of a reason that is kept out of the log, with its class and its frames.
        place: file, line and function of that.
    """

    pid: Any
    name: object
    label: str
    reason: object
    last_message: str | None = None
    state: str | None = None
    client: str | None = None
    client_place: str | None = None
    handled: int = 0
    queue_len: int = 0
    ancestors: tuple[object, ...] = ()
    links: tuple[object, ...] = ()
    log: tuple[object, ...] = ()
    callers: tuple[object, ...] = ()
    behaviour: str = "Process"
    initial_call: str = ""
    dictionary: tuple[object, ...] = ()
    trap_exit: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    neighbours: tuple[Neighbour, ...] = ()
    traceback: str | None = None
    place: tuple[str, int, str] | None = None

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return "crash"

    def as_dict(self) -> dict[str, object]:
        """Return it under the keys of OTP's reports of a server and of `proc_lib`."""
        return {
            "initial_call": self.initial_call,
            "pid": self.pid,
            "registered_name": self.name,
            "error_info": self.reason,
            "ancestors": self.ancestors,
            "message_queue_len": self.queue_len,
            "links": self.links,
            "dictionary": self.dictionary,
            "trap_exit": self.trap_exit,
            "neighbours": tuple(each.as_dict() for each in self.neighbours),
            "last_message": self.last_message,
            "state": self.state,
            "client_info": self.client,
        }


def _child(
    pid: object, child_id: object, child: Any, restart: str, shutdown: object
) -> dict[str, object]:
    """Describe a child as OTP's supervisor reports do."""
    return {
        "pid": pid,
        "id": child_id,
        "mfargs": None if child is None else (child.target, child.args, child.kwargs),
        "restart_type": restart,
        "significant": False if child is None else child.spec.significant,
        "shutdown": shutdown,
        "child_type": "worker" if child is None else child.spec.type,
    }


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class SupervisorReport(PortableReport):
    """What a supervisor has to tell; `context` is one of OTP's four.

    Args:
        supervisor: its pid.
        context: `start_error`, a child did not start; `child_terminated`, it ended;
            `shutdown_error`, it did not end as it was asked to; `shutdown`, it ended once too
            often and the supervisor gives up.
        reason: why the child ended or did not start.
        child_id: what the supervisor calls it.
        pid: the child, None if it did not start.
        restart: its restart type.
        shutdown: the seconds it gets to end, or `brutal_kill`, or None.
        history: with `shutdown`, `(time, child id, reason)` of the last ends.
        child: its `otp.Child`.
        restart_in: the seconds by which a back-off delays its restart, if one does.
    """

    supervisor: object
    context: Context
    reason: object
    child_id: object
    pid: Any = None
    restart: str = ""
    shutdown: object = None
    history: tuple[tuple[float, object, object], ...] = ()
    child: Any = field(default=None, compare=False, repr=False)
    restart_in: float | None = None

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return f"supervisor.{self.context}"

    def as_dict(self) -> dict[str, object]:
        """Return it under OTP's keys, and `restart_in`, which OTP has not, if it is delayed."""
        delay = {} if self.restart_in is None else {"restart_in": self.restart_in}
        gave_up = self.context == "shutdown"
        return {
            "supervisor": self.supervisor,
            "errorContext": self.context,
            "reason": "reached_max_restart_intensity" if gave_up else self.reason,
            "offender": _child(self.pid, self.child_id, self.child, self.restart, self.shutdown),
            **delay,
        }


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class ProgressReport(PortableReport):
    """A supervisor has started a child.

    Args:
        supervisor: the pid of the supervisor.
        child_id: the id of the child.
        pid: its process.
        child: its specification.
    """

    supervisor: object
    child_id: object
    pid: Any
    child: Any = field(default=None, compare=False, repr=False)

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return "supervisor.progress"

    def as_dict(self) -> dict[str, object]:
        """Return it under OTP's keys."""
        spec = None if self.child is None else self.child.spec
        restart, shutdown = ("", None) if spec is None else (spec.restart, spec.shutdown)
        started = _child(self.pid, self.child_id, self.child, restart, shutdown)
        return {"supervisor": self.supervisor, "started": started}


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class ApplicationReport(PortableReport):
    """An application has started or ended; `phase` says which.

    Args:
        application: its name.
        phase: whether it has started, was stopped, or has ended by itself.
        reason: the exit reason; None if it has started.
    """

    application: str
    phase: Literal["started", "stopped", "exited"]
    reason: object = None

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return f"application.{self.phase}"

    def as_dict(self) -> dict[str, object]:
        """Return it under OTP's keys."""
        if self.phase == "started":
            return {"application": self.application, "started_at": "nonode@nohost"}
        why = "stopped" if self.phase == "stopped" else self.reason
        return {"application": self.application, "exited": why}


@public_in("events")
@dataclass(frozen=True, slots=True, repr=False)
class NoticeReport(PortableReport):
    """What a person should know and is no crash: an unknown message, a stuck child.

    Args:
        pid: the process that it is about.
        text: what has happened.
        level: that of the record in the log, as of `logging`.
        detail: more about it, by name.
    """

    pid: Any
    text: str
    level: int = logging.ERROR
    detail: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def kind(self) -> str:
        """Return in a word what this tells of."""
        return "notice"

    def as_dict(self) -> dict[str, object]:
        """Return it as a dict."""
        return {"pid": self.pid, "text": self.text, **self.detail}


Report: TypeAlias = (
    CrashReport | SupervisorReport | ProgressReport | ApplicationReport | NoticeReport
)
