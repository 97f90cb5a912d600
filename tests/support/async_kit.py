"""Every public async function of the library, and a case of each.

The cases stand in the files `async_cases_*.py`, by behaviour; they run in the world of
`async_world`.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from async_world import CASES, Operation, World, slow, world

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CASES", "PUBLIC_ASYNC", "Operation", "World", "is_async", "public", "slow", "world"]

for _path in sorted(Path(__file__).parent.glob("async_cases_*.py")):
    importlib.import_module(_path.stem)

# Async functions with a public name that are the inside of a process, not for users to call.
INSIDE = {
    "Agent.init",
    "ConnectionSupervisor.init",
    "Port.init",
    "Port.terminate",
    "code_change",
    "run_process",
}
ENDS_OF_A_TEST = {"close", "abandon"}  # which the fixture calls
INSIDE_CLASSES = {"EventManager"}
MODULES = {
    "alarm_handler": otp.alarm_handler,
    "application": otp.application,
    "cluster": otp.cluster,
    "events": otp.events,
    "gen_event": otp.gen_event,
    "observer": otp.observer,
    "pg": otp.pg,
    "sys": otp.sys,
    "task": otp.task,
    "testing": otp.testing,
}


def public() -> Iterator[tuple[str, Any]]:
    """List the functions and methods that users call, by the name they are called by."""
    for name, value in inspect.getmembers(otp):
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if inspect.isclass(value):
            if name in INSIDE_CLASSES:
                continue
            for member, function in inspect.getmembers(value, callable):
                if not member.startswith("_") and member not in INSIDE:
                    yield f"{name}.{member}", function
        else:
            yield name, value
    yield from _of_tests()
    for module_name, module in MODULES.items():
        for name, value in inspect.getmembers(module):
            own = name in getattr(module, "__all__", [name]) and value not in vars(otp).values()
            if own and not name.startswith("_") and not inspect.isclass(value):
                yield f"{module_name}.{name}", value


def _of_tests() -> Iterator[tuple[str, Any]]:
    for cls in (otp.testing.OtpSystem, otp.testing.Probe):
        for member, function in inspect.getmembers(cls, is_async):
            if not member.startswith("_") and member not in ENDS_OF_A_TEST:
                yield f"{cls.__name__}.{member}", function


def is_async(function: Any) -> bool:
    """Check whether a function is `async def`, or makes an async context manager."""
    inner = getattr(function, "__wrapped__", None)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(inner)


PUBLIC_ASYNC = {name for name, function in public() if is_async(function)} - INSIDE
