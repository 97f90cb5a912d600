"""Tests do not wait in real time: one that waits has a virtual clock, or a reason not to."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import pytest
from paths import SUPPORT, TESTS

if TYPE_CHECKING:
    from pathlib import Path

WAITS = {"trio.sleep", "trio.sleep_until", "trio.move_on_after", "trio.move_on_at"}
# What gives a test a clock that jumps: fixtures, decorators, and what a plain test writes.
FIXTURES = {
    "autojump_clock",
    "mock_clock",
    "virtual_time",
    "clock_beside_threads",
    "loop",
    "patient_clock",
}
DECORATORS = {"as_process", "races"}
FUNCTIONS = {"explore"}  # and those of the file, or of a kit that it uses, that give a `clock=`

# Beside what has a time of its own.
REAL = {
    "observer/test_observer.py::test_a_terminal_that_does_not_take_it_keeps_nobody_waiting": (
        "a thread that hangs in a write tells nobody"
    ),
    "observer/test_server.py::test_a_client_that_never_reads_keeps_nobody_waiting": (
        "a socket that is full for ever tells nobody"
    ),
    "observer/test_server.py::test_it_is_a_child_that_has_started_when_it_can_be_reached": (
        "a thread that has ended tells nobody"
    ),
    "observer/test_server.py::test_while_nobody_looks_it_does_nothing": (
        "a thread that has nothing to do tells nobody"
    ),
    "observer/test_hub.py::test_a_question_may_be_cancelled": "a question from another thread",
    "observer/test_web.py::test_a_tab_that_never_reads_delays_no_end": (
        "a socket that is full for ever tells nobody"
    ),
    "port/test_port_owner.py::test_a_slow_owner_does_not_keep_the_end_for_long": "a program writes",
    "examples/test_bounds.py::test_all_together_have_a_bound": "sockets that stay open tell nobody",
    "examples/test_worker.py::test_fire": "a database in threads is killed and comes back",
    "test_hostile_values.py::test_an_endless_continue_lets_others_run": (
        "a loop that is never idle lets no clock jump"
    ),
    "supervisor/test_partition_supervisor.py"
    "::test_a_function_that_makes_a_coroutine_makes_no_child": "its coroutine never runs",
}


def name_of(node: ast.expr) -> str:
    """Return the last word of a name, as `sleep` of `trio.sleep`; nothing for what is no name."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def waits(test: ast.AST) -> bool:
    """Check whether a test, or a function in it, waits for any time but none."""
    return any(
        isinstance(node, ast.Call)
        and f"trio.{name_of(node.func)}" in WAITS
        and ast.unparse(node.func) in WAITS
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
        for node in ast.walk(test)
    )


def called(function: ast.AST) -> set[str]:
    """Return the names of what a function calls, with `clock` if it gives a clock to any."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {name_of(call.func) for call in calls}
    return names | {"clock" for call in calls for each in call.keywords if each.arg == "clock"}


Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


def functions_of(module: ast.Module) -> list[Function]:
    """Return the functions of a module, not those inside of others."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in module.body if isinstance(node, kinds)]


def virtual_of(module: ast.Module) -> set[str]:
    """Return the functions of a module, and those that it has from a kit, that give a clock."""
    own = {each.name for each in functions_of(module) if "clock" in called(each)}
    kits = [node for node in module.body if isinstance(node, ast.ImportFrom)]
    return own.union(
        *(
            {name.name for name in kit.names} & virtual_of_kit(path)
            for kit in kits
            if (path := SUPPORT / f"{kit.module}.py").exists()
        )
    )


@cache
def virtual_of_kit(path: Path) -> set[str]:
    return virtual_of(ast.parse(path.read_text("utf-8")))


def in_real_time(source: str) -> list[str]:
    """List the tests of a file that wait for a time, and on the clock of the machine."""
    if not any(wait in source for wait in WAITS):  # most files, and to parse one takes long
        return []
    module = ast.parse(source)
    virtual = FUNCTIONS | {"clock"} | virtual_of(module)
    return [
        each.name
        for each in functions_of(module)
        if each.name.startswith("test_") and waits(each)
        if not FIXTURES & {argument.arg for argument in (*each.args.args, *each.args.kwonlyargs)}
        if not DECORATORS & {name_of(decorator) for decorator in each.decorator_list}
        if not virtual & called(each)
    ]


def test_tests_that_wait_have_a_virtual_clock() -> None:
    """A reason that is no longer needed has to go as well."""
    found = {
        f"{path.relative_to(TESTS).as_posix()}::{name}"
        for path in TESTS.rglob("test_*.py")
        for name in in_real_time(path.read_text(encoding="utf-8"))
    }
    assert found == set(REAL)


@pytest.mark.parametrize(
    ("test", "is_found"),
    [
        ("async def test_a(): await trio.sleep(1)", True),
        ("async def test_a(otp_log):\n async def f(): await trio.sleep_until(x)", True),
        ("def test_a():\n async def f(): await trio.sleep(FAST)\n trio.run(f)", True),
        ("async def test_a():\n with trio.move_on_after(0.01): pass", True),
        ("async def test_a(): await trio.sleep(0)", False),
        ("async def test_a(autojump_clock): await trio.sleep(1)", False),
        ("@as_process\nasync def test_a(): await trio.sleep(1)", False),
        ("def test_a():\n async def f(): await trio.sleep(1)\n trio.run(f, clock=c)", False),
        ("def run(f): trio.run(f, clock=c)\ndef test_a():\n run(lambda: trio.sleep(1))", False),
    ],
)
def test_the_rule_finds_them(test: str, is_found: bool) -> None:
    """Whatever waits inside of a test."""
    assert is_found == bool(in_real_time(test))
