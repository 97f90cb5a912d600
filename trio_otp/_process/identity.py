"""What code may ask of the process it runs in, and of others: pid, label, ancestors, dictionary.

Follows: Elixir's `Process`, `Kernel.self/0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._util.bounded import bounded
from .._util.public import public
from .names import find_living
from .runtime import need_process

if TYPE_CHECKING:
    from .names import Ref
    from .pid import Pid
    from .process import Process


@public
def self() -> Pid:
    """Return the pid of the process this code runs in.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Kernel.self/0`.
    """
    return need_process("otp.self").pid


@public
def dictionary() -> dict[object, Any]:
    """Return the dictionary of the running process, empty at first and inherited by nobody.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Process.put/2`, `Process.get/2`.
    """
    process = need_process("otp.dictionary")
    if process.dictionary is None:
        process.dictionary = {}
    return process.dictionary


@public
def ancestors() -> tuple[object, ...]:
    """List who started this process, its starter first: names where there are, else pids.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `$ancestors` of `proc_lib`.
    """
    return need_process("otp.ancestors").ancestors


@public
def callers() -> tuple[Pid, ...]:
    """List the processes on whose behalf this task runs, the nearest first.

    Only tasks have callers: those that `otp.task` starts, those of a `TaskSupervisor` and of
    `reply_from_task`. A task that a task starts has that and its callers. A server, and what else a
    supervisor starts, has none.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `$callers` of Elixir's Task.
    """
    return need_process("otp.callers").callers


def callers_for(starter: Process | None) -> tuple[Pid, ...]:
    """Return the callers of a task: its starter, and those on whose behalf that runs."""
    return () if starter is None else (starter.pid, *starter.callers)


@public
def set_label(label: str) -> None:
    """Set what the pid of this process is shown as.

    Args:
        label: a short description, for people.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: the label is not a str.

    Follows: `Process.set_label/1`.
    """
    if not isinstance(label, str):
        raise TypeError(f"label={bounded(label)}: expected a str")
    process = need_process("otp.set_label")
    process.label = label


@public
def get_label(ref: Ref) -> str | None:
    """Return the label of a living process; None if nobody is behind the reference.

    Args:
        ref: the process.

    Follows: `:proc_lib.get_label/1`.
    """
    process = find_living(ref)
    return None if process is None else process.label


@public
def is_alive(ref: Ref) -> bool:
    """Check whether a living process is behind a reference.

    A process with an exit signal on its way counts as dead, as in OTP. Of one on another node only
    a monitor or a call tells: this is True as long as that node may be the one it lived on.

    Args:
        ref: a pid, a name, a via tuple, or a handle that has a `pid`.

    Follows: `Process.alive?/1`.
    """
    return find_living(ref) is not None
