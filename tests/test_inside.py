"""Tests reach inside the library by one module, so that a private name that moves breaks one."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from paths import SUPPORT, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAM = SUPPORT / "inside.py"
BENCHMARKS = TESTS / "benchmarks"  # they take the library apart, also copies of it
# What a file has in it that is worth a closer look: to parse all of them takes seconds.
SUSPECT = re.compile(r"trio_otp\._|from trio_otp import (\(|.*\b_)|\._process\b")


def test_private_modules_are_imported_in_one_place() -> None:
    """No other file imports one, or takes the process of a pid."""
    files = (file for file in TESTS.rglob("*.py") if file != SEAM)
    assert [] == [
        f"{file.relative_to(TESTS)}:{line}"
        for file in files
        if not file.is_relative_to(BENCHMARKS)
        for line in lines_inside(file.read_text())
    ]


def lines_inside(text: str) -> Iterator[int]:
    """Yield the lines of a file that reach inside."""
    if SUSPECT.search(text):
        yield from reaches_inside(ast.parse(text))


def reaches_inside(tree: ast.Module) -> Iterator[int]:
    """Yield the lines that import private modules, or look at `_process`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any(is_private(each.name) for each in names):
                yield node.lineno
            case ast.ImportFrom(module=str(module), names=names, level=0):
                if any(is_private(f"{module}.{each.name}") for each in names):
                    yield node.lineno
            case ast.Attribute(attr="_process"):
                yield node.lineno


def is_private(name: str) -> bool:
    """Check whether a dotted name leads to a private module of the library."""
    return name.startswith("trio_otp._") and not name.endswith("__")


def test_what_reaches_inside_is_found() -> None:
    """Each way to do it is one that the test above sees."""
    ways = (
        "from trio_otp._a import b",
        "import trio_otp._a",
        "from trio_otp import _a",
        "from trio_otp import (\n    _a,\n)",
        "p._process",
    )
    assert [1, 1, 1, 1, 1] == [line for way in ways for line in lines_inside(way)]
    fine = (
        "import trio_otp as otp\nfrom trio_otp import task, __version__\nfrom inside import runtime"
    )
    assert [] == list(lines_inside(fine))
