"""What of the library is imported at its first use.

Few programs use all of it at once, and to build a class costs time, a dataclass most of all. So
`import trio_otp` brings what every program needs: processes, servers, names and starts.
The rest is imported when its name is looked up. What may be needed while something goes wrong, the
reports of crashes for example, is never late: it must not depend on files that may be gone.

`LATE_NAMES` says in which module a late name is. `tests/test_import.py` holds it to the imports
under `TYPE_CHECKING` in `__init__.py`, which editors and type checkers read.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Public modules that are imported late.
LATE_MODULES: Final = frozenset(
    [
        "alarm_handler",
        "application",
        "cluster",
        "gen_event",
        "observer",
        "pg",
        "sys",
        "task",
        "testing",
    ]
)

_NAMES: Final = {
    "_gen_server.agent": "Agent",
    "_process.bounded_mailbox": "BoundedMailbox",
    "_gen_server.cast_wait": "cast_wait",
    "_application.base": "Application",
    "_application.errors": (
        "ApplicationAlreadyLoaded ApplicationExited ApplicationNotStarted ApplicationStartError "
        "ConfigChangeError NoApplicationController SettingNotFound UnknownApplication"
    ),
    "_net.connection_supervisor": "ConnectionSupervisor",
    "_net.service": "ConnectionCounts",
    "_process.draining": "is_draining move_on_when_draining wait_draining",
    "_behaviour.backoff": "Backoff",
    "_behaviour.published": "Published published",
    "_supervisor.dynamic": "DynamicSupervisor",
    "_gen_statem.enter_loop": "enter_loop",
    "_gen_event.handler": "GenEvent HandlerExit OwnerExited RemoveHandler SwapHandler Swapped",
    "_gen_event.manager": "EventManager",
    "_gen_event.outcomes": "HandlerCrashed NoHandler",
    "_gen_statem.statem": "GenStatem on_state",
    "_timers.intervals": "apply_after apply_interval send_interval",
    "_inspect.info": "ProcessInfo",
    "_inspect.introspect": "process_count process_info processes",
    "_supervisor.management": (
        "check_childspecs count_children delete_child ensure_child get_childspec "
        "restart_child start_child terminate_child which_child which_children"
    ),
    "_log.metadata": "metadata reset_metadata set_metadata",
    "_gen_server.multi_call": "MultiReply abcast multi_call",
    "_application.open_application": "OpenApplication open_application",
    "_supervisor.open_supervisor": "OpenSupervisor open_supervisor",
    "_port.os_process": "ExitStatus",
    "_supervisor.partition": "PartitionSupervisor",
    "_supervisor.partitions": "Partitions partitions",
    "_port.port": "Port",
    "_port.output": "PortLine",
    "_program.program": "run",
    "_net.pool": "Pool",
    "_net.pool_errors": "CheckoutTimeout",
    "_net.pool_handle": "PoolHandle pool",
    "_net.pool_status": "PoolStatus",
    "_registry.registry": "KeyNotRegistered Registered Registry Unregistered _Valued",
    "_registry.handle": "RegistryHandle registry",
    "_registry.subscription": "Subscription",
    "_gen_server.request_collection": "RequestIds",
    "_gen_server.request_ids": (
        "RequestId check_response receive_response send_request wait_response"
    ),
    "_gen_server.special_process": "SpecialProcess init_ack init_fail",
    "_gen_statem.actions": (
        "ChangeCallbacks KeepState NextEvent NextState PopCallbacks Postpone "
        "PushCallbacks RepeatState ReplyTo StopAndReply"
    ),
    "_gen_statem.timeouts": (
        "CancelTimeout Event EventTimeout GenericTimeout StateTimeout TimeoutOf UpdateTimeout"
    ),
    "_supervisor.data": "ChildInfo Counts",
    "_supervisor.supervisor": "Supervisor",
    "_task.handle": "Task TaskReply",
    "_task.result": "TaskNotOwned TaskExited TaskTimeout",
    "_task.supervisor": "TaskSupervisor",
    "_inspect.system_monitor": "MonitorOptions system_monitor",
    "_inspect.tree": "tree",
    "_watch.values": "WatchedValue",
    "_watch.children": "wait_for_child",
    "_watch.wait": "WaitTimeout",
    "_watch.waiting": "wait_down wait_for_name while_alive",
    "_watch.watch": "Watch watch",
    "_port.worker_thread": "WorkerThread",
    "_util.version": "__version__",  # it reads the metadata of what is installed
}


def find(package: str, modules: Mapping[str, str], name: str) -> Any:
    """Import what is named at its first use, and keep it in the package.

    Args:
        package: the package that has late names.
        modules: {late name: the module it is in, or that it is}.
        name: what is asked for.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = import_module(f"{package}.{modules[name]}")
    found = module if modules[name] == name else getattr(module, name)
    setattr(sys.modules[package], name, found)
    return found


def table(names: Mapping[str, str]) -> dict[str, str]:
    """Return {name: module} of {module: names with spaces between them}."""
    return {name: module for module, listed in names.items() for name in listed.split()}


LATE_NAMES: Final[dict[str, str]] = {**table(_NAMES), **{name: name for name in LATE_MODULES}}
