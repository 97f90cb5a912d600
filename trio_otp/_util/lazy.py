"""What of the library is imported at its first use.

Few programs use all of it at once, and to build a class costs time, a dataclass most of all. So
`import trio_otp` brings what every program needs: processes, servers, names and starts.
The rest is imported when its name is looked up. What may be needed while something goes wrong, the
reports of crashes for example, is never late: it must not depend on files that may be gone.

`HOMES` says in which module a late name is. `tests/test_import.py` holds it to the imports under
`TYPE_CHECKING` in `__init__.py`, which editors and type checkers read.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# Public names that are modules: those imported late, and those imported at once.
LATE_MODULES: Final = frozenset(
    ["alarm_handler", "application", "gen_event", "observer", "pg", "sys", "task", "testing"]
)
MODULES: Final = LATE_MODULES | {"events", "reports"}

_NAMES: Final = {
    "_gen_server.agent": "Agent",
    "_application.base": "Application",
    "_application.errors": (
        "AlreadyLoaded ApplicationExited ApplicationStartError ConfigChangeError NoController "
        "NoSetting NotStarted UnknownApplication"
    ),
    "_supervisor.dynamic": "DynamicSupervisor",
    "_gen_statem.enter_loop": "enter_loop",
    "_gen_event.handler": (
        "GenEvent HandlerCrashed HandlerExit NoHandler OwnerExited RemoveHandler "
        "SwapHandler Swapped"
    ),
    "_gen_event.manager": "EventManager",
    "_gen_statem.statem": "GenStatem on_state",
    "_timers.intervals": "apply_after apply_interval send_interval",
    "_inspect.introspect": "ProcessInfo process_count process_info processes",
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
    "_application.program": "run",
    "_registry.registry": "NotRegistered Registered Registry Unregistered",
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
    "_task.handle": "Task",
    "_task.result": "NotOwner TaskExited TaskReply TaskTimeout",
    "_task.supervisor": "TaskSupervisor",
    "_inspect.tree": "tree",
    "_port.worker_thread": "WorkerThread",
    "_util.version": "__version__",  # it reads the metadata of what is installed
}

HOMES: Final[dict[str, str]] = {
    **{name: home for home, names in _NAMES.items() for name in names.split()},
    **{name: name for name in LATE_MODULES},
}


class Package(ModuleType):
    """A package in which a late name is not hidden by a module of the same name.

    Whatever first imports `trio_otp.tree` has the import system put that module into the package as
    `tree`, where the public function of that name belongs.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless it is a module in the place of something else."""
        if isinstance(value, ModuleType) and name in vars(self)["_late_values"]:
            return
        super().__setattr__(name, value)


def install(
    package: str,
    homes: Mapping[str, str] = HOMES,
    late_modules: Collection[str] = LATE_MODULES,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` that a package with late names needs.

    Args:
        package: its name.
        homes: {late name: the module it is in}.
        late_modules: those late names that are modules themselves.
    """
    module = sys.modules[package]
    module.__class__ = Package
    names = vars(module)
    names["_late_values"] = homes.keys() - set(late_modules)

    def find(name: str) -> Any:
        """Import what is named, and keep it."""
        if name == "__all__":  # of `from trio_otp import *`
            return _public(names, homes)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(f"{package}.{homes[name]}")
        names[name] = found = home if name in late_modules else getattr(home, name)
        return found

    return find, lambda: sorted({*names, *homes})


def _public(names: dict[str, Any], homes: Mapping[str, str]) -> list[str]:
    now = {
        name
        for name, value in names.items()
        if not name.startswith("_") and (name in MODULES or not isinstance(value, ModuleType))
    }
    return sorted(now | homes.keys() - {"__version__"})
