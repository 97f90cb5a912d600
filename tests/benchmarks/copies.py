"""Copies of the library under other names, without some of what it keeps account of.

A copy is made of the same files, in this process alone: a part is left out of their syntax trees
before they are compiled. So whole programs take turns, and what lies between them is what the part
costs. A copy from which nothing is left out tells how far two equal ones are apart.
"""

from __future__ import annotations

import ast
import functools
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio_otp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType


FOLDER: Final = Path(trio_otp.__file__).parent


@dataclass(frozen=True)
class Part:
    """What is left out: statements of the path of a message that do nothing else."""

    unset: frozenset[str] = frozenset()  # attributes that are not set and get no entries
    untested: frozenset[str] = frozenset()  # an `if` about one of these names does not happen


PATH: Final = frozenset(
    ["_gen_server.server", "_process.request", "_gen_server.message_loop", "_gen_server.loop"]
)
PARTS: Final[dict[str, Part]] = {
    # what is in hand and since when, how many there were, and since when a caller waits
    "notes": Part(unset=frozenset(["current", "messages_handled", "since"])),
    # who waits for whom: a circle of calls is refused
    "edges": Part(untested=frozenset(["caller", "_caller"])),
    # the open calls: the end of their server answers them
    "open": Part(unset=frozenset(["requests"])),
    # the slots of those who listen
    "hooks": Part(untested=frozenset(["_on_call", "_on_handle", "_handling", "_told"])),
}


@functools.cache
def copy_of_library(name: str, *parts: str) -> Any:
    """Return a copy of the library.

    Args:
        name: what tells it from other copies.
        *parts: the keys of `PARTS` that it does without.

    Raises:
        LookupError: nothing was left out: the library does a part in another way than it did.
    """
    finder = _Finder(f"trio_otp_{name}", parts)
    sys.meta_path.insert(0, finder)  # it stays: some modules are imported late
    made = import_module(finder.package)
    missed = [part for part in parts if part not in finder.found]
    if missed:
        raise LookupError(f"{missed} not found in {sorted(PATH)}")
    return made


class _Finder:
    """Finds the modules of a copy in the files of the library."""

    def __init__(self, package: str, parts: Sequence[str]) -> None:
        self.package = package
        self.parts = parts
        self.found: set[str] = set()

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Say where a module of the copy comes from."""
        top, *inner = name.split(".")
        if top != self.package:
            return None
        file, folder = FOLDER.joinpath(*inner).with_suffix(".py"), FOLDER.joinpath(*inner)
        if file.exists():
            return spec_from_file_location(name, file, loader=_Loader(name, str(file), self))
        file = folder / "__init__.py"
        loader = _Loader(name, str(file), self)
        places = [str(folder)]
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=places)


class _Loader(SourceFileLoader):
    """Compiles a module without the parts, and keeps no file of that."""

    def __init__(self, name: str, file: str, finder: _Finder) -> None:
        super().__init__(name, file)
        self._finder = finder

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a module."""
        tree = ast.parse(self.get_data(self.path), self.path)
        if fullname.partition(".")[2] in PATH:
            for part in self._finder.parts:
                leaver = Leaver(PARTS[part])
                tree = leaver.visit(tree)
                if leaver.left_out:
                    self._finder.found.add(part)
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)


class Leaver(ast.NodeTransformer):
    """Leaves a part out of a syntax tree."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self.left_out = False

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        """Set what is left of the targets; a call happens, whose value others may want."""
        targets = [target for target in node.targets if not self._is_unset(target)]
        if targets == node.targets or (not targets and isinstance(node.value, ast.Call)):
            return node
        self.left_out = True
        node.targets = targets
        return node if targets else None

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign | None:
        """Count nothing."""
        return node if not self._is_unset(node.target) else self._leave_out()

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Take no entries out that were not put in."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=table, attr="pop")) if self._is_unset(table):
                return self._leave_out()
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        """Do what is done if it is not so; that it is None, among other things, is so."""
        match node.test:
            case ast.BoolOp(op=ast.And(), values=values):
                rest = [value for value in values if not self._is_none(value)]
                self.left_out = self.left_out or len(rest) < len(values)
                node.test.values = rest or values
        if _names(node.test) & self._part.untested:
            self.left_out = True
            return [self.visit(other) for other in node.orelse]
        return _filled(self.generic_visit(node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Get nothing for a variable that nobody asks any more."""
        before = _read(node)
        changed = self.generic_visit(node)
        return _filled(_Forgetter(before - _read(node)).visit(changed))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Do as in any function."""
        return _filled(self.generic_visit(node))

    def _is_none(self, node: ast.expr) -> bool:
        match node:
            case ast.Compare(left=asked, ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
                return bool(_names(asked) & self._part.untested)
        return False

    def _leave_out(self) -> None:
        self.left_out = True

    def _is_unset(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript):
            node = node.value
        return isinstance(node, ast.Attribute) and node.attr in self._part.unset


class _Forgetter(ast.NodeTransformer):
    """Leaves out what is assigned to some variables alone."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        """Keep what is assigned to anything else."""
        match node.targets:
            case [ast.Name(id=name)] if name in self._names:
                return None
        return node


def _filled(node: Any) -> Any:
    """Return a body to what has lost its own."""
    node.body = node.body or [ast.Pass()]
    return node


def _names(node: ast.AST) -> set[str]:
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _read(node: ast.AST) -> set[str]:
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in names if isinstance(each.ctx, ast.Load)}
