"""Look at the processes of the running program from outside: how many, which, what each is doing.

Nothing here waits or asks the process, so a process that is stuck is shown as well as any other.
Follows: Erlang's `processes/0` and `process_info/1`, and the picture of its `observer`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .._behaviour.messages import content_of, shown_message_of
from .._port.port import Port
from .._process.names import find_even_exiting, no_process
from .._process.runtime import running_task, runtime
from .._process.stack import running_frames, stack_of
from .._process.status import NOT_SHOWN, takes_status
from .._process.wait_edges import awaited
from .._supervisor.loop import SupervisorBehaviour
from .._util.public import public
from .._util.unset import UNSET
from .info import ProcessInfo, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process
    from .._supervisor.data import Slot
    from .._supervisor.loop import SupervisorLoop


def _shown(message: object, instance: object) -> str | None:
    """Render the message in hand, unless its server decides what is shown of it."""
    return shown_message_of(message, NOT_SHOWN if takes_status(instance) else content_of(message))


@public
def process_count() -> int:
    """Count the processes of this run, those that are about to die as well.

    Follows: `:erlang.system_info(:process_count)`.
    """
    return len(runtime().processes)


@public
def processes() -> list[Pid]:
    """List the processes of this run, oldest first. Follows: `Process.list/0`."""
    return [process.pid for process in runtime().processes.values()]


@public
def process_info(ref: Ref) -> ProcessInfo:
    """Return what is known of a process, without asking it.

    Args:
        ref: the process, also one that is about to die.

    Raises:
        NoProcess: nobody is behind the reference.
        TypeError: it is none.

    Follows: `Process.info/1`.
    """
    process = need_even_exiting(ref)
    return info_of(process, _shown(process.current, process.instance))


def info_of(process: Process, message: str | None) -> ProcessInfo:
    """Return what is known of a process.

    Any thread may ask: no table is walked while it may change, and no code of a user runs.

    Args:
        process: also one that is exiting.
        message: what is shown of the message in hand, since to render it is code of its class.
    """
    # A thread may ask while all of this changes: each attribute is read once, each table copied.
    loop = loop_of(process)
    slot = slot_of(process)
    instance = process.instance
    return ProcessInfo(
        pid=process.pid,
        name=process.name,
        label=process.label,
        behaviour=process.behaviour,
        status=status_of(process),
        started=process.extras.started,
        parent=_pid(process.parent),
        supervisor=_pid(process.supervisor),
        child_id=None if slot is None else slot.spec.id,
        restarts=0 if slot is None else slot.restarts,
        ancestors=process.ancestors,
        callers=process.callers,
        links=tuple(peer.pid for peer in tuple(process.links or ())),
        monitors=tuple(monitor.what for monitor in tuple(process.monitors or ())),
        monitored_by=tuple(each.watcher.pid for each in tuple(process.monitored_by or ())),
        trap_exit=process.trap_exit,
        message_queue_len=len(process.mailbox),
        unanswered=len(process.requests or ()),
        handled=process.messages_handled,
        message=message,
        seconds=0.0 if process.current is UNSET else process.runtime.now() - process.since,
        waits_for=_pid(awaited(process)),
        dictionary=tuple(process.dictionary or ()),
        stack=tuple(_stack(process)),
        summary=None if loop is None else loop.summary,
        history=() if loop is None else tuple(loop.reports.history),
        os_pid=instance.os_pid if isinstance(instance, Port) else None,
        thread=process.extras.thread,
    )


def need_even_exiting(ref: object) -> Process:
    """Return the process behind a reference, also if it is exiting, or raise `NoProcess`."""
    process = find_even_exiting(ref)
    if process is None or process.is_remote:
        raise no_process(ref)
    return process


def status_of(process: Process) -> Status:
    """Return in a word what a process is doing."""
    if process.is_exiting or process.terminate_scope is not None:
        return "exiting"
    if process.starting is not None:
        return "starting"
    if process.waits_for is not None:
        return "waiting"
    if process.extras.suspended:
        return "suspended"
    if process.current is not UNSET:
        return "handling"
    plain = process.behaviour is None or process.extras.thread is not None
    return "running" if plain else "idle"


def loop_of(process: Process | None) -> SupervisorLoop[Any] | None:
    """Return the inside of a supervisor; None of any other process."""
    instance = None if process is None else process.instance
    return instance.loop if isinstance(instance, SupervisorBehaviour) else None


def slot_of(process: Process) -> Slot | None:
    """Return what its supervisor knows of a process; None if it has none, or is starting."""
    loop = loop_of(process.supervisor)
    return None if loop is None else loop.slot_of(process.pid)


def _pid(process: Process | None) -> Pid | None:
    return None if process is None else process.pid


def _stack(process: Process) -> Iterator[str]:
    frames = (
        _own_frames(process) if process.task is running_task(process.runtime) else stack_of(process)
    )
    for frame, line in frames:
        yield f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"


def _own_frames(process: Process) -> list[tuple[FrameType, int]]:
    """List the frames of the task that runs this: Trio can list those of waiting tasks only."""
    assert process.task is not None
    frames = running_frames(process.task, sys._getframe(), process.runtime.turn)
    return [each for each in frames if each[0].f_code.co_filename != __file__][::-1]
