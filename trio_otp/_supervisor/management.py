"""The management calls of supervisors: start, stop and list children while the tree runs.

They are answered between events, and take the supervisor as any reference: a pid, a name, a via
tuple, or what `otp.open_supervisor` gives. Without `timeout=` they wait as long as it takes, as in
OTP. After a time-out the supervisor carries the request out all the same, when it comes to it: a
child may then be there whose pid nobody got, as `which_children` tells.

It is long because each call says what can go wrong with it.

Follows: Elixir's `Supervisor` and `DynamicSupervisor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._exits.errors import (
    AlreadyStarted,
    ChildAlreadyPresent,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    MaxChildren,
    SpecError,
)
from .._process.checkpoints import checkpointed, refusal
from .._process.names import check_class, find_living, need_living
from .._process.pid import Pid
from .._process.request import From, new_request
from .._start.child import Child, as_child
from .._util.checks import check_timeout
from .._util.public import public
from .data import Children, ManagementCommand
from .dynamic import DynamicSupervisor
from .loop import SupervisorBehaviour
from .supervisor import Supervisor
from .take_back import wait_for_start
from .template import check_wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from .._process.names import Ref
    from .._start.spec import ChildSpec
    from .data import ChildInfo, Counts
    from .flags import AutoShutdown

S = TypeVar("S")
B = TypeVar("B", bound=Behaviour)


@overload
async def start_child(
    ref: Ref, child: Callable[[], B], *, timeout: float | None = None
) -> Pid[B]: ...
@overload
async def start_child(
    ref: Ref, child: Callable[[], Awaitable[object]], *, timeout: float | None = None
) -> Pid[None]: ...
@overload
async def start_child(ref: Ref, child: Child[S], *, timeout: float | None = None) -> Pid[S]: ...
@overload
async def start_child(
    ref: Ref, child: list[Any] | tuple[Any, ...], *, timeout: float | None = None
) -> Pid: ...
@public
@enable_ki_protection
async def start_child(ref: Ref, child: Any, *, timeout: float | None = None) -> Any:
    """Start a child under a supervisor, as the last one of a `Supervisor`.

    What an async function has passed to `task_status.started` is `process_info(pid).started`. If
    the caller is cancelled meanwhile, the child is taken back: it is stopped, and forgotten.

    Args:
        ref: the supervisor.
        child: what to start: `otp.child(...)`, a behaviour class or an async function. For a
            `DynamicSupervisor` with a template, the list of the arguments that come after those of
            the template.
        timeout: seconds to wait; None waits as long as it takes. The child may start later.

    Returns:
        Its pid, or None if its init returned IGNORE.

    Raises:
        SpecError: what is given is not a child, or one the supervisor does not accept.
        StartError: it did not start, and is forgotten.
        AlreadyStarted: a child of this id, or a process of this name, runs.
        ChildAlreadyPresent: a child of this id is down.
        ChildRestarting: a child of this name is down, and a back-off of the `DynamicSupervisor`
            delays its restart.
        MaxChildren: the dynamic supervisor is full.
        CallTimeout: it took longer than `timeout`; the supervisor goes on all the same.
        NoProcess, ServerExited: the supervisor is not there, or ended meanwhile.
        WrongServer: the reference is not a supervisor's.
        ValueError: `timeout` is not a number of seconds from 0 up.

    Follows: `Supervisor.start_child/2`, `DynamicSupervisor.start_child/2`.
    """
    try:
        waiting = wait_for_start(_request(ref, "start_child", check_wanted(child), timeout))
    except Exception:
        await refusal()
        raise
    return await waiting


@checkpointed
async def start_child_to_stay(ref: Ref, child: object) -> object:
    """Do as `start_child`, for a caller that knows what has started also when it is cancelled."""
    return await _command(ref, "start_child", check_wanted(child), None)


@public
@checkpointed
async def terminate_child(ref: Ref, child: object, *, timeout: float | None = None) -> None:
    """Stop a child. A `Supervisor` keeps its specification, unless it is temporary.

    Args:
        ref: the supervisor.
        child: the id of a `Supervisor`'s child; the pid or name of a `DynamicSupervisor`'s.
        timeout: seconds, as of `start_child`.

    Raises:
        ChildNotFound: there is no such child; with a template a dead one is no error.
        TypeError: what is given to a `DynamicSupervisor` is neither pid nor name.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: `Supervisor.terminate_child/2`, `DynamicSupervisor.terminate_child/2`.
    """
    if issubclass(_need_supervisor(ref, "terminate_child"), DynamicSupervisor):
        child = _pid_of(child)
    await _command(ref, "terminate_child", child, timeout)


def _pid_of(child: object) -> object:
    """Return a pid as it is, dead or alive, and the one behind another reference.

    The supervisor knows what a reference leads to if nobody is there: a child may wait.
    """
    if child.__class__ is Pid:
        return child
    process = find_living(child)
    return child if process is None else process.pid


@public
@checkpointed
async def restart_child(ref: Ref, child_id: object, *, timeout: float | None = None) -> Pid:
    """Start a child of a `Supervisor` that is down; this is not charged to the intensity.

    If the caller is cancelled meanwhile, the child is down again.

    Args:
        ref: the supervisor.
        child_id: which child.
        timeout: seconds, as of `start_child`.

    Returns:
        Its pid, or None if its init returned IGNORE.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting: it is not there, or not down. One whose
            restart a back-off delays is started at once after `terminate_child`.
        StartError: it did not start, and stays down.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: `Supervisor.restart_child/2`.
    """
    pid: Pid = await wait_for_start(_request(ref, "restart_child", child_id, timeout))
    return pid


@public
@checkpointed
async def delete_child(ref: Ref, child_id: object, *, timeout: float | None = None) -> None:
    """Forget a child of a `Supervisor` that is down.

    Args:
        ref: the supervisor.
        child_id: which child.
        timeout: seconds, as of `start_child`.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting: it is not there, or not down.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: `Supervisor.delete_child/2`.
    """
    await _command(ref, "delete_child", child_id, timeout)


@public
@checkpointed
async def which_children(ref: Ref, *, timeout: float | None = None) -> list[ChildInfo]:
    """List the children of a supervisor, oldest first.

    Args:
        ref: the supervisor.
        timeout: seconds, as of `start_child`.

    Raises:
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: `Supervisor.which_children/1`, which lists them newest first.
    """
    children: list[ChildInfo] = await _command(ref, "which_children", None, timeout)
    return Children(children)


@public
@checkpointed
async def which_child(ref: Ref, child: object, *, timeout: float | None = None) -> ChildInfo:
    """Return for one child of a supervisor what `which_children` returns for all.

    Args:
        ref: the supervisor.
        child: the id of a `Supervisor`'s child, the pid of a `DynamicSupervisor`'s.
        timeout: seconds, as of `start_child`.

    Raises:
        ChildNotFound: there is no such child.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: Erlang's `supervisor:which_child/2`.
    """
    info: ChildInfo = await _command(ref, "which_child", child, timeout)
    return info


@public
@checkpointed
async def count_children(ref: Ref, *, timeout: float | None = None) -> Counts:
    """Count the children of a supervisor: specifications, living ones, and by type.

    Args:
        ref: the supervisor.
        timeout: seconds, as of `start_child`.

    Raises:
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: `Supervisor.count_children/1`.
    """
    counts: Counts = await _command(ref, "count_children", None, timeout)
    return counts


@public
@checkpointed
async def get_childspec(ref: Ref, child_id: object, *, timeout: float | None = None) -> ChildSpec:
    """Return the specification of a child, with every default filled in.

    Args:
        ref: the supervisor.
        child_id: the id of a `Supervisor`'s child; the pid of a `DynamicSupervisor`'s, or the id of
            its template.
        timeout: seconds, as of `start_child`.

    Raises:
        ChildNotFound: there is no such child.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.

    Follows: Erlang's `supervisor:get_childspec/2`.
    """
    spec: ChildSpec = await _command(ref, "get_childspec", child_id, timeout)
    return spec


@public
def check_childspecs(children: Iterable[Any], *, auto_shutdown: AutoShutdown = "never") -> None:
    """Check what `otp.Supervisor` would accept as its children, without starting anything.

    Args:
        children: what it would start: `otp.child(...)` and behaviour classes.
        auto_shutdown: that of the supervisor; significant children need it.

    Raises:
        SpecError: a child is not accepted, or two have one id.

    Follows: Erlang's `supervisor:check_childspecs/2`.
    """
    Supervisor.spec(children, auto_shutdown=auto_shutdown)


@overload
async def ensure_child(
    ref: Ref, child: Callable[[], B], *, timeout: float | None = None
) -> Pid[B]: ...
@overload
async def ensure_child(
    ref: Ref, child: Callable[[], Awaitable[object]], *, timeout: float | None = None
) -> Pid[None]: ...
@overload
async def ensure_child(ref: Ref, child: Child[S], *, timeout: float | None = None) -> Pid[S]: ...
@public
@checkpointed
async def ensure_child(ref: Ref, child: Any, *, timeout: float | None = None) -> Any:
    """Return the process that has the child's name, starting the child if there is none.

    Any number of callers at a time get the same process. One that is cancelled takes back what it
    has begun, as `start_child` does.

    Args:
        ref: the supervisor to start it under.
        child: `otp.child(...).having(name=...)`.
        timeout: seconds, as of `start_child`.

    Returns:
        The pid behind the name.

    Raises:
        SpecError: the child has no name.
        AlreadyStarted: a child of the same id, but another name, runs.
        ChildRestarting: it is down, and a back-off delays its restart.
        StartError, MaxChildren: as `start_child`.
        CallTimeout, NoProcess, ServerExited, WrongServer, ValueError: as `start_child`.
    """
    wanted = as_child(child)
    name = wanted.spec.name
    if name is None:
        raise SpecError(f"{wanted!r} has no name; write {wanted!r}.having(name=...)")
    check_timeout("timeout", timeout)
    until = None if timeout is None else trio.current_time() + timeout
    while (process := find_living(name)) is None or process.starting is not None:
        try:
            return await _start_or_revive(ref, wanted, until)
        except (ChildRunning, ChildRestarting, ChildNotFound) as exc:
            if isinstance(exc, ChildRestarting) and exc.restart_in is not None:
                raise  # else another caller was faster
        except MaxChildren:
            if find_living(name) is None:
                raise  # else another caller was faster, and took the last place
        except AlreadyStarted as exc:
            known = find_living(exc.pid)
            if known not in (None, find_living(name)):
                raise  # the id belongs to a child of another name
            if known is not None and process is not None:
                return exc.pid  # another starter than the supervisor is about to have it running
    await trio.lowlevel.checkpoint()
    return process.pid


@enable_ki_protection
async def _start_or_revive(ref: Ref, child: Child[Any], until: float | None) -> object:
    try:
        return await start_child(ref, child, timeout=_left(until))
    except ChildAlreadyPresent:
        return await restart_child(ref, child.spec.id, timeout=_left(until))


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - trio.current_time())


def _command(
    ref: Ref, name: str, argument: object, timeout: float | None
) -> Coroutine[object, Any, Any]:
    """Send a command; what it gives is to be awaited at once, with Ctrl-C held off."""
    return _request(ref, name, argument, timeout)._wait()


def _request(ref: Ref, name: str, argument: object, timeout: float | None) -> From[Any]:
    check_timeout("timeout", timeout)
    process = need_living(ref, name)
    check_class(ref, process, SupervisorBehaviour, name)
    return new_request(process, ref, ManagementCommand(name, argument), timeout)


def _need_supervisor(ref: Ref, command: str) -> type[SupervisorBehaviour]:
    return check_class(ref, need_living(ref, command), SupervisorBehaviour, command)
