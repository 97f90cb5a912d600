"""Find the place of a change in the source, and make the change.

A place is a function or class by its qualified name, in whatever module of the package, and in it
an expression or some statements. They are compared as syntax: how lines are wrapped, what comments
say and in which module the function is make no difference.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
BLOCKS = ("body", "orelse", "finalbody")


class Source:
    """A package, with the files of its functions and classes by qualified name."""

    def __init__(self, package: Path) -> None:
        self.files: defaultdict[str, set[Path]] = defaultdict(set)
        self._trees: dict[Path, ast.AST] = {}
        self.texts = {file: file.read_text() for file in package.rglob("*.py")}
        for file, text in self.texts.items():
            for name in ("", *_names(ast.parse(text))):
                self.files[name].add(file)

    def change(self, where: str, old: str, new: str) -> tuple[Path, str]:
        """Return the file in which the change is to be made, and its text after the change.

        Args:
            where: the qualified name of a function or class; "" for the whole package.
            old: an expression, or statements; a text stands for any that holds it.
            new: what takes its place; nothing removes statements.

        Raises:
            LookupError: `old` is not there, or more than once.
        """
        file = self.find(where, old, new)
        tree = _Change(where, old, new).visit(ast.parse(self.texts[file]))
        return file, ast.unparse(ast.fix_missing_locations(tree))

    def find(self, where: str, old: str, new: str) -> Path:
        """Return the file in which `change` makes a change, or raise as it does."""
        found: list[Path] = []
        word = max(re.findall(r"\w+", old), key=len)
        for file in self.files.get(where, ()):
            if word in self.texts[file]:  # the others are not worth parsing
                look = _Change(where, old, new, only_looks=True)
                look.visit(self._tree(file))
                found += [file] * look.times
        if len(found) != 1:
            raise LookupError(f"expected one such place in {where!r}, got {len(found)}")
        return found[0]

    def _tree(self, file: Path) -> ast.AST:
        """Return the syntax of a file, in which nothing may be changed."""
        if file not in self._trees:
            self._trees[file] = ast.parse(self.texts[file])
        return self._trees[file]


def _names(node: ast.AST, prefix: str = "") -> Iterator[str]:
    """Yield the qualified names of what is defined in a node, at any depth."""
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, NAMED):
            yield prefix + child.name
            inner = f"{prefix}{child.name}."
        yield from _names(child, inner)


class _Change(ast.NodeTransformer):
    """Replaces what is equal to the old text, or only looks, and counts how often it is there."""

    def __init__(self, where: str, old: str, new: str, *, only_looks: bool = False) -> None:
        self.times = 0
        self._only_looks = only_looks
        self._where = where.split(".") if where else []
        self._path: list[str] = []
        self._old, self._new = ast.parse(old).body, ast.parse(new).body
        sides = [*self._old, *self._new]
        self._expression = len(sides) == 2 and all(isinstance(each, ast.Expr) for each in sides)

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, NAMED):
            return self._visit(node)
        self._path.append(node.name)
        try:
            on_the_way = all(map(str.__eq__, self._path, self._where))
            return self._visit(node) if on_the_way else node
        finally:
            self._path.pop()

    def _visit(self, node: ast.AST) -> Any:
        if self._path[: len(self._where)] != self._where:
            return self.generic_visit(node)
        if self._expression:
            return self._replaced(node)
        self.generic_visit(node)
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                self._replace_in(block)
                if name == "body" and not block:
                    block.append(ast.Pass())
        return node

    def _replaced(self, node: ast.AST) -> Any:
        old, new = (side[0].value for side in (self._old, self._new))  # type: ignore[attr-defined]
        if _equal(node, old):
            self.times += 1
            return node if self._only_looks else new
        text, part, other = (getattr(each, "value", None) for each in (node, old, new))
        if isinstance(text, str) and isinstance(part, str) and isinstance(other, str):
            self.times += text.count(part)
            return node if self._only_looks else ast.Constant(text.replace(part, other))
        return self.generic_visit(node)

    def _replace_in(self, block: list[ast.stmt]) -> None:
        length = len(self._old)
        for first in range(len(block) - length, -1, -1):
            part = block[first : first + length]
            if all(map(_equal, part, self._old)):
                self.times += 1
                if not self._only_looks:
                    block[first : first + length] = self._new


def _equal(one: ast.AST, other: ast.AST) -> bool:
    return type(one) is type(other) and ast.dump(one) == ast.dump(other)
