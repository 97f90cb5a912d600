"""What the fixtures of `trio_otp.pytest_plugin` do, imported when a test uses one.

pytest-trio runs each fixture and the test in a task of its own, and gives them one context. So
what a fixture makes the running process is that of the test as well; only the task has to be told.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio
from pytest_trio.plugin import TrioFixture  # type: ignore[import-untyped]

from .._exits.bare import as_group, unwrap
from .._process.block import block
from .leaks import Leaked
from .system import OtpSystem, open_system
from .virtual_time import rewind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

FIXTURES_TEXT: Final = "errors in async test and trio fixtures"  # how pytest-trio calls a group
PLUGIN: Final = "_trio_otp_pytest"


@block("async with system_of(test) as system: ...")
async def system_of(test: str) -> AsyncGenerator[OtpSystem]:
    """Run what a test needs while it runs, from the task of a fixture."""
    task = trio.lowlevel.current_task()
    async with open_system(test) as system:
        system._process.task = _task_of_test(task)
        try:
            yield system
        finally:
            system._process.task = task  # that of the test has ended


def _task_of_test(task: trio.lowlevel.Task) -> trio.lowlevel.Task:
    """Return the task of the test, which runs beside that of a fixture."""
    nursery = task.parent_nursery
    beside = () if nursery is None else nursery.child_tasks
    return next((each for each in beside if each.name.startswith("<test ")), task)


def left_out(item: Any) -> Iterator[str]:
    """Return the fixtures that build on the kit and do not run, since the test does not take them.

    pytest-trio runs what is among the arguments of a test, and what that needs. Others, as of
    `usefixtures` or `autouse`, it leaves out without a word.
    """
    made: dict[str, Any] = item.funcargs
    runs = _with_needs(made[name] for name in item._fixtureinfo.argnames if name in made)
    idle = {name: value for name, value in made.items() if _is_fixture(value) and value not in runs}
    needed = _with_needs(need for value in idle.values() for need in value._pytest_kwargs.values())
    for name, value in idle.items():
        if value not in needed and any(
            each._func.__module__ == PLUGIN for each in _with_needs([value])
        ):
            yield name


def _with_needs(values: Iterable[Any]) -> set[Any]:
    """Return those of some values that are fixtures of pytest-trio, and all that they need."""
    found: set[Any] = set()
    todo = list(values)
    while todo:
        value = todo.pop()
        if _is_fixture(value) and value not in found:
            found.add(value)
            todo += value._pytest_kwargs.values()
    return found


def _is_fixture(value: Any) -> bool:
    return value.__class__ is TrioFixture


def example(run: Callable[..., Any], *, repeats: bool) -> Callable[..., Any]:
    """Make what pytest-trio makes of a test show its error bare, and run more than once.

    Hypothesis runs a test many times, with the same fixtures. Those of pytest-trio serve one run,
    so each run gets others that are made like them; virtual time begins at 0 in each.

    Args:
        run: what pytest-trio has made.
        repeats: whether hypothesis runs it, which adds to an error the example that it has found.
    """
    if hasattr(run, "_otp_example"):
        return run

    @wraps(run)
    def run_fresh(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        memo: dict[Any, Any] = {}
        try:
            return run(*args, **{name: _fresh(value, memo) for name, value in kwargs.items()})
        except BaseExceptionGroup as group:
            error = _essence(group)
        if isinstance(error, Leaked):
            error = error.with_traceback(None) if repeats else _failure(error)
        raise error

    vars(run_fresh)["_otp_example"] = True
    return run_fresh


def _failure(error: Leaked) -> BaseException:
    """Return the failure that shows a text and no traceback."""
    return pytest.fail.Exception(str(error), pytrace=False)


def _fresh(value: Any, memo: dict[Any, Any]) -> Any:
    if not _is_fixture(value):
        rewind(value)
        return value
    if value not in memo:
        needs = {name: _fresh(each, memo) for name, each in value._pytest_kwargs.items()}
        memo[value] = TrioFixture(value.name, value._func, needs)
    return memo[value]


def _essence(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what went wrong first: what a test that failed has left behind is no news."""
    _, other = group.split(Leaked)
    error = unwrap(group if other is None else other)
    several = as_group(error)
    if several is None or several.message != FIXTURES_TEXT or len(several.exceptions) != 1:
        return error
    return unwrap(several.exceptions[0])
