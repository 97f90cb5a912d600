"""Public names show the namespace that exports them, and the namespaces show nothing else."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from inside import NoConstructor
from public_api import NAMESPACES, exported

import trio_otp as otp

MODULES = {name: import_module(name) for name in NAMESPACES}


def public() -> dict[str, Any]:
    """Return every public class and function, by the first namespace that exports it.

    As they are now: a test of notebooks may have reloaded the extension meanwhile.
    """
    found: dict[str, Any] = {}
    for namespace, name, value in exported():
        if isinstance(value, type | FunctionType) and value not in found.values():
            found[f"{namespace}.{name}"] = value
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_namespace_offers_what_it_exports_and_nothing_else(name: str) -> None:
    """`dir`, and so tab completion, `__all__` and a star import agree."""
    module = MODULES[name]
    starred: dict[str, Any] = {}
    exec(f"from {name} import *", starred)

    assert sorted(set(module.__all__)) == sorted(module.__all__) == sorted(dir(module))
    assert set(module.__all__) == starred.keys() - {"__builtins__"}
    assert [] == [each for each in module.__all__ if each.startswith("_")]


@pytest.mark.parametrize("name", NAMESPACES)
def test_what_says_that_it_is_of_a_namespace_is_exported_there(name: str) -> None:
    """Nothing is forgotten in `__all__`."""
    module = MODULES[name]
    own = {
        each
        for each, value in vars(module).items()
        if getattr(value, "__module__", "") == name and not each.startswith("_")
    }

    assert own <= set(module.__all__)


def test_every_public_name_says_the_namespace_that_exports_it() -> None:
    """Nobody sees in which file a class or function is defined."""
    assert {} == {name: shown for name, value in PUBLIC.items() if (shown := full(value)) != name}


def full(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def test_methods_say_the_namespace_of_their_class() -> None:
    """A method is shown as one of the class that users know."""
    wrong = {
        f"{name}.{attribute}": function.__module__
        for name, value in PUBLIC.items()
        if isinstance(value, type)
        for attribute, member in vars(value).items()
        if isinstance(function := getattr(member, "__func__", member), FunctionType)
        and function.__module__ != value.__module__
        and function.__module__.startswith("trio_otp")
    }

    assert {} == wrong


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_public_names_are_pickled_as_such(protocol: int) -> None:
    """A pickle of a class or function names no private module, and gives it back."""
    for value in public().values():
        data = pickle.dumps(value, protocol)
        assert b"trio_otp._" not in data
        assert value is pickle.loads(data)


def test_a_pickle_finds_names_that_have_not_been_imported() -> None:
    """Where a pickle is loaded nothing of the library need be there: its names are found late."""
    things = [value for name, value in public().items() if not name.startswith("trio_otp.testing.")]
    code = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(otp.__file__).parents[1],
        input=pickle.dumps(things),
        capture_output=True,
        check=True,
    )

    assert len(things) == int(done.stdout)


def test_a_late_class_says_its_namespace_before_it_is_named() -> None:
    """A class that arrives by another way than its name, as an error, is no other then."""
    code = "from trio_otp._task.result import TaskExited; print(TaskExited)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(otp.__file__).parents[1],
        capture_output=True,
        check=True,
        text=True,
    )

    assert "<class 'trio_otp.TaskExited'>\n" == done.stdout


def test_a_traceback_shows_the_public_name() -> None:
    """As users write it in `except`."""
    import traceback

    shown = traceback.format_exception_only(otp.NoProcess("shop"))

    assert shown[-1].startswith("trio_otp.NoProcess: ")


MADE = [
    "Export", "From", "Fun", "GroupMonitor", "Monitor", "OpenApplication", "OpenSupervisor",
    "OtpLog", "OtpSystem", "Partitions", "Pending", "Pid", "PoolHandle", "Port", "Probe",
    "Reference", "RegistryHandle", "RemotePid", "RequestId", "SendEnd", "Storm", "Subscription",
    "Task", "TaskStream", "Timer", "VirtualTime", "Watch",
]  # fmt: skip


def test_these_are_made_by_the_library_alone() -> None:
    """Handles have no public constructor."""
    assert MADE == sorted(value.__name__ for value in PUBLIC.values() if is_made(value))


def is_made(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, NoConstructor)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if is_made(value)])
def test_a_handle_cannot_be_made_by_hand(name: str) -> None:
    """Who tries is told how to get one; to extend one is a type error."""
    handle = PUBLIC[name]
    how = re.escape(f"{handle.__name__} has no public constructor: ") + r".*\botp[._].*\bone\b"

    for args, kwargs in [((), {}), ((1, "x", None), {}), ((), {"name": "x"})]:
        with pytest.raises(TypeError, match=how):
            handle(*args, **kwargs)
    assert handle.__final__


def test_a_frozen_dataclass_with_slots_knows_itself() -> None:
    """It can be made with its type argument, and have subclasses with attributes of their own."""
    assert otp.task.Ok[int](3) == otp.task.Ok(3)

    class Late(otp.Stop):
        def __init__(self, seconds: float) -> None:
            super().__init__("late")
            self.seconds = seconds

    assert Late(2.0).seconds == 2.0
    for name in ("reason", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(otp.Stop("late"), name, 1)
    with pytest.raises(FrozenInstanceError):
        del otp.Stop("late").reason  # type: ignore[misc]
