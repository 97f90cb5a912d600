"""What `import trio_otp` brings at once, what it leaves for later, and that nobody notices."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from inside import LATE_MODULES, LATE_NAMES

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(otp.__file__).parents[1]
BODY = ast.parse(Path(otp.__file__).read_text(encoding="utf-8")).body
# What the standard library and others have that takes long to import, beside what Trio needs.
HEAVY = {"argparse", "asyncio", "difflib", "importlib.metadata", "h11", "tomllib", "trio_util"}
LATE = set(LATE_NAMES.values()) | {
    "cli",
    "program",
    "registry_table",
    "system_requests",
    "statem_engine",
    "task_job",
}


def fresh(code: str) -> str:
    """Run code in an interpreter that has imported nothing; give what it prints."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "" == done.stderr
    return done.stdout


def imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Tell from which module each name is imported."""
    return {
        alias.name: node.module or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
        if alias.asname in {None, alias.name}  # what is renamed is of no use to users
    }


NOW = imports(BODY)
LATER = imports(node for branch in BODY if isinstance(branch, ast.If) for node in branch.body)
EXPORTED = {name for name in NOW | LATER if not name.startswith("_")}
MODULES = {name for name, module in (NOW | LATER).items() if name == module}


def test_the_table_of_late_names_is_what_type_checkers_read() -> None:
    """Each name that is imported late comes from where the static import says."""
    assert LATER == LATE_NAMES
    assert {name for name in LATER if inspects_as_module(name)} == LATE_MODULES


def inspects_as_module(name: str) -> bool:
    return isinstance(getattr(otp, name), ModuleType)


def test_what_few_programs_need_is_not_imported() -> None:
    """A fresh interpreter that imports the library has neither its late parts nor heavy others."""
    code = "import trio\nof_trio = set(sys.modules)\nimport trio_otp"
    new = set(fresh(f"{code}\nprint(*set(sys.modules) - of_trio)").split())

    assert set() == new & HEAVY
    assert set() == new & {f"trio_otp.{name}" for name in LATE}


def test_reports_of_crashes_are_never_late() -> None:
    """What tells of a crash is there at once, since a crash is no time to read files."""
    new = set(fresh("import trio_otp\nprint(*sys.modules)").split())

    assert {"trio_otp.reports", "trio_otp.events.data", "trio_otp._log.reports"} <= new


@pytest.mark.parametrize("first", ["for name in names: getattr(otp, name)", "from_modules()"])
def test_every_name_is_what_its_module_has(first: str) -> None:
    """Whether a name or the module it is in is used first, the name is never that module."""
    code = f"""
import importlib
import trio_otp as otp
sources, modules = {NOW | LATER!r}, {sorted(MODULES)!r}
def from_modules():
    for source in sorted(set(sources.values())):
        importlib.import_module("trio_otp." + source)
names = list(sources)
{first}
for name, source in sources.items():
    module = sys.modules["trio_otp." + source]
    if getattr(otp, name) is not (module if name in modules else vars(module)[name]):
        print(name)
"""
    assert "" == fresh(code)


def test_a_star_import_brings_every_public_name() -> None:
    """`from trio_otp import *` gives what is imported now and what is late, and nothing else."""
    shown = fresh("own = set(globals())\nfrom trio_otp import *\nprint(*set(globals()) - own)")

    assert EXPORTED | {"own"} == set(shown.split()) | {"sys"}


def test_dir_lists_late_names() -> None:
    """`dir` has the public names before they are used, and has nothing that cannot be had."""
    shown = fresh("import trio_otp\nprint(*dir(trio_otp))").split()

    assert EXPORTED == set(shown)
    assert [] == [name for name in shown if not hasattr(otp, name)]
    assert "TYPE_CHECKING" not in shown


def test_a_name_that_does_not_exist_is_an_ordinary_error() -> None:
    """A wrong name is an AttributeError or ImportError that names it."""
    with pytest.raises(AttributeError, match="module 'trio_otp' has no attribute 'GenServre'"):
        otp.GenServre  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'GenServre'"):
        from trio_otp import GenServre  # type: ignore[attr-defined] # noqa: F401


def test_a_late_name_can_be_replaced_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests do to a module works for late names."""
    real = otp.tree
    monkeypatch.setattr(otp, "tree", len)
    assert otp.tree is len
    monkeypatch.undo()

    assert otp.tree is real


def test_the_first_use_may_be_in_threads_at_once() -> None:
    """Threads that use a late name for the first time at the same time get the same thing."""
    code = """
import threading
import trio_otp as otp
got, ready = [], threading.Barrier(8)
def use():
    ready.wait()
    got.append((otp.GenStatem, otp.tree, otp.Registry))
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(got), len(set(got)), got[0][0].__name__, got[0][1].__name__)
"""
    assert "8 1 GenStatem tree\n" == fresh(code)


def test_the_first_use_may_be_in_a_run() -> None:
    """A process that uses a late part for the first time finds it."""
    code = """
import trio
import trio_otp as otp
async def double(number):
    return 2 * number
class Doubler(otp.GenServer):
    async def handle_call(self, request, from_):
        return otp.Reply(await otp.task.await_one(otp.task.start_async(double, request)))
async def main():
    async with otp.open_process():
        pid = await otp.start_link(Doubler)
        print(await otp.call(pid, 21), otp.process_count() > 1)
trio.run(main)
"""
    assert "42 True\n" == fresh(code)


def test_the_testing_kit_imports_what_it_needs_of_trio() -> None:
    """Also outside of pytest, where nobody has imported `trio.testing` before it."""
    code = """
import logging
import trio
import trio_otp as otp
from trio_otp.testing import assert_restarted, open_system
logging.disable(logging.CRITICAL)
async def main():
    async with open_system() as system:
        first = await system.start_supervised(otp.child(otp.Agent, dict).having(name="cache"))
        otp.exit("cache", otp.KILL)
        print(await assert_restarted("cache") != first)
trio.run(main)
"""
    assert "True\n" == fresh(code)
